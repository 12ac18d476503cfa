"""The two scratch folders of one worker, and how a folder is measured and emptied.

One folder is for the processes of solutions, the other one for test runners that run a solution themselves. Only one
solution at a time uses a folder. A folder is empty when a process gets it, and its times of access and modification are
the same each time. If a process has changed it in any way, the next process gets a new folder of the same name. The
parent of a folder can neither be listed nor changed, since that would leave a mark there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

SOLUTIONS, RUNNERS = "s", "r"
"""The roles: the parents of the folder of solutions and of the folder of test runners."""

NAME = "w"
"""The name of a scratch folder in its parent."""

MAX_FILE_BYTES = 1 << 26
"""The largest size of one file, in bytes (64 MiB)."""

MAX_BYTES, MAX_ENTRIES = 1 << 28, 1000
"""The largest size of a scratch folder (256 MiB), and the largest number of files and folders in it."""

MIN_FREE_BYTES = 1 << 28
"""The bytes that must stay free in the file system while a solution uses its folder.

A solution can hold deleted files open. Their size does not show in the folder, but in the free space.
"""

_BEGUN = 1_000_000_000 * 10**9
"""The times of access and modification, in nanoseconds, of a folder that no process has used.

They lie far back, since the clock of files moves in steps of several milliseconds. Otherwise a process that changes the
folder right after it got it could leave the same times.
"""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ALL = stat.S_IRWXU
_LOCKED, _UNLOCKED = stat.S_IXUSR, stat.S_IXUSR | stat.S_IWUSR


def prepare(base: str) -> None:
    """Make both scratch folders in the new folder `base`. Raises OSError."""
    for role in (SOLUTIONS, RUNNERS):
        parent = Path(base) / role
        parent.mkdir(mode=_ALL)
        (parent / NAME).mkdir(mode=_ALL)
        parent.chmod(_LOCKED)


class Folders:
    """Hands out the scratch folders below `base`, which `prepare` has made. `begin` and `end` raise OSError."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._clean: dict[str, tuple[int, ...]] = {}

    def parent(self, role: str) -> str:
        """Return the path of the parent of the folder for this role."""
        return f"{self._base}/{role}"

    def folder(self, role: str) -> str:
        """Return the path of the folder for this role."""
        return f"{self._base}/{role}/{NAME}"

    def begin(self, role: str) -> None:
        """Set the times of the folder. A process may use it from now on."""
        path = self.folder(role)
        os.utime(path, ns=(_BEGUN, _BEGUN))
        self._clean[role] = _state(path)

    def end(self, role: str) -> None:
        """Replace the folder if the process that used it has changed it. The process must have ended."""
        path = self.folder(role)
        if _state(path) != self._clean[role]:
            clear(path)
            os.chmod(self.parent(role), _UNLOCKED)  # noqa: PTH101 - for one kind of call in this module
            os.rmdir(path)  # noqa: PTH106
            os.mkdir(path, _ALL)  # noqa: PTH102
            os.chmod(self.parent(role), _LOCKED)  # noqa: PTH101


def _state(path: str) -> tuple[int, ...]:
    """Return the properties of a folder that change when a process makes, removes or lists files in it."""
    info = os.stat(path)  # noqa: PTH116 - this runs twice for each solution, and pathlib is slower
    return info.st_mtime_ns, info.st_atime_ns, info.st_ctime_ns, info.st_nlink, info.st_size


def excess(folder: str) -> str:
    """Return in words which limit the content of a scratch folder exceeds, or "".

    A solution may change the folder at the same time. A folder that cannot be read counts as too large, and so does one
    that is nested too deeply.
    """
    size, count, pending = 0, 0, [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    count += 1
                    with contextlib.suppress(FileNotFoundError):
                        size += 512 * entry.stat(follow_symlinks=False).st_blocks
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    if count > MAX_ENTRIES:
                        return f"more than {MAX_ENTRIES:,} files and folders in its scratch folder"
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return f"a folder that cannot be read in its scratch folder ({error.strerror})"
    if size > MAX_BYTES:
        return f"more than {MAX_BYTES >> 20} MiB in its scratch folder"
    used = count or os.stat(folder).st_mtime_ns != _BEGUN  # noqa: PTH116 - it may have removed what it holds open
    if used and (space := os.statvfs(folder)).f_bavail * space.f_frsize < MIN_FREE_BYTES:
        return f"files, and the file system of its scratch folder has less than {MIN_FREE_BYTES >> 20} MiB free"
    return ""


def clear(folder: str) -> None:
    """Remove everything in a folder. No symbolic link is followed. Raises OSError.

    This function holds few descriptors at a time and uses no path longer than one name, so the depth does not matter.

    After a worker was killed, one of its processes may still move folders for a moment. The path ".." can then lead to
    another folder, even to one outside. So this function raises OSError if ".." is not the folder that it came from.
    """
    descriptor = os.open(folder, _FOLDER)
    above: list[tuple[str, tuple[int, int]]] = []
    try:
        pending = [_remove_files(descriptor)]
        while pending:
            if pending[-1]:
                name = pending[-1].pop()
                above.append((name, _identity(descriptor)))
                descriptor = _replaced(descriptor, _open(name, descriptor))
                pending.append(_remove_files(descriptor))
            else:
                pending.pop()
                if above:
                    descriptor = _replaced(descriptor, os.open("..", _FOLDER, dir_fd=descriptor))
                    name, expected = above.pop()
                    if _identity(descriptor) != expected:
                        raise OSError(errno.ESTALE, "a folder was moved while it was emptied")
                    os.rmdir(name, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def _replaced(old: int, new: int) -> int:
    os.close(old)
    return new


def _identity(descriptor: int) -> tuple[int, int]:
    info = os.fstat(descriptor)
    return info.st_dev, info.st_ino


def _open(name: str, parent: int) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except PermissionError:  # its permissions are missing
        held = os.open(name, os.O_PATH | _FOLDER, dir_fd=parent)
        try:
            os.chmod(f"/proc/self/fd/{held}", _ALL)  # noqa: PTH101 - by name, a link could take its place
        finally:
            os.close(held)
        return os.open(name, _FOLDER, dir_fd=parent)


def _remove_files(descriptor: int) -> list[str]:
    """Remove the files and the empty folders in a folder. Return the names of the entries that are left."""
    if stat.S_IMODE(os.fstat(descriptor).st_mode) & _ALL != _ALL:
        os.fchmod(descriptor, _ALL)
    left = []
    for name in os.listdir(descriptor):
        try:
            os.unlink(name, dir_fd=descriptor)
        except OSError:
            try:
                os.rmdir(name, dir_fd=descriptor)
            except OSError:
                left.append(name)
    return left
