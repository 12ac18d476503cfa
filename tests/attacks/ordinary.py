"""Runs `runner.py` as the user nobody. Root starts this script.

If no ordinary user can run the attacks here, the script writes the reason to stderr and ends with exit status 77.

The interpreter, its packages or this repository may lie below a folder that only root can enter, such as a pyenv in
root's home. This script therefore creates a mount namespace, mounts an empty folder over the outermost closed folder,
and binds the needed folders into the empty folder at their old paths. All paths stay valid, and other users can reach
them.
"""

from __future__ import annotations

import ctypes
import os
import site
import stat
import sys
from pathlib import Path

NOBODY = 65534
CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
IMPOSSIBLE = 77
"""The exit status if no ordinary user can run the attacks on this machine."""
_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode(), flags, options.encode())
    if _libc.mount(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"mount of {source} on {target}")


def outermost_closed(path: Path) -> Path | None:
    """Return the first folder on the way from the root to `path` that other users cannot enter, or None.

    `path` itself counts if it is a folder.
    """
    ways = [*reversed(path.parents), path]
    return next((way for way in ways if way.is_dir() and not way.stat().st_mode & stat.S_IXOTH), None)


def open_up(needed: list[Path]) -> None:
    """Let other users reach the folders `needed`, in a new mount namespace if any of them lies in a closed folder.

    Raises OSError if the kernel refuses this.
    """
    closed: dict[Path, list[Path]] = {}
    for path in needed:
        if (way := outermost_closed(path)) is not None:
            closed.setdefault(way, []).append(path)
    if not closed:
        return
    if _libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare of the mount namespace")
    _mount("none", "/", "", MS_REC | MS_PRIVATE)
    for way, paths in closed.items():
        inner = [path for path in paths if not any(other in path.parents for other in paths)]
        held = [(path, os.open(path, os.O_PATH)) for path in inner]
        _mount("none", str(way), "tmpfs", 0, "mode=755")
        for path, descriptor in held:
            path.mkdir(parents=True, exist_ok=True)
            _mount(f"/proc/self/fd/{descriptor}", str(path), "", MS_BIND | MS_REC)
            os.close(descriptor)


def become(user: int) -> None:
    """Become the user with the id `user`, without a way back to root."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def main() -> None:
    """Make closed folders reachable, become the user nobody, and run the attacks."""
    repository = Path(__file__).resolve().parents[2]
    needed = [Path(sys.base_prefix), Path(sys.prefix), repository, *map(Path, site.getsitepackages())]
    try:
        open_up([path.resolve() for path in dict.fromkeys(needed) if path.exists()])
        become(NOBODY)
        unreadable = [str(path) for path in needed if path.exists() and not os.access(path, os.R_OK | os.X_OK)]
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(IMPOSSIBLE)
    if unreadable:
        print(f"others cannot read {', '.join(unreadable)}", file=sys.stderr)
        sys.exit(IMPOSSIBLE)
    os.chdir("/")
    os.environ["HOME"] = "/nonexistent"
    from runner import main as run

    run()


if __name__ == "__main__":
    main()
