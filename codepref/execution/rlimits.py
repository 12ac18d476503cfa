"""Checks that the resource limits of this process (`ulimit`) leave room for the sandbox's own limits.

A process without privileges cannot raise a hard limit. If a hard limit is too low, verdicts can depend on the shell and
not only on the problem's limits. A hard limit that is too low is therefore reported before the first solution runs.
"""

from __future__ import annotations

import resource

from codepref.errors import MachineError
from codepref.execution.limits import Limits

DESCRIPTORS_A_WORKER, DESCRIPTORS = 3, 128
"""The open descriptors that the engine needs for each worker, and the number that must be free for everything else."""

MIN_CPU_SECONDS = 86_400
"""The lowest hard limit of CPU time that is accepted. It is one day."""

_RUNNER_SHARES = 4  # the sandbox allows a test runner up to four times this memory
_GIB = 1 << 30


def check_rlimits(limits: Limits, jobs: int) -> None:
    """Raise MachineError if a hard limit of this process is too low.

    The hard limit of open files must suffice for `jobs` workers, that of address space for `limits.memory_mb`, and that
    of CPU time must be at least MIN_CPU_SECONDS.

    If the soft limit of open files is too low and the hard limit allows more, this raises the soft limit.
    """
    needed = DESCRIPTORS + DESCRIPTORS_A_WORKER * jobs
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not _allows(hard, needed):
        raise MachineError(
            f"a process may open {hard:,} files here, and {jobs} workers need {needed:,}. "
            f"Raise the limit (ulimit -n {needed}; nofile in /etc/security/limits.conf), or use fewer --jobs"
        )
    if not _allows(soft, needed):
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    memory = _RUNNER_SHARES * (int(limits.resolved()["memory_bytes"]) + _GIB) + _GIB
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if not _allows(hard, memory):
        raise MachineError(
            f"this shell allows {hard >> 20:,} MiB of address space a process, and the sandbox needs "
            f"{memory >> 20:,} MiB. Remove this limit (ulimit -v unlimited; the sandbox sets its own limits), or use a "
            "smaller --memory-mb"
        )
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if not _allows(hard, MIN_CPU_SECONDS):
        raise MachineError(
            f"this shell ends every process after {hard:,} s of CPU time. This would also end workers and so change "
            "verdicts. Remove this limit (ulimit -t unlimited)"
        )


def _allows(limit: int, needed: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= needed
