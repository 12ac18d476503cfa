"""The supervisor of one worker. It takes tasks from the engine, watches the processes that run them, and reports codes.

The supervisor handles tests and solutions as bytes and texts only. It neither runs nor compiles them.

A forked child sees the memory of its parent, and the supervisor holds tests and solutions. The supervisor's process
therefore forks only twice, before the first task. The two children are nurseries, which fork zygotes on request. One
nursery forks the zygotes of solutions and has no status page. `main` forks it before it imports this module. The
supervisor forks the other nursery, which forks runner zygotes and shares the status page. A runner zygote gets its task
through its own socket. When answers hold data of numpy or pandas, the second nursery can fork further ones, which
have loaded these libraries.
"""

from __future__ import annotations

import _socket
import gc
import os
import select
import signal
import time

from ..confinement import packages
from ..confinement.folders import RUNNERS as FOR_RUNNERS
from ..confinement.folders import Folders
from ..confinement.hardening import Hardening
from ..kinds import KINDS
from ..wire import frames, status_page
from ..wire.decoder import Decoder
from ..wire.encoder import encoded
from ..wire.plan import Plan
from . import nursery, runner_zygote, zygote
from .attempts import SolutionAttempts
from .process_pair import ProcessPair
from .runner_session import RunnerSession
from .watch import Answerer

HEARTBEAT_SECONDS = 2.0
"""The least number of seconds between two heartbeats that the supervisor sends to the engine while it waits."""

PREPARE_SECONDS = 60.0
"""The wall-clock seconds in which a runner zygote must be ready, and in which an import of packages must end."""

SOLUTIONS_A_RUNNER = 24
"""The largest number of solution processes that one test runner serves.

A runner serves several only where no test can carry state from one solution to the next. It then
saves time, because forking and ending a runner costs about as much as forking and ending a solution.
"""

RUNNERS, ARRAYS, TABLES = b"runners", b"arrays", b"tables"
"""Roles. RUNNERS: zygotes that fork the test runners of one task.

ARRAYS: the nursery that has loaded numpy. TABLES: the nursery that has loaded numpy and pandas.
"""


class EngineGone(Exception):
    """The engine has closed its end of the connection, so the worker must end."""


