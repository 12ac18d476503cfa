"""What confinement this machine offers: facts, and five attacks run live."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator

from codepref.errors import MachineError
from codepref.execution.engine import Engine, usable_cpus
from codepref.execution.inside import seccomp
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.execution.worker import check_machine
from codepref.records import Problem, Solution, Test

ATTACKS = {
    "reads your files": "import os\ndef f():\n    os.listdir({home!r})\n    return 'escaped'\n",
    "opens a network socket": "import socket\ndef f():\n    socket.socket()\n    return 'escaped'\n",
    "starts a process": "import os\ndef f():\n    os.fork()\n    return 'escaped'\n",
    "signals its parent": "import os\ndef f():\n    os.kill(os.getppid(), 0)\n    return 'escaped'\n",
    "returns an object equal to everything": (
        "class Equal:\n    def __eq__(self, other):\n        return True\ndef f():\n    return Equal()\n"
    ),
}
"""Each passes the test exactly when it worked."""

_TEST = Test("doctor", "0", "assert f() == 'escaped'")
_HONEST = "def f():\n    return 'escaped'\n"
"""Must pass: a doctor that sees nothing pass has tested nothing."""


def examine() -> Iterator[str]:
    """Yield lines to print: kernel, Landlock, filter, and what five attacks came to.

    Raises MachineError, after the lines so far, where untrusted programs cannot be confined or an attack succeeded.
    """
    yield f"kernel {platform.release()} on {platform.machine()}, {usable_cpus()} usable cores, user {os.geteuid()}"
    check_machine()
    import sandlock

    abi = sandlock.landlock_abi_version()
    scoped = "with" if abi >= 6 else "without"
    yield f"Landlock ABI {abi}, {scoped} scoping of signals and abstract sockets by the kernel"
    known = seccomp.supported()
    yield f"system-call filter: {'yes' if known else 'none for this architecture'}"
    if not known:
        raise MachineError("the system-call filter knows x86-64 and aarch64 only; run there, or use --unconfined")
    programs = [program.format(home=os.path.expanduser("~")) for program in ATTACKS.values()]  # noqa: PTH111
    solutions = [Solution("doctor", at, program) for at, program in enumerate([*programs, _HONEST])]
    with Engine(jobs=1) as engine:
        (matrix,) = engine.run([Task(Problem("doctor", "", "f"), solutions, (_TEST,))], limits=Limits(cpu_seconds=1))
    *attacked, honest = matrix.verdicts
    escaped = []
    for name, verdict in zip(ATTACKS, attacked, strict=True):
        held = verdict.letters in ("X", "F")
        escaped += [] if held else [name]
        yield f"attack: {name}: {'refused' if held else 'NOT REFUSED'} ({verdict.letters})"
    if honest.letters != "P":
        raise MachineError(f"an honest program did not pass: {honest.letters} {honest.detail}")
    if escaped:
        raise MachineError(f"the sandbox does not hold on this machine: a program {'; '.join(escaped)}")
    yield "untrusted programs are confined on this machine"
