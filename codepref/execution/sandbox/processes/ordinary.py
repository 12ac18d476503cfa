"""Makes the process of a solution look like an ordinary interpreter, in places where the confinement would show.

`install` runs in the zygote of the solution's process, or in a test runner that runs the solution itself. It adds names
that the module `site` adds, and functions of the standard library that do as much as the system-call filter allows.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import os
import resource
import stat
import sys
from _thread import get_ident
from collections.abc import Callable
from typing import Any

SMALL_BYTES = 1 << 20
"""The largest size in bytes of a file whose mode `os.chmod` changes (1 MiB)."""


class SemLock:
    """A semaphore or a recursive lock for the threads of one process, with the interface of `_multiprocessing.SemLock`.

    The real one needs a file in /dev/shm, which solutions cannot write. Solutions can start no process, so no other
    process could use it.
    """

    RECURSIVE_MUTEX, SEMAPHORE = 0, 1
    SEM_VALUE_MAX = (1 << 31) - 1

    def __init__(self, kind: int, value: int, maxvalue: int, name: str, unlink: bool) -> None:
        import threading  # only here, since its handlers would make each fork slower

        self.kind, self.maxvalue, self.name, self.handle = kind, maxvalue, None, 0
        self._value, self._owner, self._depth = value, 0, 0
        self._changed = threading.Condition(threading.Lock())

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take one unit. Return whether there was one. timeout: the seconds to wait, or None for no limit."""
        me = get_ident()
        with self._changed:
            if self.kind == self.RECURSIVE_MUTEX and self._depth and self._owner == me:
                self._depth += 1
                return True
            seconds = 0.0 if not block else None if timeout is None else max(0.0, timeout)
            if not self._changed.wait_for(lambda: self._value > 0, seconds):
                return False
            self._value -= 1
            self._owner, self._depth = me, self._depth + 1
            return True

    def release(self) -> None:
        """Give one unit back. Raises AssertionError for a lock of another thread, and ValueError for too many units."""
        with self._changed:
            if self.kind == self.RECURSIVE_MUTEX:
                if not self._is_mine():
                    raise AssertionError("attempt to release recursive lock not owned by thread")
                if self._depth > 1:
                    self._depth -= 1
                    return
            elif self._value >= self.maxvalue:
                raise ValueError("semaphore or lock released too many times")
            self._depth -= 1
            self._value += 1
            self._changed.notify()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    def _count(self) -> int:
        return self._depth

    def _is_mine(self) -> bool:
        return self._depth > 0 and self._owner == get_ident()

    def _get_value(self) -> int:
        return self._value

    def _is_zero(self) -> bool:
        return self._value == 0

    def _after_fork(self) -> None:
        self._depth = 0


def prepare() -> None:
    """Replace the semaphores of `multiprocessing`, before the first fork."""
    with contextlib.suppress(ImportError):
        replaced: Any = importlib.import_module("_multiprocessing")
        replaced.SemLock = SemLock
        replaced.sem_unlink = lambda name: None


def enter_folder() -> None:
    """Make the scratch folder the current folder, just before a solution runs.

    It cannot be done earlier, since a folder that a solution has changed is replaced for the next solution.
    """
    os.chdir(os.environ["HOME"])


def install() -> None:
    """Add the builtins that `site` adds, and replace functions that the limits or the filter would make fail."""
    with contextlib.suppress(ImportError):
        names: Any = importlib.import_module("_sitebuiltins")
        here: Any = builtins
        here.exit = names.Quitter("exit", "Ctrl-D (i.e. EOF)")
        here.quit = names.Quitter("quit", "Ctrl-D (i.e. EOF)")
        here.help = names._Helper()
        here.copyright = names._Printer("copyright", sys.copyright)
        here.credits = names._Printer("credits", "See www.python.org for more information.")
        here.license = names._Printer("license", "See https://www.python.org/psf/license/")
    resource.setrlimit = _lenient(resource.setrlimit)
    replaced: Any = os
    replaced.chmod = _chmod(os.chmod)
    replaced.truncate = _truncate
    replaced.statvfs = _statvfs(os.statvfs)
    replaced.utime = _tolerant(os.utime)
    replaced.chown = _tolerant(os.chown)


