"""How a forked child gives up what it does not need, before it touches untrusted code."""

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

CHANNEL = 3
"""The one descriptor that a child keeps beside 0, 1 and 2, which are /dev/null."""

OPEN_FILES, PENDING_SIGNALS = 64, 256
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15


def address_space() -> int:
    """Bytes of address space of this process, to a mebibyte: the least limit under which a page more can be had.

    /proc would tell it, but is closed here.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    low, high = 0, 1 << 47
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
    """Made once in the parent, applied in each child after the fork.

    A child's memory limit comes on top of the address space that its parent takes by itself.
    """

    def __init__(self) -> None:
        self._size = address_space()
        self._prctl = ctypes.CDLL(None).prctl
        self._filter = seccomp.Filter(seccomp.child_filter()) if seccomp.supported() else None

    def grown(self) -> None:
        """Measure again: this process, whose children are meant, has loaded more."""
        self._size = max(self._size, address_space())

    def name(self, name: str) -> None:
        """Call this process `name` in `ps` and `top`."""
        self._prctl(PR_SET_NAME, name.encode(), 0, 0, 0)

    @contextlib.contextmanager
    def memory(self, extra: int) -> Iterator[None]:
        """For a while, no more than `extra` bytes beyond the parent's size: compiling a hostile test can take any."""
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        least = min(limit for limit in (self._size + extra, soft, hard) if limit != resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_AS, (least, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    def die_with_parent(self, parent: int) -> None:
        """Ask the kernel for SIGKILL when the parent is gone, however it goes."""
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)

    def apply(self, channels: list[int], parent: int, memory: int, cpu_seconds: float) -> None:
        """Keep `channels` as descriptors 3, 4..., set limits, install the filter. There is no way back.

        memory: bytes beyond the parent's own size. cpu_seconds: backstop for the whole life of the child.
        """
        # out of each other's way first; just above, since `ulimit -n` may be no more than 1,024
        clear = CHANNEL + len(channels)
        moved = channels if len(channels) < 2 else [fcntl.fcntl(one, fcntl.F_DUPFD, clear) for one in channels]
        for place, channel in enumerate(moved, start=CHANNEL):
            os.dup2(channel, place)
        os.closerange(CHANNEL + len(channels), 1 << 16)
        os.setpgid(0, 0)  # a session of its own would cost a scheduling group; forks are refused anyway
        self.die_with_parent(parent)
        whole_seconds = int(cpu_seconds) + 2
        for kind, limit in (
            (resource.RLIMIT_AS, self._size + memory),
            (resource.RLIMIT_CPU, whole_seconds),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NOFILE, OPEN_FILES),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_MEMLOCK, 0),
            (resource.RLIMIT_MSGQUEUE, 0),
            (resource.RLIMIT_SIGPENDING, PENDING_SIGNALS),
        ):
            resource.setrlimit(kind, (limit, limit))
        if self._filter is not None:
            self._filter.install()
