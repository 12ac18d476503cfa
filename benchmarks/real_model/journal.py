"""Which stages are finished, and how long they took. A stage that is finished has a file, which is written last.

A stage that failed is finished too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.real_model.plan import Stage
from codepref.errors import UserError
from codepref.storage.files import read_json, write_json

CLOCK_SECONDS = 20.0
"""The seconds after which the running stage's times are written again. A kill loses only the time since then."""


class Journal:
    """The stages of a folder. `folder`/seed-SEED/OWNER/STEP.json holds the result of a stage and its seconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, stage: Stage) -> Path:
        """Return the path of the file that a finished stage has."""
        return self.folder / f"seed-{stage.seed}" / stage.owner / f"{stage.step}.json"

    def result(self, stage: Stage) -> dict[str, Any] | None:
        """Return what a finished stage wrote, or None if the stage is not finished.

        `seconds` and `cpu_seconds` are the times of all tries of the stage.
        """
        file = self.file(stage)
        return dict(read_json(file)) if file.exists() else None

    def done(self) -> dict[Stage, dict[str, Any]]:
        """Return the results of all finished stages, also of those that failed."""
        found = {}
        for file in sorted(self.folder.glob("seed-*/*/*.json")):
            document = read_json(file)
            if isinstance(document, dict) and {"seconds", "cpu_seconds"} <= document.keys():
                seed = int(file.parents[1].name.removeprefix("seed-"))
                found[Stage(seed, f"{file.parent.name}/{file.stem}")] = document
        return found

    def run(self, stage: Stage, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do the work of a stage, unless it is finished, and return its result with its times."""
        kept = self.result(stage)
        if kept is not None:
            return kept
        file = self.file(stage)
        file.parent.mkdir(parents=True, exist_ok=True)
        with _Clock(file.with_suffix(".clock")) as clock:
            result = work()
        result |= clock.times()
        write_json(file, result)
        file.with_suffix(".clock").unlink(missing_ok=True)
        return result

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder for this process. Raises UserError if another process holds it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{self.folder}: another process works here. Wait for it, or end it") from None
            yield


class _Clock:
    """Measures the wall-clock seconds and the CPU seconds of a stage, and adds those of earlier tries.

    The CPU seconds are those of this process and of its children that have ended. An earlier try that was killed counts
    up to the last time that was written.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._over = file, threading.Event()
        self._earlier = read_json(file) if file.exists() else {"seconds": 0.0, "cpu_seconds": 0.0}
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> _Clock:
        self._wall, self._cpu = time.monotonic(), _cpu_seconds()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        write_json(self._file, self.times())

    def times(self) -> dict[str, float]:
        """Return the seconds and the CPU seconds of all tries up to now."""
        return {
            "seconds": round(self._earlier["seconds"] + time.monotonic() - self._wall, 1),
            "cpu_seconds": round(self._earlier["cpu_seconds"] + _cpu_seconds() - self._cpu, 1),
        }

    def _write(self) -> None:
        while not self._over.wait(CLOCK_SECONDS):
            write_json(self._file, self.times())


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
