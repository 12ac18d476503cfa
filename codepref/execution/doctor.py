"""Reports what confinement this machine offers: facts, the results of five attacks, and how to mend what is missing."""

from __future__ import annotations

import ctypes
import os
import platform
import time
from collections.abc import Iterator

from codepref.errors import MachineError
from codepref.execution.engine import Engine, usable_cpus
from codepref.execution.limits import Limits
from codepref.execution.rlimits import check_rlimits
from codepref.execution.sandbox.confinement import seccomp
from codepref.execution.sandbox.confinement.launcher import ADDR_NO_RANDOMIZE
from codepref.execution.tasks import Task
from codepref.execution.worker import check_machine
from codepref.records import Problem, Solution, Test, Verdict

ATTACKS = {
    "reads your files": "import os\ndef f():\n    os.listdir({home!r})\n    return 'escaped'\n",
    "opens a network socket": "import socket\ndef f():\n    socket.socket()\n    return 'escaped'\n",
    "starts a process": "import os\ndef f():\n    os.fork()\n    return 'escaped'\n",
    "signals its parent": "import os\ndef f():\n    os.kill(os.getppid(), 0)\n    return 'escaped'\n",
    "returns an object equal to everything": (
        "class Equal:\n    def __eq__(self, other):\n        return True\ndef f():\n    return Equal()\n"
    ),
}
"""Programs by the name of their attack. A program passes the test if its attack succeeds."""

_TEST = Test("doctor", "0", "assert f() == 'escaped'")
_HONEST = "def f():\n    return 'escaped'\n"
"""A program that must pass. If no program could pass, the failure of the attacks would prove nothing."""

_MIN_ABI, _FORKS = 6, 200
_ASK_PERSONALITY = 0xFFFFFFFF


def examine() -> Iterator[str]:
    """Yield lines to print: kernel, speed, Landlock, filter, notes, and the results of five attacks.

    Raises MachineError at the first problem: untrusted programs cannot be confined, no process can be started, a limit
    of this process is too low, an honest program does not pass, or an attack was not clearly refused.
    """
    cores = usable_cpus()
    yield f"kernel {platform.release()} on {platform.machine()}, {cores} usable cores, user {os.geteuid()}"
    yield f"speed: {_forks_a_second():,.0f} processes started and ended a second by one core"
    check_machine()
    import sandlock

    abi = sandlock.landlock_abi_version()
    yield f"Landlock ABI {abi}, sandlock {getattr(sandlock, '__version__', 'of unknown version')}"
    if abi < _MIN_ABI:
        yield (
            "note: before Linux 6.12 (Landlock ABI 6) only the system-call filter keeps programs from sending "
            "signals to other processes and from using abstract sockets"
        )
    known = seccomp.supported()
    yield f"system-call filter: {'yes' if known else 'none for this architecture'}"
    if not known:
        raise MachineError("the system-call filter needs x86-64 or aarch64. Run on such a machine, or use --unconfined")
    if not _addresses_can_be_fixed():
        yield (
            "note: addresses stay random, since personality() is refused here, perhaps by a container. A verdict that "
            "depends on the order of a set of objects, or in Python 3.11 of a set with None in it, can change from "
            "run to run. Allow the call"
        )
    if not _sleep_can_be_measured():
        yield (
            "note: the kernel does not say how long a thread has waited for a core (/proc/PID/schedstat). So only the "
            "limit of wall-clock time (--wall-seconds) stops a program that sleeps. Mount /proc without hidepid, and "
            "use a kernel with CONFIG_SCHED_INFO"
        )
    limits = Limits(cpu_seconds=1)
    check_rlimits(limits, cores)
    yield from _attacks(limits)
    yield "untrusted programs are confined on this machine"


def _attacks(limits: Limits) -> Iterator[str]:
    home = os.path.expanduser("~")  # noqa: PTH111
    folder = home if os.path.isdir(home) else "/"  # noqa: PTH112
    programs = [program.format(home=folder) for program in ATTACKS.values()]
    solutions = [Solution("doctor", at, program) for at, program in enumerate([*programs, _HONEST])]
    with Engine(jobs=1) as engine:
        (matrix,) = engine.run([Task(Problem("doctor", "", "f"), solutions, (_TEST,))], limits=limits)
    *attacked, honest = matrix.verdicts
    if honest.codes != "P":
        raise MachineError(
            f"an honest program did not pass ({honest.codes}, {honest.detail or 'no cause is known'}). "
            "Perhaps processes, memory or open files are used up (ulimit -a), or a container's profile forbids what "
            "workers need"
        )
    for name, verdict in zip(ATTACKS, attacked, strict=True):
        yield f"attack: {name}: {_result(verdict)}"
    if escaped := [name for name, verdict in zip(ATTACKS, attacked, strict=True) if verdict.codes == "P"]:
        raise MachineError(
            f"the sandbox does not hold on this machine. These attacks succeeded: {'; '.join(escaped)}. "
            "Run untrusted programs elsewhere, and please report this with the lines above"
        )
    if unclear := [name for name, verdict in zip(ATTACKS, attacked, strict=True) if verdict.codes not in ("X", "F")]:
        raise MachineError(f"the results of these attacks are unclear: {'; '.join(unclear)}. Run the doctor again")


def _result(verdict: Verdict) -> str:
    if verdict.codes in ("X", "F"):
        return f"refused ({verdict.codes})"
    return f"NOT REFUSED ({verdict.codes})" if verdict.codes == "P" else f"{verdict.codes}, {verdict.detail}"


def _addresses_can_be_fixed() -> bool:
    personality = ctypes.CDLL(None).personality
    personality.argtypes = [ctypes.c_ulong]
    before = personality(_ASK_PERSONALITY)
    if before < 0 or personality(before | ADDR_NO_RANDOMIZE) < 0:
        return False
    personality(before)
    return True


def _sleep_can_be_measured() -> bool:
    try:
        with open("/proc/1/schedstat") as file:
            return int(file.read().split()[0]) > 0
    except (OSError, ValueError, IndexError):
        return False


def _forks_a_second() -> float:
    start = time.monotonic()
    for _ in range(_FORKS):
        try:
            pid = os.fork()
        except OSError as error:
            raise MachineError(
                f"no process can be started here ({error.strerror}). Raise the limit of processes (ulimit -u; a "
                "container's pids), or free memory"
            ) from None
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return _FORKS / (time.monotonic() - start)
