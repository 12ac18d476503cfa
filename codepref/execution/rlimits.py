"""Whether the resource limits of this process (`ulimit`) leave room for the sandbox's own limits.

A process without privileges cannot raise a hard limit. Where one is too low, verdicts would follow from the shell's
limit and not from the problem's. So this is reported before the first solution runs.
"""

from __future__ import annotations

import resource

from codepref.errors import MachineError
from codepref.execution.limits import Limits

DESCRIPTORS_A_WORKER, DESCRIPTORS = 2, 128
"""Descriptors that the engine holds open for each worker, and those that a worker or the rest needs at least."""

MIN_CPU_SECONDS = 86_400
"""The lowest limit of CPU time that is accepted: a day."""

_RUNNER_SHARES = 4  # a test runner that makes expected outputs gets four times the memory of others
_GIB = 1 << 30


def check_rlimits(limits: Limits, jobs: int) -> None:
    """Raise MachineError, which says what to change, where a hard limit of this process is too low for `jobs` workers.

    Where the soft limit of open files is too low and the hard limit allows more, this raises the soft limit.
    """
    needed = DESCRIPTORS + DESCRIPTORS_A_WORKER * jobs
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not _allows(hard, needed):
        raise MachineError(
            f"a process may open {hard:,} files here, and {jobs} workers need {needed:,}: "
            f"raise the limit (ulimit -n {needed}; nofile in /etc/security/limits.conf), or ask for fewer --jobs"
        )
    if not _allows(soft, needed):
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    memory = _RUNNER_SHARES * (int(limits.resolved()["memory_bytes"]) + _GIB) + _GIB
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if not _allows(hard, memory):
        raise MachineError(
            f"this shell allows {hard >> 20:,} MiB of address space a process, and the sandbox, which sets limits of "
            f"its own, needs {memory >> 20:,}: start without that limit (ulimit -v unlimited), or with less --memory-mb"
        )
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if not _allows(hard, MIN_CPU_SECONDS):
        raise MachineError(
            f"this shell ends every process after {hard:,} s of CPU time, workers too, which would change verdicts: "
            "start without that limit (ulimit -t unlimited)"
        )


def _allows(limit: int, needed: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= needed
