"""How a forked child gives up rights that it does not need, before it runs untrusted code."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import resource
import signal
from collections.abc import Iterator

from . import seccomp
from .landlock import Landlock

CHANNEL = 3
"""The first descriptor of a child that leads to another process. The descriptors 0, 1 and 2 are /dev/null."""

OPEN_FILES = 64
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME = 1, 4, 15


FOLDER_VARIABLES = ("HOME", "TMPDIR", "TEMP", "TMP")
"""The environment variables that name the scratch folder of a process."""


def open_standard_streams() -> None:
    """Open /dev/null for the descriptors 0, 1 and 2.

    `Hardening.apply` does this in each child. If a child used the open file of its parent, it could set flags or locks
    on it, which later children would see.
    """
    null = os.open("/dev/null", os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    os.close(null)


def address_space() -> int:
    """Return the bytes of address space that this process uses, with an error of at most 1 MiB.

    This is the lowest limit under which one more page can be mapped. /proc is not read, since some callers cannot read
    it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    low, high = 0, 1 << 47 if hard == resource.RLIM_INFINITY else min(hard, 1 << 47)
    try:
        while high - low > 1 << 20:
            middle = (low + high) // 2
            try:
                resource.setrlimit(resource.RLIMIT_AS, (middle, hard))
                mmap.mmap(-1, mmap.PAGESIZE).close()
                high = middle
            except (OSError, MemoryError):
                low = middle
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return high


class Hardening:
    """The limits, the Landlock layer and the system-call filter of children.

    The parent creates this once, and each child applies it after the fork. A child's memory limit is added to the
    address space that its parent uses.
    landlock: the Landlock layers of children, or None in a worker that is not confined.
    """

    def __init__(self, landlock: Landlock | None = None) -> None:
        self._size = address_space()
        self._landlock = landlock
        self._prctl = ctypes.CDLL(None).prctl
        self._filter = seccomp.Filter(seccomp.child_filter()) if seccomp.supported() else None

    def hide(self) -> None:
        """Prevent unprivileged processes of this user from reading the memory of this process and its children.

        This also prevents core files. Without this setting, processes of one user may be able to read each other's
        memory where no Landlock domain separates them.
        """
        self._prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)

    def grown(self) -> None:
        """Measure the address space again, after this process has loaded more code or data. Keep the larger value."""
        self._size = max(self._size, address_space())

    def name(self, name: str) -> None:
        """Give this process the name that `ps` and `top` show."""
        self._prctl(PR_SET_NAME, name.encode(), 0, 0, 0)

    @contextlib.contextmanager
    def memory(self, extra: int) -> Iterator[None]:
        """Within this context, let this process use at most `extra` bytes of address space more than last measured.

        Compiling a hostile test may otherwise take any amount of memory.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        lowest = min(limit for limit in (self._size + extra, soft, hard) if limit != resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_AS, (lowest, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    def die_with_parent(self, parent: int) -> None:
        """Have the kernel kill this process when its parent ends. If `parent` has ended already, exit at once."""
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)

    def enclose(self, parent: str, folder: str) -> None:
        """Keep this process and its children from all scratch folders except `folder` in `parent`, and from /proc.

        The environment names the folder as the home and as the place for temporary files. In a worker that is not
        confined, this only sets the environment.
        """
        os.environ.update(dict.fromkeys(FOLDER_VARIABLES, folder))
        if self._landlock is not None:
            self._landlock.read_only_except(parent)

    def apply(self, channels: list[int], parent: int, memory: int, cpu_seconds: float, file_bytes: int) -> None:
        """Prepare this process for untrusted code. This cannot be undone.

        Keep `channels` as descriptors 3, 4 and so on, open /dev/null for 0, 1 and 2, close all others, start a process
        group, set limits and install the filter. The kernel then kills this process when its parent ends.
        parent: the pid of the parent.
        memory: the bytes of address space that the child may use beyond its parent's, as last measured.
        cpu_seconds: seconds of CPU time. The kernel ends the child when it has used up to two seconds more than this.
        file_bytes: the largest size of a file that the child writes.
        """
        # First copy the channels to numbers just above the range, so that no channel is overwritten. Higher numbers may
        # not be allowed, since `ulimit -n` may be only 1,024.
        clear = CHANNEL + len(channels)
        moved = channels if len(channels) < 2 else [fcntl.fcntl(one, fcntl.F_DUPFD, clear) for one in channels]
        for descriptor, channel in enumerate(moved, start=CHANNEL):
            os.dup2(channel, descriptor)
        os.closerange(CHANNEL + len(channels), 1 << 16)
        open_standard_streams()
        os.setpgid(0, 0)  # setsid would create a scheduling group, which takes time
        self.die_with_parent(parent)
        whole_seconds = int(cpu_seconds) + 2
        for kind, limit in (
            (resource.RLIMIT_AS, self._size + memory),
            (resource.RLIMIT_CPU, whole_seconds),
            (resource.RLIMIT_FSIZE, file_bytes),
            (resource.RLIMIT_NOFILE, OPEN_FILES),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_MEMLOCK, 0),
            (resource.RLIMIT_MSGQUEUE, 0),
            (resource.RLIMIT_SIGPENDING, 0),
        ):
            resource.setrlimit(kind, (limit, limit))
        if self._filter is not None:
            self._filter.install()