class Supervisor:
    """The supervisor of one worker.

    engine: the descriptor of the socket that leads to the engine's process.
    folders: hands out the scratch folders.
    solutions: the nursery of solutions.
    """

    def __init__(self, engine: int, hardening: Hardening, folders: Folders, solutions: zygote.Zygote) -> None:
        self.engine = engine
        self.hardening, self.folders = hardening, folders
        self._last_heartbeat = time.monotonic()
        self._solution_nursery = solutions
        self.page = status_page.StatusPage()
        self.hardening.grown()
        roles = {
            RUNNERS: self._serve_runners,
            ARRAYS: lambda control: self._serve_loaded(control, ["numpy"]),
            TABLES: lambda control: self._serve_loaded(control, ["numpy", "pandas"]),
        }
        self._runner_nursery = nursery.spawn(hardening, folders, FOR_RUNNERS, roles)
        self._loaded_nurseries: dict[bytes, zygote.Zygote] = {}
        self.solutions = nursery.zygote_of(self._solution_nursery, nursery.PLAIN)
        self.packaged: zygote.Zygote | None = None
        self.runners: zygote.Zygote | None = None
        self._runners_parent = self._runner_nursery
        self.plan: Plan | None = None
        self.reference_seconds, self._has_references = 0.0, False
        self.reusable = False
        self._session: RunnerSession | None = None
        self._data = b""
        self._shared: set[int] = set()
        self._loaded: set[str] = set()
        self._loaded_by_runners: set[str] = set()
        self._no_packages = self._reports_output = False

    def _serve_runners(self, control: _socket.socket) -> None:
        runner_zygote.serve(control, self.page, self.hardening)

    def _serve_loaded(self, control: _socket.socket, libraries: list[str]) -> None:
        self.hardening.name("nursery")
        packages.preload(libraries)
        self.hardening.grown()
        gc.collect()
        gc.freeze()
        frames.send(control.fileno(), b"")
        nursery.serve_roles(self.hardening, control, {RUNNERS: self._serve_runners})

    def origin(self, source: str) -> zygote.Zygote:
        """Return the zygote that forks the process of a solution.

        A solution that seems to import one of the known packages comes from the zygote with packages, which serves all
        tasks. Every other solution comes from the plain zygote. If the zygote with packages dies or hangs during an
        import, this solution and all later ones come from the plain zygote. Raises ZygoteLost if another zygote is
        lost.
        """
        wanted = packages.imported(source)
        if not wanted or self._no_packages:
            return self.solutions
        try:
            if self.packaged is None:
                self.packaged = nursery.zygote_of(self._solution_nursery, nursery.PACKAGED)
            self._load(self.packaged, wanted, self._loaded)
        except zygote.ZygoteLost:
            self._no_packages = True
            if self.packaged is not None:
                self._end(self._solution_nursery, self.packaged)
            return self.solutions
        if self._shared:  # such a solution also runs in a test runner, which needs the packages too
            assert self.runners is not None
            self._load(self.runners, wanted, self._loaded_by_runners)
        return self.packaged

    def load_libraries(self, names: tuple[str, ...]) -> bool:
        """Give this task test runners that have loaded numpy, or numpy and pandas. Return False if they have already.

        An import of numpy takes far longer than the preparation of a task. So a new zygote, which has the libraries
        already, prepares the task again. A task with reference solutions keeps its zygote, which imports them, since a
        new zygote would have to compute the expected outputs again. Raises ZygoteLost.
        """
        wanted = set(names)
        if wanted <= self._loaded_by_runners:
            return False
        if self._has_references:
            assert self.runners is not None
            self._load(self.runners, frozenset(wanted), self._loaded_by_runners)
            return True
        role = TABLES if "pandas" in wanted else ARRAYS
        if role not in self._loaded_nurseries:
            self._loaded_nurseries[role] = nursery.zygote_of(self._runner_nursery, role)
            self._await_import(self._loaded_nurseries[role])
        data = self._data
        self._end_runners()
        self._prepare(data, self._loaded_nurseries[role])
        self._loaded_by_runners = wanted
        return True

    def _load(self, target: zygote.Zygote, wanted: frozenset[str], loaded: set[str]) -> None:
        missing = wanted - loaded
        if missing:
            target.ask(b"P", encoded(sorted(missing)))
            self._await_import(target)
            loaded |= missing
            if target is self.runners:
                self._end_session()  # the session's runner was forked before the packages were loaded

    def _await_import(self, target: zygote.Zygote) -> None:
        if not self.wait_for(target, PREPARE_SECONDS):
            raise zygote.ZygoteLost(f"an import of packages took longer than {PREPARE_SECONDS:.0f} s")
        target.answer()

    def _end(self, parent: zygote.Zygote, ended: zygote.Zygote) -> None:
        os.kill(ended.pid, signal.SIGKILL)
        parent.ask_reap(ended.pid)
        parent.reaped()
        ended.close()

    def task(self, data: bytes, known: dict[int, bytes], keep: bool) -> None:
        """Prepare a task. If it is the task that was prepared last, keep what was prepared.

        data: the encoded plan of the task.
        known: expected outputs that were kept from another run, by the index of the test.
        keep: send new expected outputs to the engine.
        Raises ZygoteLost if the task cannot be prepared, and EngineGone if the engine closes the connection.
        """
        if data == self._data:
            return
        self._end_runners()
        self.plan = Plan.decode(data)
        self._shared = {at for at, (kind, _) in enumerate(self.plan.tests) if KINDS[kind].always_shared}
        self._reports_output = all(KINDS[kind].reports_output for kind, _ in self.plan.tests)
        self.reference_seconds = 0.0
        if len(self.plan.tests) > status_page.MAX_TESTS:
            raise zygote.ZygoteLost(
                f"the task has {len(self.plan.tests):,} tests, and a task can have at most {status_page.MAX_TESTS:,}"
            )
        self.page.begin(len(self.plan.tests))
        self._prepare(data, self._runner_nursery)
        self._references(known, keep)

    def _prepare(self, data: bytes, parent: zygote.Zygote) -> None:
        """Have `parent`, a nursery, fork a runner zygote that prepares the task `data`. Raises ZygoteLost."""
        self._runners_parent = parent
        for cautious in (False, True):
            self.runners = nursery.zygote_of(parent, RUNNERS)
            try:
                self.runners.send(encoded((cautious, data)))
                if self.wait_for(self.runners, PREPARE_SECONDS):
                    self.reusable, shared = Decoder(self.runners.answer()).value()
                    self._shared |= set(shared)
                    self._data = data
                    return
            except zygote.ZygoteLost:
                pass
            self._end_runners()
        raise zygote.ZygoteLost("the tests could not be prepared, even without compiling them beforehand")

    def _end_runners(self) -> None:
        self._end_session()
        if self.runners is not None:
            self._end(self._runners_parent, self.runners)
            self.runners, self._data = None, b""
            self._loaded_by_runners = set()

    def wait_for(self, answerer: Answerer, timeout: float) -> bool:
        """Return whether an answer arrives within `timeout` seconds. Meanwhile send heartbeats to the engine.

        Raises EngineGone if the engine closes the connection.
        """
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
            if time.monotonic() - self._last_heartbeat >= HEARTBEAT_SECONDS:
                frames.send(self.engine, encoded(("alive",)))
                self._last_heartbeat = time.monotonic()

    def _references(self, known: dict[int, bytes], keep: bool) -> None:
        """Give the runner zygote the expected outputs of each test that has a reference solution.

        Outputs in `known` are used unless they are malformed. Other outputs are computed, and sent to the engine if
        `keep` is true.
        """
        assert self.runners is not None
        self.runners.ask(b"I")
        references = Decoder(self.runners.answer()).value()
        self._has_references = bool(references)
        for index, source in references:
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
        """Run a reference solution.

        Return the CPU seconds of its process, and its encoded outputs if `keep` is true. Otherwise, or if there are
        no outputs, return b"" in their place.
        """
        assert self.runners is not None
        assert self.plan is not None
        limit = 4 * self.plan.limits["reference_cpu_seconds"] + 10
        self.page.reset()
        self.runners.ask(b"O")
        self.runners.answer()
        pair = ProcessPair(self, "produce", source, [index], limit)
        self.runners.ask(b"C", encoded((index, keep)))
        pair.watch((limit, limit + 10, limit, limit, limit))
        answer = self.runners.answer()
        _, reference = pair.end()
        _, outputs = Decoder(answer).value()
        return reference.cpu, outputs

    @property
    def backstop(self) -> float:
        """Seconds of CPU time after which the kernel ends a solution's process if all other limits have failed."""
        assert self.plan is not None
        limits, count = self.plan.limits, len(self.plan.tests)
        # A test with a reference solution may take several times as long as the reference, beyond the plain limits.
        slowest = 10 * self.reference_seconds
        return float(limits["load_cpu_seconds"] + (limits["max_cpu_seconds"] + slowest + 60) * count + 60)

    def session(self) -> RunnerSession:
        """Return the session that runs the tests of the next solution. Open one if none is open."""
        if self._session is None or not self._session.open:
            self._end_session()
            self._session = RunnerSession(self, SOLUTIONS_A_RUNNER if self.reusable else 1)
        return self._session

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def printed(self) -> bytes:
        """Return what the program of the last verdict printed, or b"" if the kind of the tests does not report this.

        A test of such a kind could have written something else into this part of the page.
        """
        return self.page.take_printed() if self._reports_output else b""

    def verdict(self, source: str) -> tuple[str, bool, float, str, bytes]:
        """Run all tests of the task against one solution.

        Return the codes, whether a test shared a process with the solution, CPU milliseconds, the first failure in
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
        answer_digests = page.answer_digests()
        # A test that falls back to a shared process is not added to `_shared`, since only the text of a test may decide
        # for later solutions.
        shared = attempts.shared()
        return page.codes().decode("ascii"), shared, round(1000 * attempts.cpu, 3), page.detail(), answer_digests
