"""Makes and removes the folder that holds the scratch folders of one worker."""

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

    The folder stays locked until `remove` or the end of this process. So another run recognises the folder of a run
    that has been killed, and removes it. Raises MachineError if the folder cannot be made.
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
        """Try to remove the folder with everything in it. A second call does nothing."""
        if self._lock >= 0:
            _remove(self.path)
            os.close(self._lock)
            self._lock = -1


@functools.cache
def _remove_old() -> None:
    """Remove this user's folders of runs that ended without removing them, once in each process."""
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
    """Try to remove a folder. A process of a worker that has just been killed may still write into it."""
    for _ in range(ATTEMPTS):
        with contextlib.suppress(OSError):  # after the last attempt, a later run removes what is left
            folders.clear(path)
            os.rmdir(path)  # noqa: PTH106
            return
        if not os.path.exists(path):  # noqa: PTH110
            return
        time.sleep(PAUSE_SECONDS)