def _lenient(setrlimit: Callable[[int, tuple[int, int]], None]) -> Callable[[int, tuple[int, int]], None]:
    """Return a `resource.setrlimit` that sets the highest limit it can if it may not set the wanted one."""

    def set_limit(kind: int, limits: tuple[int, int], /) -> None:
        try:
            setrlimit(kind, limits)
        except (PermissionError, ValueError):
            soft, hard = limits
            _, highest = resource.getrlimit(kind)  # raises ValueError for an unknown kind
            if hard >= 0 and not 0 <= soft <= hard:
                raise
            if highest != resource.RLIM_INFINITY:
                soft = highest if soft < 0 else min(soft, highest)
            setrlimit(kind, (soft, highest))

    return set_limit


def _own(path: Any) -> bool:
    """Return whether a path names something in the scratch folder, which is the home of the process."""
    home = os.environ.get("HOME", "")
    return bool(home) and os.path.realpath(os.fsdecode(path)).startswith(f"{home}/")


def _tolerant(function: Callable[..., None]) -> Callable[..., None]:
    """Return a function that does nothing where the filter refuses it for a path in the scratch folder.

    It also does nothing where the filter refuses it for a descriptor or with `dir_fd`. For a path in the scratch folder
    at which there is nothing, it raises FileNotFoundError.
    """

    def call(path: Any, *arguments: Any, **options: Any) -> None:
        try:
            function(path, *arguments, **options)
        except PermissionError:
            if isinstance(path, int) or options.get("dir_fd") is not None:
                return
            if not _own(path):
                raise
            # This raises FileNotFoundError where there is nothing, which `Path.touch` relies on.
            os.stat(path, follow_symlinks=options.get("follow_symlinks", True))  # noqa: PTH116

    return call


def _truncate(path: Any, length: int) -> None:
    """Truncate a file as `os.truncate` does. The filter refuses the system call by path, but not by descriptor."""
    if isinstance(path, int):
        os.ftruncate(path, length)
        return
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.ftruncate(descriptor, length)
    finally:
        os.close(descriptor)


def _statvfs(function: Callable[[Any], os.statvfs_result]) -> Callable[[Any], os.statvfs_result]:
    """Return an `os.statvfs` that finds no space in /dev/shm.

    Then `multiprocessing` puts its values into the scratch folder.
    """

    def statvfs(path: Any) -> os.statvfs_result:
        return os.statvfs_result((0,) * 10) if path == "/dev/shm" else function(path)

    return statvfs


def _chmod(function: Callable[..., None]) -> Callable[..., None]:
    """Return an `os.chmod` that gives a small file of the scratch folder its mode by making the file anew.

    The filter refuses the system call, since it cannot see which file is meant. For folders, descriptors, and files
    that are large or cannot be read, nothing happens. For a path outside the scratch folder, PermissionError is raised.
    """
    tolerant = _tolerant(function)

    def chmod(path: Any, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
        if isinstance(path, int) or dir_fd is not None or not _own(path):
            tolerant(path, mode, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
            return
        real = os.path.realpath(os.fsdecode(path))
        info = os.stat(real)  # noqa: PTH116
        if stat.S_ISREG(info.st_mode) and info.st_size <= SMALL_BYTES and stat.S_IMODE(info.st_mode ^ mode):
            _made_anew(real, mode)

    return chmod


def _made_anew(path: str, mode: int) -> None:
    new = f"{path}.mode"
    try:
        with open(path, "rb") as old:
            content = old.read()
    except PermissionError:
        return
    before = os.umask(0)
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IMODE(mode))
    finally:
        os.umask(before)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
    os.replace(new, path)  # noqa: PTH105
