"""How a forked child gives up what it does not need, before it touches untrusted code."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal

from . import seccomp

CHANNEL = 3
"""The one descriptor that a child keeps beside 0, 1 and 2, which are /dev/null."""

OPEN_FILES, PENDING_SIGNALS = 64, 256
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15


class Hardening:
    """Made once in the parent, applied in each child after the fork.

    size: bytes of address space that the parent takes by itself; a child's memory limit comes on top.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._prctl = ctypes.CDLL(None).prctl
        self._filter = seccomp.Filter(seccomp.child_filter()) if seccomp.supported() else None

    def name(self, name: str) -> None:
        """Call this process `name` in `ps` and `top`."""
        self._prctl(PR_SET_NAME, name.encode(), 0, 0, 0)

    def die_with_parent(self, parent: int) -> None:
        """Ask the kernel for SIGKILL when the parent is gone, however it goes."""
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)

    def apply(self, channels: list[int], parent: int, memory: int, cpu_seconds: float) -> None:
        """Keep `channels` as descriptors 3, 4..., set limits, install the filter. There is no way back.

        memory: bytes beyond the parent's own size. cpu_seconds: backstop for the whole life of the child.
        """
        moved = channels if len(channels) < 2 else [fcntl.fcntl(one, fcntl.F_DUPFD, 1 << 10) for one in channels]
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
