"""The folder in which a training works, its checkpoints, and how a killed training resumes from them."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.storage.files import check_target, read_json, write_json, write_text
from codepref.training.processes import first_alone

MARKER = "training.json"
"""The file in a model's folder that says how it was trained. A folder without it is never replaced."""
KEY = "resume.json"
WHOLE = "whole"
"""The file in a checkpoint that is written last. A kill can leave a checkpoint without it."""


def check_out(out: Path) -> None:
    """Raise UserError when writing a model to `out` would replace anything except an earlier trained model."""
    check_target(out / MARKER)
    if out.exists() and any(out.iterdir()) and not (out / MARKER).exists():
        raise UserError(f"{out}: is a folder with other things in it; choose a new one for the model")


def claim(staging: Path, key: str) -> bool:
    """Prepare `staging` for the training that `key` names, and return whether that training has worked there before.

    key: a hash of everything that the trained weights depend on. The files of any other training are removed.
    """
    if (staging / KEY).exists() and read_json(staging / KEY).get("key") == key:
        return True
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    write_json(staging / KEY, {"key": key})
    return False


def newest_checkpoint(staging: Path) -> Path | None:
    """The newest complete checkpoint, or None. Incomplete checkpoints are removed."""
    checkpoints = sorted(staging.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    complete = [path for path in checkpoints if (path / WHOLE).exists()]
    for path in checkpoints:
        if path not in complete:
            shutil.rmtree(path)
    return complete[-1] if complete else None


def clear(staging: Path) -> None:
    """Remove the files that only a running training needs, before the folder becomes the model's."""
    for path in staging.glob("checkpoint-*"):
        shutil.rmtree(path)
    # README.md is TRL's card of a checkpoint; training_args.bin is a pickle that holds paths
    for name in (KEY, "README.md", "reference.npz", "training_args.bin"):
        (staging / name).unlink(missing_ok=True)


def checkpoint_callback(minutes: float) -> Any:
    """A trainer callback that asks for a checkpoint every `minutes` and removes the older checkpoints."""
    import transformers

    class CheckpointByClock(transformers.TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.last = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            # the first process decides, since clocks differ and all processes take part in a checkpoint
            due = first_alone(lambda: time.monotonic() - self.last >= 60 * minutes, cpu=args.use_cpu)
            control.should_save |= due and state.global_step < state.max_steps

        def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            self.last = time.monotonic()
            if args.process_index == 0:
                newest = Path(args.output_dir) / f"checkpoint-{state.global_step}"
                write_text(newest / WHOLE, "")
                for path in newest.parent.glob("checkpoint-*"):
                    if path != newest:
                        shutil.rmtree(path)

    return CheckpointByClock()
