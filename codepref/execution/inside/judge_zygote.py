"""The judge zygote of one task: compiles the tests once, holds the expected outputs, forks a judge a solution."""

from __future__ import annotations

import _socket
import gc
import os
import re

from . import frames, packages, status, zygote
from .children import CHANNEL, Hardening
from .codec import Malformed, encoded
from .decoder import Decoder
from .harmless import shareable
from .judge import INPUTS_SLACK, Judge, Prepared
from .plan import Plan
from .statics import parsed

JUDGE_EXTRA = 1 << 30
"""Bytes that a judge may use beyond the solution's memory limit: inputs and expected outputs are inherited."""

MOST_HEARD = 64
"""Solutions that one judge hears at most, when many of them share a process."""

DONE, REUSABLE = b"done", b"ready for more than one solution each"

_IDENTIFIER = re.compile(r"[^\W\d]\w*")


class JudgeZygote:
    """Trusted code that holds untrusted tests as code objects and runs none of them."""

    def __init__(self, plan: Plan, page: status.StatusPage, hardening: Hardening, cautious: bool) -> None:
        self.plan, self.page, self.hardening = plan, page, hardening
        self.prepared = [Prepared(kind, source) for kind, source in plan.tests]
        self._pipe: tuple[int, int] | None = None
        if imported := packages.imported("\n".join(source for _, source in plan.tests if type(source) is str)):
            packages.preload(sorted(imported))
            hardening.grown()
        for prepared in self.prepared:
            if not cautious:
                prepared.compile()
            elif prepared.inputs is None:
                # compiling killed an earlier zygote: each judge compiles for itself, test by test
                prepared.names = set(_IDENTIFIER.findall(prepared.source))

        self.stateless = self._stateless()

    def _stateless(self) -> bool:
        try:
            helpers = shareable(parsed(self.plan.helpers))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return helpers and all(prepared.stateless for prepared in self.prepared)

    def run_child(self, descriptors: list[int], payload: bytes) -> None:
        """In the fork: harden, then judge, judge in one process, or produce expected outputs."""
        self.hardening.name("judge")
        mode, pid, source, wanted = Decoder(payload).value()
        limits = self.plan.limits
        memory = int(limits["memory_bytes"]) + JUDGE_EXTRA
        rest = len(self.prepared) * (limits["most_cpu_seconds"] + 2) + limits["load_cpu_seconds"]
        if mode == "shared":
            self.hardening.apply([], os.getppid(), int(limits["memory_bytes"]), rest)
            Judge(self.plan, self.prepared, self.page).run_shared(source, wanted)
        elif mode == "produce":
            assert self._pipe is not None
            cpu = 2 * limits["reference_cpu_seconds"] + INPUTS_SLACK
            self.hardening.apply([*descriptors, self._pipe[1]], os.getppid(), 4 * memory, cpu)
            Judge(self.plan, self.prepared, self.page).produce(pid, wanted[0], CHANNEL + 1)
        else:
            longest = max([prepared.inputs.seconds for prepared in self.prepared if prepared.inputs], default=0.0)
            # a judge hears more solutions than it has descriptors where they share a process
            heard = 1 if len(descriptors) == 2 else MOST_HEARD
            rest = heard * (rest + len(self.prepared) * 10 * longest)
            self.hardening.apply(descriptors, os.getppid(), memory, rest)
            self._sit()
        os._exit(0)

    def _sit(self) -> None:
        """Judge one solution after the other, each at a descriptor of its own, until the supervisor has no more."""
        while True:
            try:
                channel, *told = Decoder(frames.receive(CHANNEL)).value()
            except frames.Closed:
                return
            fit = Judge(self.plan, self.prepared, self.page).run(channel, *told)
            if not fit:
                return
            os.write(CHANNEL, DONE)

    def other(self, kind: bytes, payload: bytes) -> bytes:
        """Requests beside fork and reap: "O" opens the pipe of a producer, "C" collects what it sent, "K" takes in
        what was kept of another run, "I" lists the tests that need a reference, "P" loads packages.
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
            return self._know(*Decoder(payload).value())
        wanted = [at for at, prepared in enumerate(self.prepared) if prepared.inputs and not prepared.error]
        references = [(at, prepared.inputs.reference) for at in wanted if (prepared := self.prepared[at]).inputs]
        return encoded(references)

    def _collect(self, index: int, keep: bool) -> bytes:
        """The seconds that a reference took, and what it gave where that is to be kept."""
        assert self._pipe is not None
        reading, writing = self._pipe
        os.close(writing)
        inputs, told = self.prepared[index].inputs, b""
        assert inputs is not None
        try:
            told = frames.receive(reading)
            inputs.take(told)
        except (frames.Closed, frames.TooLarge, Malformed):
            told, cause = b"", self.page.detail() or "it ended"
            inputs.failure = f"the reference solution gave no expected outputs ({cause})"
        os.close(reading)
        return encoded((inputs.seconds, told if keep else b""))

    def _know(self, index: int, told: bytes) -> bytes:
        """The same from what was kept; negative seconds when it cannot be read."""
        inputs = self.prepared[index].inputs
        assert inputs is not None
        try:
            inputs.take(told)
        except Malformed:
            return encoded((-1.0, b""))
        return encoded((inputs.seconds, b""))


def serve(control: _socket.socket, data: bytes, page: status.StatusPage, hardening: Hardening, cautious: bool) -> None:
    """The life of a judge zygote: prepare, say so, answer requests."""
    hardening.name("judges")
    plan = Plan.decode(data)
    with hardening.memory(int(plan.limits["memory_bytes"]) + JUDGE_EXTRA):
        judges = JudgeZygote(plan, page, hardening, cautious)
    gc.collect()
    gc.freeze()
    frames.send(control.fileno(), REUSABLE if judges.stateless else b"ready")
    zygote.serve(control, judges.run_child, judges.other)
