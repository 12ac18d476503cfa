"""The runner zygote of one task: compiles the tests once, holds the expected outputs, forks the test runners."""

from __future__ import annotations

import _socket
import gc
import os

from ..confinement import packages
from ..confinement.allowlist import shareable
from ..confinement.hardening import CHANNEL, Hardening
from ..kinds import KINDS
from ..kinds.base import PreparedTest
from ..kinds.inputs import INPUTS_SLACK
from ..kinds.static_analysis import parsed
from ..wire import frames, status_page
from ..wire.decoder import Decoder
from ..wire.encoder import encoded
from ..wire.plain_data import Malformed
from ..wire.plan import Plan
from . import zygote
from .runner import TestRunner

RUNNER_EXTRA = 1 << 30
"""Bytes that a runner may use beyond the solution's memory limit. It inherits inputs and expected outputs."""

MAX_SOLUTIONS = 64
"""Solutions that one runner serves at most, when several of them share a process."""

DONE, REUSABLE = b"done", b"ready for more than one solution each"
"""DONE: a runner has finished a solution. REUSABLE: the zygote is ready, and a runner may serve several solutions."""


class RunnerZygote:
    """Trusted code that holds untrusted tests as code objects and runs none of them.

    cautious: do not compile the tests here, since compiling them killed an earlier zygote.
    """

    def __init__(self, plan: Plan, page: status_page.StatusPage, hardening: Hardening, cautious: bool) -> None:
        self.plan, self.page, self.hardening = plan, page, hardening
        self.tests = [PreparedTest(KINDS[kind], source) for kind, source in plan.tests]
        self._pipe: tuple[int, int] | None = None
        if imported := packages.imported("\n".join(source for _, source in plan.tests if type(source) is str)):
            packages.preload(sorted(imported))
            hardening.grown()
        for test in self.tests:
            if cautious:
                test.names = test.kind.names_without_compiling(test)  # each runner compiles for itself, test by test
            else:
                test.compile()

        self.stateless = self._stateless()

    def _stateless(self) -> bool:
        try:
            helpers = shareable(parsed(self.plan.helpers))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return helpers and all(test.stateless for test in self.tests)

    def run_child(self, descriptors: list[int], payload: bytes) -> None:
        """In the fork: harden this process, then do one of three jobs.

        "serve" runs the tests of one or more solutions, "shared" runs tests and solution in this process, "produce"
        makes expected outputs.
        """
        self.hardening.name("runner")
        mode, pid, wanted = Decoder(payload).value()
        limits = self.plan.limits
        memory = int(limits["memory_bytes"]) + RUNNER_EXTRA
        cpu = len(self.tests) * (limits["max_cpu_seconds"] + 2) + limits["load_cpu_seconds"]
        if mode == "shared":
            # The zygote never holds a solution, so that the next solution finds nothing of this one.
            source = frames.receive(descriptors[0]).decode("utf-8", "surrogatepass")
            self.hardening.apply([], os.getppid(), int(limits["memory_bytes"]), cpu)
            TestRunner(self.plan, self.tests, self.page).run_shared(source, wanted)
        elif mode == "produce":
            assert self._pipe is not None
            cpu = 2 * limits["reference_cpu_seconds"] + INPUTS_SLACK
            self.hardening.apply([*descriptors, self._pipe[1]], os.getppid(), 4 * memory, cpu)
            TestRunner(self.plan, self.tests, self.page).produce(pid, wanted[0], CHANNEL + 1)
        else:
            longest = max([test.inputs.seconds for test in self.tests if test.inputs], default=0.0)
            # Where solutions share a process, a runner serves more solutions than it has descriptors.
            solutions = 1 if len(descriptors) == 2 else MAX_SOLUTIONS
            cpu = solutions * (cpu + len(self.tests) * 10 * longest)
            self.hardening.apply(descriptors, os.getppid(), memory, cpu)
            self._serve()
        os._exit(0)

    def _serve(self) -> None:
        """Run the tests of one solution after the other until the supervisor has no more."""
        while True:
            try:
                channel, *parts = Decoder(frames.receive(CHANNEL)).value()
            except frames.Closed:
                return
            fit = TestRunner(self.plan, self.tests, self.page).run(channel, *parts)
            if not fit:
                return
            os.write(CHANNEL, DONE)

    def other(self, kind: bytes, payload: bytes) -> bytes:
        """Answer the requests besides fork and reap.

        "O" opens the pipe for expected outputs, "C" collects what came through it, "K" takes over outputs that were
        kept from another run, "I" lists the tests that need a reference, "P" loads packages.
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
        """The seconds that a reference took, and its encoded outputs where they are to be kept."""
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
        """As `_collect`, for outputs from an earlier run. The seconds are negative when they cannot be read."""
        inputs = self.tests[index].inputs
        assert inputs is not None
        try:
            inputs.load(data)
        except Malformed:
            return encoded((-1.0, b""))
        return encoded((inputs.seconds, b""))


def serve(control: _socket.socket, page: status_page.StatusPage, hardening: Hardening) -> None:
    """The life of a runner zygote: receive a task, prepare it, report that it is ready, answer requests."""
    hardening.name("runners")
    cautious, data = Decoder(frames.receive(control.fileno())).value()
    plan = Plan.decode(data)
    page.join(len(plan.tests))
    with hardening.memory(int(plan.limits["memory_bytes"]) + RUNNER_EXTRA):
        runners = RunnerZygote(plan, page, hardening, cautious)
    gc.collect()
    gc.freeze()
    frames.send(control.fileno(), REUSABLE if runners.stateless else b"ready")
    zygote.serve(control, runners.run_child, runners.other)
