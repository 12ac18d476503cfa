"""The staging folder, in which a training works, and the checkpoints from which a killed training resumes."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.storage.files import check_target, read_json, write_json, write_text
from codepref.training.processes import first_alone

MARKER = "training.json"
"""The file in a model's folder that describes the training. `check_out` refuses a non-empty folder without it."""
KEY = "resume.json"
WHOLE = "whole"
"""The last file that the first process writes into a checkpoint. A checkpoint without it counts as incomplete."""


def check_out(out: Path) -> None:
    """Raise UserError if the folder `out` is not empty and holds no MARKER. Raises what `check_target` raises.

    If a kill of `put_in_place` left no folder `out`, its old content is put back.
    """
    if not out.exists():
        with contextlib.suppress(FileNotFoundError):  # there is no old content, or another process has put it back
            _old(out).replace(out)
    check_target(out / MARKER)
    if out.exists() and any(out.iterdir()) and not (out / MARKER).exists():
        raise UserError(
            f"{out} has other things in it than a model that codepref trained: choose another folder for the model"
        )


def put_in_place(staging: Path, out: Path) -> None:
    """Rename `staging` to `out`. An old folder `out` is moved aside first and removed last: a kill loses no model."""
    old = _old(out)
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.replace(old)
    staging.replace(out)
    shutil.rmtree(old, ignore_errors=True)


def _old(out: Path) -> Path:
    return out.with_name(f".{out.name}.old")


def claim(staging: Path, key: str) -> bool:
    """Prepare the folder `staging` for a training, and return whether the same training has worked in it before.

    key: a hash of what the trained weights depend on; equal keys count as the same training. Everything in a
    folder without this key is removed.
    """
    if (staging / KEY).exists() and read_json(staging / KEY).get("key") == key:
        return True
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    write_json(staging / KEY, {"key": key})
    return False


def newest_checkpoint(staging: Path) -> Path | None:
    """Return the newest complete checkpoint, or None, and remove incomplete checkpoints."""
    checkpoints = sorted(staging.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    complete = [path for path in checkpoints if (path / WHOLE).exists()]
    for path in checkpoints:
        if path not in complete:
            shutil.rmtree(path)
    return complete[-1] if complete else None


def clear(staging: Path) -> None:
    """Remove the checkpoints and other files that a finished model does not need."""
    for path in staging.glob("checkpoint-*"):
        shutil.rmtree(path)
    # README.md is TRL's own model card; training_args.bin is a pickle that holds paths of this machine
    for name in (KEY, "README.md", "reference.npz", "training_args.bin"):
        (staging / name).unlink(missing_ok=True)


def checkpoint_callback(minutes: float) -> Any:
    """Return a trainer callback that asks for a checkpoint once `minutes` have passed since the last one or the start.

    When a checkpoint is complete, the callback removes the older ones. It asks for none at the last step.
    """
    import transformers

    class CheckpointByClock(transformers.TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.last = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            # the first process decides for all, since clocks differ and all processes must write a checkpoint together
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
