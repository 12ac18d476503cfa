"""The runner zygote of one task. It compiles the tests, holds expected outputs and forks the test runners."""

from __future__ import annotations

import _socket
import contextlib
import gc
import os

from ..confinement import packages
from ..confinement.allowlist import shareable
from ..confinement.folders import MAX_FILE_BYTES
from ..confinement.hardening import CHANNEL, Hardening
from ..kinds import KINDS
from ..kinds.base import PreparedTest
from ..kinds.inputs import INPUTS_SLACK
from ..kinds.libraries import resolved
from ..kinds.sharing import HelperAnalysis
from ..kinds.static_analysis import parsed
from ..kinds.test_text import Surroundings
from ..wire import frames, status_page
from ..wire.decoder import Decoder
from ..wire.encoder import encoded
from ..wire.plain_data import Malformed
from ..wire.plan import Plan
from . import ordinary, zygote
from .runner import TestRunner

RUNNER_EXTRA = 1 << 30
"""Bytes that a test runner may use beyond the solution's memory limit.

It needs them for inputs and expected outputs. A runner that shares its process with the solution gets none.
"""

MAX_SOLUTIONS = 64
"""The largest number of solutions that one test runner serves."""

DONE = b"done"
"""A test runner writes this when it has finished a solution and may serve another one."""


