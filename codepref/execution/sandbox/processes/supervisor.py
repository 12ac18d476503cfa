"""The supervisor of one worker: takes tasks from the engine, watches the processes that run them, reports codes.

It handles tests and solutions as bytes and texts only. It neither runs nor compiles them.

No process that untrusted code is forked from has ever held a job. The supervisor therefore forks only twice, before the
first job: two nurseries, which fork zygotes on request. One is for zygotes of solutions, and has no part in the status
page. The other is for runner zygotes, and shares the page. A runner zygote gets its task through its own socket.
"""

from __future__ import annotations

import _socket
import gc
import os
import select
import signal
import time
from collections.abc import Callable, Mapping

from ..confinement import packages
from ..confinement.hardening import CHANNEL, Hardening
from ..kinds import KINDS
from ..wire import frames, status_page
from ..wire.decoder import Decoder
from ..wire.encoder import encoded
from ..wire.plan import Plan
from . import runner_zygote, solution, zygote
from .attempts import SolutionAttempts
from .process_pair import ProcessPair
from .runner_session import Answerer, RunnerSession

HEARTBEAT_SECONDS = 2.0
"""Seconds between two heartbeats that the engine gets while the supervisor waits."""

PREPARE_SECONDS = 60.0
"""Seconds in which a runner zygote must be ready, and in which an import must end."""

SOLUTIONS_A_RUNNER = 24
"""Processes of solutions that one runner serves at most, where no test can carry state from one solution to the next.
Forking and ending a runner costs as much as forking and ending a solution.
"""

SOLUTIONS, PACKAGED, RUNNERS = b"solutions", b"packaged", b"runners"
"""Roles of zygotes: for solutions, for solutions that import a package, and for the test runners of one task."""

Serve = Callable[[_socket.socket], None]
"""The life of a zygote, which gets its control socket."""


class EngineGone(Exception):
    """The engine closed its end, so everything ends."""


