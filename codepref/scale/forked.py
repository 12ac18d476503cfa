"""A copy of this process that runs a service. It starts at once and shares the memory of what is loaded already.

A copy suits a model on a CPU, since importing PyTorch again would take seconds, and loading the weights again would
take memory. A copy does not suit a GPU, since CUDA cannot be used in a copy of a process that has used it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path

from codepref.scale.child import run
from codepref.scale.records import Service


class ForkedProcess:
    """A copy of this process, with the methods of `subprocess.Popen` that `codepref.scale.local` uses.

    descriptor: the end of a socket that the copy reads from. opened: called in the copy; returns the service.
    Raises OSError if the copy cannot be made.
    """

    def __init__(self, descriptor: int, opened: Callable[[], Service]) -> None:
        self._status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _leave_parent(descriptor)
                run(descriptor, lambda spec: opened())
            except BaseException:  # noqa: BLE001 - the copy must not go on as its parent would
                traceback.print_exc()
            finally:
                os._exit(1)

    def kill(self) -> None:
        """End the copy."""
        if self._status is None:  # after `wait`, the number may belong to another process
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait until the copy has ended, and return its exit status, or minus the number of the signal."""
        if self._status is None:
            _, status = os.waitpid(self.pid, 0)
            self._status = os.waitstatus_to_exitcode(status)
        return self._status


def _leave_parent(descriptor: int) -> None:
    """Give up the parent's terminal, stdin, handlers of SIGINT and SIGTERM, and open files with their locks.

    Stdout, stderr and `descriptor` are kept.
    """
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for entry in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if entry > 2 and entry != descriptor:
            with contextlib.suppress(OSError):  # the list was read through a descriptor that is closed now
                os.close(entry)
