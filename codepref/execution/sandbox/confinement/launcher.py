"""The launcher confines its own process permanently and becomes a worker.

It applies Landlock (unless the worker is unconfined), gives up all capabilities, installs the system-call filter (an
unconfined worker has none if the filter does not know the architecture), and then calls exec. Confinement continues
after exec, so the worker is a new interpreter that never loaded the confining library. A process that has imported that
library forks more slowly.
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
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # pyarrow's own pool, which pandas uses, reserves a gibibyte at once
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
}
"""The environment of a worker. `main` adds the variables of matplotlib.

With one arena, a thread does not take 64 MiB of the address space, which is limited.
"""

SYSTEM_PATHS = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache")
DEVICES = ("/dev/urandom", "/dev/random", "/dev/zero")


def drop_capabilities(libc: ctypes.CDLL) -> None:
    """Give up every capability. As root this includes the bounding set, so exec does not restore any."""
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(PR_CAP_AMBIENT, 4, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    libc.capset(header, (ctypes.c_uint32 * 6)())


def landlock(readable: list[str], scratch: str) -> None:
    """Allow reading `readable` and /proc, and writing below `scratch` and to /dev/null.

    Refuse everything else that Landlock covers. Only the supervisor reads /proc: the processes that run programs, and
    those from which they are forked, give up this right.
    """
    import sandlock

    kept = [path for path in (*readable, "/proc") if os.path.exists(path)]  # noqa: PTH110
    missing = [sandlock.Protection.SIGNAL_SCOPE, sandlock.Protection.ABSTRACT_UNIX_SOCKET_SCOPE]
    missing += [sandlock.Protection.NET_TCP, sandlock.Protection.FS_IOCTL_DEV, sandlock.Protection.FS_TRUNCATE]
    # Older kernels lack these parts of Landlock. On them only the system-call filter refuses most of these actions.
    sandlock.confine(
        sandlock.Sandbox(
            fs_readable=kept, fs_writable=["/dev/null", scratch], allow_degraded=[part.value for part in missing]
        )
    )


def main(arguments: list[str]) -> None:
    """Confine this process as far as the mode demands, and replace it with a worker.

    The arguments are, in this order:
    - the interpreter;
    - "confined" or "unconfined";
    - the folder that holds the package `sandbox`;
    - the number of the descriptor that leads to the engine;
    - the folders of packages, joined by os.pathsep;
    - the folder of matplotlib's list of fonts, or "";
    - the folder for the scratch folders;
    - any number of further folders that may be read.
    """
    interpreter, mode, folder, channel, packages, plotting, scratch, *paths = arguments
    os.chdir("/")
    os.umask(0o022)
    libc = ctypes.CDLL(None, use_errno=True)
    # In Python 3.11 hash(None) is an address. With random addresses, the order of a set that holds None varies.
    libc.personality(ADDR_NO_RANDOMIZE)
    readable = [interpreter, folder, *packages.split(os.pathsep), plotting, *paths, *SYSTEM_PATHS, *DEVICES]
    if mode == "confined":
        if not seccomp.supported():
            raise SystemExit("the system-call filter needs x86-64 or aarch64")
        landlock(readable, scratch)
    drop_capabilities(libc)
    if seccomp.supported():
        seccomp.Filter(seccomp.worker_filter()).install()
    program = f"import sys; sys.path.insert(0, {folder!r}); from sandbox.processes.main import main; main(sys.argv[1:])"
    # The options -I and -E would make the interpreter ignore the hash seed. The order of sets would then vary between
    # workers.
    command = [interpreter, "-s", "-S", "-B", "-X", "utf8", "-c", program]
    environment = ENVIRONMENT | ({"MPLCONFIGDIR": plotting, "MPLBACKEND": "agg"} if plotting else {})
    os.execve(interpreter, [*command, channel, packages, mode, scratch, *filter(None, readable)], environment)


if __name__ == "__main__":
    main(sys.argv[1:])
