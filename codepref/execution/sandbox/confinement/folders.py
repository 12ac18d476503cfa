"""The scratch folders of one worker, and how a folder is measured and removed.

Every process that runs a solution has a new, empty folder, and the supervisor removes the folder when the process has
ended. So no solution finds anything of an earlier one, not even a changed time of its folder. The folders of solutions
and of test runners have different parents. The parents cannot be listed, since reading one would leave a time there.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

SOLUTIONS, RUNNERS = "s", "r"
"""The parents of the folders: for the processes of solutions, and for test runners that share a process with one."""

MAX_FILE_BYTES = 1 << 26
"""The largest size of one file, in bytes (64 MiB)."""

MAX_BYTES, MAX_ENTRIES = 1 << 28, 1000
"""The largest size of a scratch folder (256 MiB), and the largest number of files and folders in it."""

MIN_FREE_BYTES = 1 << 28
"""The bytes that must be free in the file system, beside what solutions write.

A solution can hold deleted files open, and nobody sees their size. Then only the free space shows them.
"""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ALL = stat.S_IRWXU


def prepare(base: str) -> None:
    """Make the two parents in the new folder `base`."""
    for parent in (SOLUTIONS, RUNNERS):
        (Path(base) / parent).mkdir(mode=stat.S_IWUSR | stat.S_IXUSR)


class Folders:
    """Makes and removes the scratch folders below `base`, which `prepare` has prepared."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._free: dict[str, list[int]] = {SOLUTIONS: [], RUNNERS: []}
        self._made = 0

    def parent(self, role: str) -> str:
        """Return the path of the folder in which the folders of this role lie."""
        return f"{self._base}/{role}"

    def make(self, role: str) -> str:
        """Make a new folder and return its path. Raises OSError."""
        if not self._free[role]:
            self._made += 1
            self._free[role].append(self._made)
        path = f"{self._base}/{role}/{self._free[role][-1]}"
        os.mkdir(path, _ALL)  # noqa: PTH102 - this runs once for each solution, and pathlib is slower
        self._free[role].pop()
        return path

    def remove(self, path: str) -> None:
        """Remove a folder that `make` made. No process may use it any more. Raises OSError."""
        try:
            os.rmdir(path)  # noqa: PTH106
        except OSError:
            clear(path)
            os.rmdir(path)  # noqa: PTH106
        _, role, number = path.rsplit("/", 2)
        self._free[role].append(int(number))


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
                        return f"more than {MAX_ENTRIES:,} files in its scratch folder"
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return f"a folder that cannot be read in its scratch folder ({error.strerror})"
    if size > MAX_BYTES:
        return f"more than {MAX_BYTES >> 20} MiB in its scratch folder"
    if count and (space := os.statvfs(folder)).f_bavail * space.f_frsize < MIN_FREE_BYTES:
        return "files, while the file system of the scratch folder is full"
    return ""


def clear(folder: str) -> None:
    """Remove everything in a folder. No symbolic link is followed. Raises OSError.

    It holds one descriptor at a time, and no path gets longer than one name, so the depth does not matter.
    """
    descriptor = os.open(folder, _FOLDER)
    above: list[str] = []
    pending = [_remove_files(descriptor)]
    try:
        while pending:
            if pending[-1]:
                above.append(pending[-1].pop())
                descriptor = _replaced(descriptor, _open(above[-1], descriptor))
                pending.append(_remove_files(descriptor))
            else:
                pending.pop()
                if above:
                    descriptor = _replaced(descriptor, os.open("..", _FOLDER, dir_fd=descriptor))
                    os.rmdir(above.pop(), dir_fd=descriptor)
    finally:
        os.close(descriptor)


def _replaced(old: int, new: int) -> int:
    os.close(old)
    return new


def _open(name: str, parent: int) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except PermissionError:  # its permissions are missing. Nobody else changes the folder now, so the name is no link
        os.chmod(name, _ALL, dir_fd=parent)
        return os.open(name, _FOLDER, dir_fd=parent)


def _remove_files(descriptor: int) -> list[str]:
    """Remove all entries of a folder except the folders that are not empty. Return the names of those."""
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
