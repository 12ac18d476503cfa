"""The folder of a worker's scratch folders, as the engine makes and removes it."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import tempfile
import time
from pathlib import Path

from codepref.errors import MachineError
from codepref.execution.sandbox.confinement import folders

PREFIX = "codepref-scratch-"

ATTEMPTS, PAUSE_SECONDS = 20, 0.05
"""How often the removal of a folder is tried, and the seconds between two attempts."""


class Scratch:
    """A new private folder in the folder for temporary files. `remove` removes it.

    The folder stays locked as long as this process lives. So another run can tell the folder of a run that has been
    killed, and removes it. Raises MachineError if the folder cannot be made.
    """

    def __init__(self) -> None:
        _remove_old()
        try:
            self.path = os.path.realpath(tempfile.mkdtemp(prefix=PREFIX))
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            folders.prepare(self.path)
        except OSError as error:
            raise MachineError(
                f"no scratch folder for solutions can be made ({error.strerror or error}). Free space in the folder "
                "for temporary files, or name another folder with the variable TMPDIR"
            ) from None

    def remove(self) -> None:
        """Remove the folder with everything in it. Do nothing if it has been removed."""
        if self._lock >= 0:
            _remove(self.path)
            os.close(self._lock)
            self._lock = -1


@functools.cache
def _remove_old() -> None:
    """Remove the folders of runs that ended without removing them. Runs of other users are left alone."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(str(path))
            finally:
                os.close(descriptor)


def _remove(path: str) -> None:
    """Remove a folder. Its worker has been killed, but a process of it may still write for a moment."""
    for _ in range(ATTEMPTS):
        with contextlib.suppress(OSError):  # after the last attempt, a later run removes what is left
            folders.clear(path)
            os.rmdir(path)  # noqa: PTH106
            return
        if not os.path.exists(path):  # noqa: PTH110
            return
        time.sleep(PAUSE_SECONDS)
