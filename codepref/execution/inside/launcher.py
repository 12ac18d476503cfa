"""Confines this process for good and becomes a worker: Landlock, no capabilities, system-call filter, then exec.

Confinement outlives exec, so the worker is a clean interpreter that never loaded the library that confined it (a
parent that has imported it forks three times slower).
"""

from __future__ import annotations

import ctypes
import os
import sys

from . import seccomp

ADDR_NO_RANDOMIZE = 0x0040000
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_CAP_AMBIENT = 38, 24, 47
ENVIRONMENT = {
    "PYTHONSAFEPATH": "1",
    "PYTHONHASHSEED": "0",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
SYSTEM_PATHS = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache")
DEVICES = ("/dev/urandom", "/dev/random", "/dev/zero")


def drop_capabilities(libc: ctypes.CDLL) -> None:
    """Give up every capability, the bounding set included, so that exec as root does not bring them back."""
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(PR_CAP_AMBIENT, 4, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    libc.capset(header, (ctypes.c_uint32 * 6)())


def landlock(readable: list[str]) -> None:
    """Allow reading of `readable`, system libraries and harmless devices; nothing else, and no writing but to null."""
    import sandlock

    kept = [path for path in (*readable, *SYSTEM_PATHS, *DEVICES) if os.path.exists(path)]  # noqa: PTH110
    missing = [sandlock.Protection.SIGNAL_SCOPE, sandlock.Protection.ABSTRACT_UNIX_SOCKET_SCOPE]
    missing += [sandlock.Protection.NET_TCP, sandlock.Protection.FS_IOCTL_DEV, sandlock.Protection.FS_TRUNCATE]
    # Older kernels lack these parts of Landlock; the system-call filter refuses the same things by itself.
    sandlock.confine(
        sandlock.Sandbox(fs_readable=kept, fs_writable=["/dev/null"], allow_degraded=[part.value for part in missing])
    )


def main(arguments: list[str]) -> None:
    """Arguments: interpreter, "confined" or "unconfined", code folder, engine descriptor, folders of packages
    (os.pathsep), matplotlib's folder or "", and further folders to read...
    """
    interpreter, mode, folder, channel, packages, plotting, *paths = arguments
    os.chdir("/")
    libc = ctypes.CDLL(None, use_errno=True)
    # hash(None) is an address in Python 3.11: at random addresses the order of a set with None in it changes a verdict
    libc.personality(ADDR_NO_RANDOMIZE)
    if mode == "confined":
        landlock([interpreter, folder, *packages.split(os.pathsep), plotting, *paths])
    drop_capabilities(libc)
    if seccomp.supported():
        seccomp.Filter(seccomp.worker_filter()).install()
    program = f"import sys; sys.path.insert(0, {folder!r}); from inside.supervisor import main; main(sys.argv[1:])"
    # neither -I nor -E: with them the interpreter would not read the hash seed, and the order of sets would change
    # from worker to worker
    command = [interpreter, "-s", "-S", "-B", "-X", "utf8", "-c", program]
    environment = ENVIRONMENT | ({"MPLCONFIGDIR": plotting, "MPLBACKEND": "agg"} if plotting else {})
    os.execve(interpreter, [*command, channel, packages], environment)


if __name__ == "__main__":
    main(sys.argv[1:])
