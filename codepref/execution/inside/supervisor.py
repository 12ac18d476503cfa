"""The supervisor of one worker: takes tasks from the engine, forks judge and judged, watches them, tells codes.

It handles tests and solutions as bytes and texts alone and runs or compiles neither.
"""

from __future__ import annotations

import _socket
import gc
import os
import select
import signal
import sys
import time

from . import frames, judge_zygote, packages, solution, status, zygote
from .children import Hardening
from .codec import Encoder, encoded
from .decoder import Decoder
from .pairs import Pair
from .plan import Plan
from .rounds import Run
from .sitting import Answerer, Sitting

HEARTBEAT_SECONDS = 2.0
PREPARE_SECONDS = 60.0
SOLUTIONS_A_JUDGE = 24
"""Solutions that one judge hears at most, where no test can carry state from one to the next: forking and ending a
judge costs as much as forking and ending a solution.
"""
_COMMON = """
    abc bisect cmath collections.abc copy enum functools heapq itertools json math numbers operator random re
    statistics string textwrap typing unicodedata
"""
COMMON_MODULES = _COMMON.split()
"""Loaded before the first fork: what solutions import most; each would cost its child milliseconds."""


class EngineGone(Exception):
    """The engine closed its end: everything ends."""


class Supervisor:
    """One worker. `engine` is the socket to the engine's process."""

    def __init__(self, engine: int) -> None:
        self.engine = engine
        self.hardening = Hardening()
        self.solutions = self._spawn(self._serve_solutions)
        self.packaged: zygote.Zygote | None = None
        self.judges: zygote.Zygote | None = None
        self.plan: Plan | None = None
        self.page = status.StatusPage(0)
        self.reference_seconds = 0.0
        self.reusable = False
        self.sitting: Sitting | None = None
        self._data = b""
        self._shared: set[int] = set()
        self._loaded: set[str] = set()
        self._loaded_by_judges: set[str] = set()
        self._no_packages = False

    def _serve_solutions(self, control: _socket.socket) -> None:
        self.hardening.name("solutions")
        zygote.serve(control, self._run_solution)

    def _serve_packaged(self, control: _socket.socket) -> None:
        self.hardening.name("packaged")

        def load(kind: bytes, payload: bytes) -> bytes:
            packages.preload(Decoder(payload).value())
            self.hardening.grown()
            gc.collect()
            gc.freeze()
            return b""

        zygote.serve(control, self._run_solution, load)

    def origin(self, source: str) -> zygote.Zygote:
        """What forks a process for this solution alone: a zygote with the packages that it imports, where it does.

        The zygote of packages is one for all tasks; one that dies of an import is not asked again.
        """
        wanted = packages.imported(source)
        if not wanted or self._no_packages:
            return self.solutions
        try:
            if self.packaged is None:
                self.packaged = self._spawn(self._serve_packaged)
            self._load(self.packaged, wanted, self._loaded)
        except zygote.ZygoteLost:
            self._no_packages = True
            if self.packaged is not None:
                self._end(self.packaged)
            return self.solutions
        if self._shared:  # what shares a process with its test is run by the judge
            assert self.judges is not None
            self._load(self.judges, wanted, self._loaded_by_judges)
        return self.packaged

    def load_arrays(self) -> bool:
        """Have the judges of this task load numpy; False when they have."""
        if "numpy" in self._loaded_by_judges:
            return False
        assert self.judges is not None
        self._load(self.judges, frozenset({"numpy"}), self._loaded_by_judges)
        return True

    def _load(self, target: zygote.Zygote, wanted: frozenset[str], loaded: set[str]) -> None:
        missing = wanted - loaded
        if missing:
            target.ask(b"P", encoded(sorted(missing)))
            if not self.wait_for(target, PREPARE_SECONDS):
                raise zygote.ZygoteLost("an import does not end")
            target.answer()
            loaded |= missing
            if target is self.judges:
                self._end_sitting()  # the judge that sits has not loaded it

    def _end(self, ended: zygote.Zygote) -> None:
        os.kill(ended.pid, signal.SIGKILL)
        os.waitpid(ended.pid, 0)
        ended.close()

    def _run_solution(self, descriptors: list[int], payload: bytes) -> None:
        self.hardening.name("solution")
        memory, cpu = Decoder(payload).value()
        self.hardening.apply(descriptors, os.getppid(), memory, cpu)
        solution.run()

    def _spawn(self, serve: object) -> zygote.Zygote:
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            try:
                kept = os.dup(theirs.fileno())
                os.dup2(kept, 3)
                os.closerange(4, 1 << 16)
                self.hardening.die_with_parent(parent)
                serve(_socket.socket(fileno=3))  # type: ignore[operator]
            finally:
                os._exit(70)
        theirs.close()
        return zygote.Zygote(ours, pid)

    def task(self, data: bytes, known: dict[int, bytes], keep: bool) -> None:
        """Make ready for the solutions of a task; the same task again keeps what was prepared.

        known: by test, expected outputs kept from another run. keep: tell the engine those that are new.
        """
        if data == self._data:
            return
        self._end_judges()
        self.page.close()
        self.plan, self._data, self._shared = Plan.decode(data), data, set()
        self._shared = {at for at, (kind, _) in enumerate(self.plan.tests) if kind == "unittest"}
        self.reference_seconds = 0.0
        self.page = status.StatusPage(len(self.plan.tests))
        for cautious in (False, True):
            page = self.page
            self.judges = self._spawn(
                lambda control, page=page, cautious=cautious: judge_zygote.serve(
                    control, data, page, self.hardening, cautious
                )
            )
            try:
                if self.wait_for(self.judges, PREPARE_SECONDS):
                    self.reusable = self.judges.answer() == judge_zygote.REUSABLE
                    break
            except zygote.ZygoteLost:
                pass
            self._end_judges()
        else:
            raise zygote.ZygoteLost("the tests cannot be prepared")
        self._references(known, keep)

    def _end_judges(self) -> None:
        self._end_sitting()
        if self.judges is not None:
            self._end(self.judges)
            self.judges, self._data = None, b""
            self._loaded_by_judges = set()

    def wait_for(self, answerer: Answerer, timeout: float) -> bool:
        """Wait for an answer, telling the engine now and then that we live. Raises EngineGone."""
        end = time.monotonic() + timeout
        poll = select.poll()
        poll.register(answerer.fileno(), select.POLLIN)
        poll.register(self.engine, 0)
        while True:
            left = end - time.monotonic()
            for descriptor, _ in poll.poll(max(0.0, 1000 * min(left, HEARTBEAT_SECONDS))):
                if descriptor == self.engine:
                    raise EngineGone
                return True
            if left <= 0:
                return False
            frames.send(self.engine, encoded(("alive",)))

    def _references(self, known: dict[int, bytes], keep: bool) -> None:
        """Have each test of kind "inputs" its expected outputs: those known, or from its reference solution."""
        assert self.judges is not None
        self.judges.ask(b"I")
        for index, source in Decoder(self.judges.answer()).value():
            seconds, told = -1.0, b""
            if index in known:
                self.judges.ask(b"K", encoded((index, known.pop(index))))
                seconds, told = Decoder(self.judges.answer()).value()
            if seconds < 0:
                seconds, told = self._produced(index, source, keep)
            if told:
                frames.send(self.engine, encoded(("expected", index, told)))
            self.reference_seconds = max(self.reference_seconds, seconds)

    def _produced(self, index: int, source: str, keep: bool) -> tuple[float, bytes]:
        """The seconds that a reference took, and what it gave where that is to be kept."""
        assert self.judges is not None
        assert self.plan is not None
        limit = 4 * self.plan.limits["reference_cpu_seconds"] + 10
        self.page.reset()
        self.judges.ask(b"O")
        self.judges.answer()
        pair = Pair(self, "produce", source, [index], limit)
        self.judges.ask(b"C", encoded((index, keep)))
        pair.watch(limit, limit + 10)
        answer = self.judges.answer()
        _, reference = pair.end()
        _, told = Decoder(answer).value()
        return reference.cpu, told

    @property
    def backstop(self) -> float:
        """Seconds of CPU after which the kernel ends a solution's process, whatever else fails."""
        assert self.plan is not None
        limits, count = self.plan.limits, len(self.plan.tests)
        # a test of kind "inputs" may take several times what its reference took, beyond the plain limits
        slowest = 10 * self.reference_seconds
        return float(limits["load_cpu_seconds"] + (limits["most_cpu_seconds"] + slowest + 60) * count + 60)

    def seat(self) -> Sitting:
        """The judge that hears the next solution."""
        if self.sitting is None or not self.sitting.open:
            self._end_sitting()
            self.sitting = Sitting(self, SOLUTIONS_A_JUDGE if self.reusable else 1)
        return self.sitting

    def _end_sitting(self) -> None:
        if self.sitting is not None:
            self.sitting.close()
            self.sitting = None

    def judge(self, source: str) -> tuple[str, bool, float, str, bytes]:
        """All tests against one solution: codes, whether a test shared a process, CPU ms, the first failure, and the
        digests of what the solution answered.
        """
        page, plan = self.page, self.plan
        assert plan is not None
        page.reset()
        run = Run(self, source)
        for index in self._shared:
            page.set(index, status.CALL_BY_REFERENCE)
        while (start := page.codes().find(status.UNDECIDED)) >= 0:
            run.separate(start)
        self._shared |= {at for at, code in enumerate(page.codes()) if code == status.CALL_BY_REFERENCE}
        answer_digests = page.answer_digests()
        shared = run.shared() if self._shared else False
        return page.codes().decode("ascii"), shared, round(1000 * run.cpu, 3), page.detail(), answer_digests