class Supervisor:
    """One worker. engine: the descriptor of the socket to the engine's process."""

    def __init__(self, engine: int) -> None:
        self.engine = engine
        self.hardening = Hardening()
        self.hardening.hide()
        self._solution_nursery = self._spawn({SOLUTIONS: self._serve_solutions, PACKAGED: self._serve_packaged})
        self.page = status_page.StatusPage()
        self.hardening.grown()
        self._runner_nursery = self._spawn({RUNNERS: self._serve_runners})
        self.solutions = self._zygote(self._solution_nursery, SOLUTIONS)
        self.packaged: zygote.Zygote | None = None
        self.runners: zygote.Zygote | None = None
        self.plan: Plan | None = None
        self.reference_seconds = 0.0
        self.reusable = False
        self._session: RunnerSession | None = None
        self._data = b""
        self._shared: set[int] = set()
        self._loaded: set[str] = set()
        self._loaded_by_runners: set[str] = set()
        self._no_packages = False

    def _serve_runners(self, control: _socket.socket) -> None:
        runner_zygote.serve(control, self.page, self.hardening)

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
        """The zygote that forks a process for this solution: the one with packages, where the solution imports any.

        There is one zygote with packages for all tasks. When it dies of an import, none is used from then on.
        """
        wanted = packages.imported(source)
        if not wanted or self._no_packages:
            return self.solutions
        try:
            if self.packaged is None:
                self.packaged = self._zygote(self._solution_nursery, PACKAGED)
            self._load(self.packaged, wanted, self._loaded)
        except zygote.ZygoteLost:
            self._no_packages = True
            if self.packaged is not None:
                self._end(self._solution_nursery, self.packaged)
            return self.solutions
        if self._shared:  # a solution that shares a process with its test runs in the runner
            assert self.runners is not None
            self._load(self.runners, wanted, self._loaded_by_runners)
        return self.packaged

    def load_arrays(self) -> bool:
        """Have the runners of this task load numpy. Returns False when they have."""
        if "numpy" in self._loaded_by_runners:
            return False
        assert self.runners is not None
        self._load(self.runners, frozenset({"numpy"}), self._loaded_by_runners)
        return True

    def _load(self, target: zygote.Zygote, wanted: frozenset[str], loaded: set[str]) -> None:
        missing = wanted - loaded
        if missing:
            target.ask(b"P", encoded(sorted(missing)))
            if not self.wait_for(target, PREPARE_SECONDS):
                raise zygote.ZygoteLost("an import does not end")
            target.answer()
            loaded |= missing
            if target is self.runners:
                self._end_session()  # its runner was forked before the packages were loaded

    def _end(self, nursery: zygote.Zygote, ended: zygote.Zygote) -> None:
        os.kill(ended.pid, signal.SIGKILL)
        nursery.ask_reap(ended.pid)
        nursery.reaped()
        ended.close()

    def _run_solution(self, descriptors: list[int], payload: bytes) -> None:
        self.hardening.name("solution")
        memory, cpu = Decoder(payload).value()
        self.hardening.apply(descriptors, os.getppid(), memory, cpu)
        solution.run()

    def _spawn(self, roles: Mapping[bytes, Serve]) -> zygote.Zygote:
        """Fork a nursery, whose children are zygotes of these roles."""
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            try:
                control = self._own_socket(theirs.fileno(), parent)
                self.hardening.name("nursery")
                zygote.serve(control, lambda descriptors, role: self._serve_role(roles[role], descriptors[0]))
            finally:
                os._exit(70)
        theirs.close()
        return zygote.Zygote(ours, pid)

    def _serve_role(self, serve: Serve, descriptor: int) -> None:
        serve(self._own_socket(descriptor, os.getppid()))

    def _own_socket(self, descriptor: int, parent: int) -> _socket.socket:
        """The socket of a new process, which keeps no other descriptor and dies with its parent."""
        os.dup2(os.dup(descriptor), CHANNEL)
        os.closerange(CHANNEL + 1, 1 << 16)
        self.hardening.die_with_parent(parent)
        return _socket.socket(fileno=CHANNEL)

    def _zygote(self, nursery: zygote.Zygote, role: bytes) -> zygote.Zygote:
        """Have a nursery fork a zygote. Raises ZygoteLost."""
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            return zygote.Zygote(ours, nursery.fork((theirs.fileno(),), role))
        finally:
            theirs.close()

    def task(self, data: bytes, known: dict[int, bytes], keep: bool) -> None:
        """Prepare a task. The same task again keeps what was prepared. Raises ZygoteLost.

        data: the encoded plan. known: expected outputs that were kept from another run, by test. keep: send the engine
        those that are new.
        """
        if data == self._data:
            return
        self._end_runners()
        self.plan, self._data, self._shared = Plan.decode(data), data, set()
        self._shared = {at for at, (kind, _) in enumerate(self.plan.tests) if KINDS[kind].always_shared}
        self.reference_seconds = 0.0
        if len(self.plan.tests) > status_page.MAX_TESTS:
            raise zygote.ZygoteLost(f"a task may have {status_page.MAX_TESTS:,} tests, not {len(self.plan.tests):,}")
        self.page.begin(len(self.plan.tests))
        for cautious in (False, True):
            self.runners = self._zygote(self._runner_nursery, RUNNERS)
            try:
                self.runners.send(encoded((cautious, data)))
                if self.wait_for(self.runners, PREPARE_SECONDS):
                    self.reusable = self.runners.answer() == runner_zygote.REUSABLE
                    break
            except zygote.ZygoteLost:
                pass
            self._end_runners()
        else:
            raise zygote.ZygoteLost("the tests cannot be prepared")
        self._references(known, keep)

    def _end_runners(self) -> None:
        self._end_session()
        if self.runners is not None:
            self._end(self._runner_nursery, self.runners)
            self.runners, self._data = None, b""
            self._loaded_by_runners = set()

    def wait_for(self, answerer: Answerer, timeout: float) -> bool:
        """Whether an answer comes within `timeout` seconds. Meanwhile the engine gets heartbeats. Raises EngineGone."""
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
        """Give each test that has a reference solution its expected outputs: known ones, or new ones."""
        assert self.runners is not None
        self.runners.ask(b"I")
        for index, source in Decoder(self.runners.answer()).value():
            seconds, outputs = -1.0, b""
            if index in known:
                self.runners.ask(b"K", encoded((index, known.pop(index))))
                seconds, outputs = Decoder(self.runners.answer()).value()
            if seconds < 0:
                seconds, outputs = self._produced(index, source, keep)
            if outputs:
                frames.send(self.engine, encoded(("expected", index, outputs)))
            self.reference_seconds = max(self.reference_seconds, seconds)

    def _produced(self, index: int, source: str, keep: bool) -> tuple[float, bytes]:
        """Run a reference. Returns its CPU seconds, and its encoded outputs where they are to be kept."""
        assert self.runners is not None
        assert self.plan is not None
        limit = 4 * self.plan.limits["reference_cpu_seconds"] + 10
        self.page.reset()
        self.runners.ask(b"O")
        self.runners.answer()
        pair = ProcessPair(self, "produce", source, [index], limit)
        self.runners.ask(b"C", encoded((index, keep)))
        pair.watch(limit, limit + 10)
        answer = self.runners.answer()
        _, reference = pair.end()
        _, outputs = Decoder(answer).value()
        return reference.cpu, outputs

    @property
    def backstop(self) -> float:
        """Seconds of CPU after which the kernel ends a solution's process, even if everything else fails."""
        assert self.plan is not None
        limits, count = self.plan.limits, len(self.plan.tests)
        # A test with a reference may take several times as long as its reference, beyond the plain limits.
        slowest = 10 * self.reference_seconds
        return float(limits["load_cpu_seconds"] + (limits["max_cpu_seconds"] + slowest + 60) * count + 60)

    def session(self) -> RunnerSession:
        """The session that runs the tests of the next solution."""
        if self._session is None or not self._session.open:
            self._end_session()
            self._session = RunnerSession(self, SOLUTIONS_A_RUNNER if self.reusable else 1)
        return self._session

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def verdict(self, source: str) -> tuple[str, bool, float, str, bytes]:
        """Run all tests against one solution.

        Returns the codes, whether a test shared a process with the solution, CPU milliseconds, the first failure in
        words, and the digests of the solution's answers.
        """
        page, plan = self.page, self.plan
        assert plan is not None
        page.reset()
        attempts = SolutionAttempts(self, source)
        for index in self._shared:
            page.set(index, status_page.CALL_BY_REFERENCE)
        while (start := page.codes().find(status_page.UNDECIDED)) >= 0:
            attempts.attempt(start)
        self._shared |= {at for at, code in enumerate(page.codes()) if code == status_page.CALL_BY_REFERENCE}
        answer_digests = page.answer_digests()
        shared = attempts.shared() if self._shared else False
        return page.codes().decode("ascii"), shared, round(1000 * attempts.cpu, 3), page.detail(), answer_digests
