"""The folder in which a training is at work: its checkpoints, and what a killed one goes on from."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.storage.files import check_target, read_json, write_json, write_text
from codepref.training.processes import first_alone

MARKER = "training.json"
"""In a model's folder: how it was trained. A folder without it is never replaced."""
KEY = "resume.json"
WHOLE = "whole"
"""In a checkpoint: it was written to its end. A kill can leave half of one."""


def check_place(out: Path) -> None:
    """Raise UserError when writing a model to `out` would replace anything but an earlier training's."""
    check_target(out / MARKER)
    if out.exists() and any(out.iterdir()) and not (out / MARKER).exists():
        raise UserError(f"{out}: is a folder with other things in it; choose a new one for the model")


def claim(staging: Path, key: str) -> bool:
    """Make `staging` the folder of the training that `key` names. Whether an earlier try of the same left it there.

    key: a hash of all that the trained weights depend on. Whatever another training left is removed.
    """
    if (staging / KEY).exists() and read_json(staging / KEY).get("key") == key:
        return True
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    write_json(staging / KEY, {"key": key})
    return False


def newest_checkpoint(staging: Path) -> Path | None:
    """The newest checkpoint that is whole; halves are removed."""
    found = sorted(staging.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    for path in found:
        if not (path / WHOLE).exists():
            shutil.rmtree(path)
    whole = [path for path in found if path.exists()]
    return whole[-1] if whole else None


def clear(staging: Path) -> None:
    """Remove what only a training at work needs, before the folder becomes the model's."""
    for path in staging.glob("checkpoint-*"):
        shutil.rmtree(path)
    # the second is TRL's card of a checkpoint, the last a pickle that holds paths
    for name in (KEY, "README.md", "reference.npz", "training_args.bin"):
        (staging / name).unlink(missing_ok=True)


def checkpoint_callback(minutes: float) -> Any:
    """A callback that asks for a checkpoint whenever so many minutes have passed since the last one, or the start."""
    import transformers

    class Checkpoints(transformers.TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.last = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            # clocks differ, and a checkpoint is everybody's work
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

    return Checkpoints()