def warm_up() -> None:
    """Use once what every child uses first. The first `compile` of a process builds the types of syntax trees, which
    takes a millisecond; done here, no child does it again.
    """
    source = "from typing import List\nclass A:\n    def f(self, x: List[int]) -> int:\n        return [y for y in x]\n"
    exec(compile(source, "<warm up>", "exec", dont_inherit=True), {"__name__": "warm up"})
    value = [1, -1.5, "text", None, True, (1,), {"a": {1}}, 1 << 70]
    Decoder(Encoder(lambda _: None, exact=False).encode(value)).value()


def main(arguments: list[str]) -> None:
    """Arguments: engine descriptor, folders of packages (os.pathsep)."""
    engine, folders = arguments
    null = os.open("/dev/null", os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    os.close(null)
    sys.path += folders.split(os.pathsep)
    packages.preload(COMMON_MODULES)
    warm_up()
    gc.collect()
    gc.freeze()

    def tell(*parts: object) -> None:
        frames.send(int(engine), encoded(parts))

    try:
        supervisor = Supervisor(int(engine))
    except OSError as error:
        tell("unable", error.errno or 0, str(error))
        return
    supervisor.hardening.name("supervisor")
    try:
        tell("ready")
        while True:
            data, sources, known, keep = Decoder(frames.receive(supervisor.engine)).value()
            try:
                try:
                    supervisor.task(data, known, keep)
                except zygote.ZygoteLost as error:
                    tell("unprepared", str(error))
                    return
                for place, source in sources:
                    tell("verdict", place, *supervisor.judge(source))
            except (zygote.ZygoteLost, OSError) as error:
                tell("failed", f"{type(error).__name__}: {error}")
                return
    except (frames.Closed, EngineGone):
        return