class RunnerZygote:
    """The state of a runner zygote. The zygote is trusted. It holds untrusted tests and runs none of them.

    cautious: do not compile the tests in this process, since the zygote before this one failed to prepare the task.
    Compiling a hostile test can kill a process.
    """

    def __init__(self, plan: Plan, page: status_page.StatusPage, hardening: Hardening, cautious: bool) -> None:
        self.plan, self.page, self.hardening = plan, page, hardening
        self.helpers, around = self._read_helpers()
        self.tests = [PreparedTest(KINDS[kind], source, around) for kind, source in plan.tests]
        self._pipe: tuple[int, int] | None = None
        if imported := packages.imported("\n".join(source for _, source in plan.tests if type(source) is str)):
            packages.preload(sorted(imported))
            hardening.grown()
        for test in self.tests:
            if cautious:
                test.names = test.kind.names_without_compiling(test)  # each runner compiles a test before it runs it
            else:
                test.compile()
        self._load_libraries()
        self.stateless = self._stateless()

    def _read_helpers(self) -> tuple[HelperAnalysis | None, Surroundings]:
        """Return what the text of the helpers decides, and what tests see of their problem.

        Return None in place of the first if the text is not Python.
        """
        plan = self.plan
        try:
            tree = parsed(plan.helpers)
            around = Surroundings(tree, plan.entry_point, plan.definitions)
            return HelperAnalysis(tree, plan.definitions), around
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None, Surroundings(None, plan.entry_point, plan.definitions)

    def _load_libraries(self) -> None:
        """Import the libraries that tests or helpers use without an import, so that no test runner must do it."""
        analyses = [self.helpers, *(test.analysis for test in self.tests)]
        paths = {path for one in analyses if one is not None for path in one.libraries.values()}
        tops = {path.split(".")[0] for path in paths} & set(packages.PACKAGES)
        if tops:
            packages.preload(sorted(tops))
            self.hardening.grown()
        for path in paths:
            with contextlib.suppress(ImportError, AttributeError):
                resolved(path)

    def shared(self) -> list[int]:
        """Return the indices of tests that must share a process with the solution, as their text shows."""
        return [at for at, test in enumerate(self.tests) if test.shared and not test.error]

    def _stateless(self) -> bool:
        try:
            helpers = shareable(parsed(self.plan.helpers))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        if self.helpers is None or self.helpers.after:
            return False
        return helpers and all(test.stateless for test in self.tests)

    def run_child(self, descriptors: list[int], payload: bytes) -> None:
        """Run in the forked child: harden this process, do one of three jobs, and exit.

        The payload names the job. "serve" runs the tests of one or more solutions. "shared" runs some tests together
        with a solution in this process. "produce" makes the expected outputs of one test.
        """
        self.hardening.name("runner")
        mode, pid, wanted = Decoder(payload).value()
        limits = self.plan.limits
        memory = int(limits["memory_bytes"]) + RUNNER_EXTRA
        cpu = len(self.tests) * (limits["max_cpu_seconds"] + 2) + limits["load_cpu_seconds"]
        if mode == "shared":
            # The solution comes through a descriptor and not in the payload, which the zygote would see. So the zygote
            # never holds a solution, and no later child can find one in its memory.
            source = frames.receive(descriptors[0]).decode("utf-8", "surrogatepass")
            self.hardening.apply([], os.getppid(), int(limits["memory_bytes"]), cpu, MAX_FILE_BYTES)
            ordinary.install()
            ordinary.enter_folder()
            TestRunner(self.plan, self.tests, self.page, self.helpers).run_shared(source, wanted)
        elif mode == "produce":
            assert self._pipe is not None
            cpu = 2 * limits["reference_cpu_seconds"] + INPUTS_SLACK
            self.hardening.apply([*descriptors, self._pipe[1]], os.getppid(), 4 * memory, cpu, 0)
            TestRunner(self.plan, self.tests, self.page, self.helpers).produce(pid, wanted[0], CHANNEL + 1)
        else:
            longest = max([test.inputs.seconds for test in self.tests if test.inputs], default=0.0)
            # Solutions can share a process, so a runner can serve more solutions than it has descriptors.
            solutions = 1 if len(descriptors) == 2 else MAX_SOLUTIONS
            cpu = solutions * (cpu + len(self.tests) * 10 * longest)
            self.hardening.apply(descriptors, os.getppid(), memory, cpu, 0)
            self._serve()
        os._exit(0)

    def _serve(self) -> None:
        """Serve solutions in turn, and run the tests of each one.

        Return when the supervisor closes the channel, or when this process may not serve another solution.
        """
        while True:
            try:
                channel, *parts = Decoder(frames.receive(CHANNEL)).value()
            except frames.Closed:
                return
            fit = TestRunner(self.plan, self.tests, self.page, self.helpers).run(channel, *parts)
            if not fit:
                return
            os.write(CHANNEL, DONE)

    def other(self, kind: bytes, payload: bytes) -> bytes:
        """Answer the requests besides fork and reap.

        "O" opens the pipe for expected outputs. "C" collects the outputs that came through the pipe. "K" takes over
        outputs that were kept from another run. "I" lists the tests that have a reference solution, without those that
        are known not to compile. "P" loads packages.
        """
        if kind == b"P":
            packages.preload(Decoder(payload).value())
            self.hardening.grown()
            return b""
        if kind == b"O":
            self._pipe = os.pipe()
            return b""
        if kind == b"C":
            return self._collect(*Decoder(payload).value())
        if kind == b"K":
            return self._take_over(*Decoder(payload).value())
        references = [
            (at, test.inputs.reference) for at, test in enumerate(self.tests) if test.inputs and not test.error
        ]
        return encoded(references)

    def _collect(self, index: int, keep: bool) -> bytes:
        """Read the expected outputs of test `index` from the pipe, and keep them for the test runners.

        Return an encoded pair: the CPU seconds of the reference solution, and its encoded outputs if `keep` is true
        (otherwise b"").
        Where no valid outputs came, the seconds are 0 and `InputsPlan.failure` says why.
        """
        assert self._pipe is not None
        reading, writing = self._pipe
        os.close(writing)
        inputs, data = self.tests[index].inputs, b""
        assert inputs is not None
        try:
            data = frames.receive(reading)
            inputs.load(data)
        except (frames.Closed, frames.TooLarge, Malformed):
            data, cause = b"", self.page.detail() or "it ended"
            inputs.failure = f"the reference solution gave no expected outputs ({cause})"
        os.close(reading)
        return encoded((inputs.seconds, data if keep else b""))

    def _take_over(self, index: int, data: bytes) -> bytes:
        """Keep the expected outputs `data` of an earlier run for the test runners.

        Return an encoded pair: the CPU seconds of the reference solution, and b"". The seconds are -1 if `data` is
        malformed.
        """
        inputs = self.tests[index].inputs
        assert inputs is not None
        try:
            inputs.load(data)
        except Malformed:
            return encoded((-1.0, b""))
        return encoded((inputs.seconds, b""))


def serve(control: _socket.socket, page: status_page.StatusPage, hardening: Hardening) -> None:
    """Run a runner zygote: receive a task, prepare it, report that it is ready, and answer requests.

    The report says whether each test runner may serve several solutions, and which tests must share a process with the
    solution.
    """
    hardening.name("runners")
    cautious, data = Decoder(frames.receive(control.fileno())).value()
    plan = Plan.decode(data)
    page.join(len(plan.tests))
    with hardening.memory(int(plan.limits["memory_bytes"]) + RUNNER_EXTRA):
        runners = RunnerZygote(plan, page, hardening, cautious)
    gc.collect()
    gc.freeze()
    frames.send(control.fileno(), encoded((runners.stateless, runners.shared())))
    zygote.serve(control, runners.run_child, runners.other)
