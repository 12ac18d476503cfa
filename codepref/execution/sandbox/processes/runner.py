"""The test runner. It runs the tests of one task against a solution and writes a code for each test.

A model may have written the tests too, so this process is confined like the solution's. A test can spoil only the codes
of its own task.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from ..confinement import allowlist, packages
from ..confinement.hardening import CHANNEL
from ..kinds import shared_run
from ..kinds.base import (
    ERROR,
    FAILED,
    LONG_SLACK,
    OUR_FAULT,
    REFUSED,
    SHORT_SLACK,
    PreparedTest,
    compiled,
    names_in,
)
from ..kinds.expected_outputs import produce
from ..kinds.handing import made_by_test
from ..kinds.libraries import resolved
from ..kinds.scope import Scope, SolutionModule, register
from ..kinds.sharing import HelperAnalysis
from ..kinds.static_analysis import Fetched
from ..wire import link, proxies, status_page
from ..wire.errors import of_solution
from ..wire.frames import send
from ..wire.plain_data import Unencodable
from ..wire.plan import Plan

TIMED_OUT_SHARE, MIN_SECONDS = 20, 0.005
"""After `max_timeouts` timeouts a solution gets a twentieth of the time for each of its other tests.

This holds neither for whole programs nor for tests in a shared process. The least CPU time is 5 ms. Many solutions
that loop do so on some inputs only, so the codes of their other tests are still useful.
"""

MAX_ANSWER_BYTES = 1 << 20
"""If the answers of one solution have at least this many bytes, its test runner serves no further solution.

Large answers change the memory of the test runner.
"""

AHEAD_BYTES, AHEAD_CALLS = 1 << 15, 256
"""The largest size of all requests that are sent ahead together, in bytes, and the largest number of them.

The requests must fit a socket's buffer.
"""


class TestRunner:
    """The work of a test runner on one solution. All of it happens in the child, after the fork."""

    def __init__(
        self,
        plan: Plan,
        tests: list[PreparedTest],
        page: status_page.StatusPage,
        helpers: HelperAnalysis | None = None,
    ) -> None:
        self.plan, self.tests, self.page, self.helpers = plan, tests, page, helpers
        self.source = ""
        self.space: dict[str, Any] = {"__name__": "tests", "__builtins__": builtins}
        self.bindings: dict[str, Any] = {}
        self.solution_module: SolutionModule | None = None
        self._posted: dict[int, Callable[[], list[Any]]] = {}

    def run(self, channel: int, pid: int, source: str, start: int, ahead: bool, alone: bool) -> bool:
        """Run all undecided tests from `start` on against the solution's process `pid` at descriptor `channel`.

        If the test `start` is one of a whole program, only this test runs, since the supervisor gives each such test
        new processes.
        ahead: send the plain calls of tests before these tests run (see `PreparedTest.plain`).
        alone: no other solution runs in the solution's process. If `alone` is False and the solution may not share a
        process, this runs no test and sets the phase ALONE.
        Return whether this process may serve another solution.
        """
        self.link, self.source = link.Link(channel, pid, self.page), source
        self.link.uses_pandas = self._uses_pandas
        if self.tests[start].kind.whole_program:
            self._run_program(start)  # the supervisor gives each such test new processes
            return False
        after = self.helpers is not None and self.helpers.after
        steps = (self._load, self._run_late_helpers) if after else (self._run_helpers, self._load)
        if all(step(start, alone) for step in steps):
            codes = self.page.codes()
            pending = [at for at in range(start, len(self.tests)) if codes[at] == status_page.UNDECIDED]
            for position, index in enumerate(pending):
                self.page.enter(status_page.TESTING, index)
                try:
                    if ahead and index not in self._posted and self.tests[index].plain is not None:
                        self._post(pending[position:])
                    self._test(index)
                except link.Ambiguous:
                    self.page.enter(status_page.AGAIN, index)
                    return False
            self.page.enter(status_page.FINISHED, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        return self.link.received < MAX_ANSWER_BYTES and not self._shares_state()

    def _test(self, index: int) -> None:
        test = self.tests[index]
        cpu_seconds, wall_seconds = self._time_limits(test)
        self._limit_own_time(cpu_seconds, test.kind.cpu_slack(self.plan.limits, test))
        self.link.stops_expected = "StopIteration" in test.names
        self.link.refused = test.analysis.asks if test.analysis is not None else frozenset()
        self.link.may_share = lambda value: self._may_share(test, value)
        if index in self._posted:
            self.link.current = index
            fetched = Fetched(*self.link.fetch(self._posted[index], cpu_seconds, wall_seconds))
            code = self._code(index, lambda runner, test: test.kind.run_fetched(runner, test, fetched))
            if not fetched.called:
                raise link.Ambiguous
        else:
            self.link.begin(index, cpu_seconds, wall_seconds)
            code = self._code(index, test.kind.run)
            self.link.check()
        if test.kind.records_answers:
            self.page.record(index, self.link.answer_digest())
        self.page.set(index, code)

    def _post(self, pending: list[int]) -> None:
        """Send the plain calls of the first tests in `pending` ahead, up to the first test without a plain call.

        AHEAD_CALLS and AHEAD_BYTES limit the calls. A single call is not sent ahead.
        """
        bodies, size = [], 0
        for index in pending[:AHEAD_CALLS]:
            plain = self.tests[index].plain
            target = self.bindings.get(plain.name) if plain is not None else None
            if plain is None or not isinstance(target, proxies.RemoteCallable):
                break
            body = plain.request(proxies.handle_of(target) or b"")
            size += len(body) + 8
            if size > AHEAD_BYTES:
                break
            bodies.append(body)
        if len(bodies) > 1:
            self.link.post(bodies, self.plan.limits["cpu_seconds"])
            for index in pending[: len(bodies)]:
                plain = self.tests[index].plain
                assert plain is not None
                self._posted[index] = plain.containers

    def _shares_state(self) -> bool:
        """Return whether a test may have received a module object of this process that is not in the allow-list.

        The tests of the next solution would see what a test changes in such a module.
        """
        return not self.link.given_modules <= allowlist.MODULES

    def _run_program(self, index: int) -> None:
        limits = self.plan.limits
        cpu_seconds = limits["cpu_seconds"]
        self.page.enter(status_page.TESTING, index)
        self.link.begin(index, cpu_seconds, max(limits["wall_seconds"], 2 * cpu_seconds))
        self._limit_own_time(cpu_seconds, LONG_SLACK)
        code = self._code(index, self.tests[index].kind.run)
        self.link.check()
        self.page.set(index, code)

    def run_shared(self, source: str, wanted: list[int]) -> None:
        """Run the tests `wanted` with the solution in this process. A hostile solution could forge these codes."""
        page = self.page
        page.enter(status_page.LOADING, wanted[0])
        self._limit_own_time(self.plan.limits["load_cpu_seconds"], SHORT_SLACK)
        analyses = [test.analysis for test in self.tests if test.analysis is not None]
        modules = set[str]().union(*(analysis.modules for analysis in analyses))
        spaces = (self.tests[index].kind.prepare_shared() for index in wanted)
        room = shared_run.Room(next((space for space in spaces if space is not None), None), modules)
        self.space = room.space
        try:
            room.load(self.plan.preamble, source, self.plan.helpers)
        except BaseException as error:  # noqa: BLE001 - whatever the solution raises decides its code
            self._describe(wanted[0], error, "the solution")
            for index in wanted:
                page.set(index, self.code_of(error, shared=True))
            return
        page.loaded(time.process_time())
        for index in wanted:
            test = self.tests[index]
            test.compile()
            page.enter(status_page.TESTING, index)
            self._limit_own_time(self.plan.limits["cpu_seconds"], SHORT_SLACK)
            with room.test(test):
                page.set(index, self._code(index, test.kind.run_shared, shared=True))
        page.enter(status_page.FINISHED, 0)

    def produce(self, pid: int, index: int, output: int) -> None:
        """Have the reference solution compute the expected outputs of test `index`.

        Send the encoded outputs to descriptor `output`. If the reference fails, send nothing and describe the failure.
        """
        inputs = self.tests[index].inputs
        assert inputs is not None
        self.link = link.Link(CHANNEL, pid, self.page)
        self.link.imports = True
        cpu_seconds = self.plan.limits["reference_cpu_seconds"]
        self.page.enter(status_page.LOADING, index)
        self.link.begin(index, cpu_seconds, 4 * cpu_seconds)
        try:
            data = produce(self.link, inputs)
        except Exception as error:  # noqa: BLE001 - the problem is at fault, not a solution
            self._describe(index, error, "running the reference")
            return
        os.set_blocking(output, True)
        send(output, data)

    def _may_share(self, test: PreparedTest, value: Any) -> bool:
        """Return whether the test may share a process with the solution.

        value: what the test handed over and what cannot cross between processes. The test may share a process if the
        test or the helpers made the value, or if the text of the test shows an argument that may be unable to cross and
        none that is made of an answer (see `handing.may_hand_over`). It may not if the test anywhere uses an answer as
        a list or a table (see `handing.asks_data`).
        """
        if test.analysis is not None and test.analysis.stays:
            return False
        if made_by_test(value, self.space["__name__"]):
            return True
        return test.analysis is not None and test.analysis.hands_over

    def _uses_pandas(self) -> bool:
        """Return whether the tests or the helpers seem to use pandas."""
        sources = [self.plan.helpers, *(source for _, source in self.plan.tests if type(source) is str)]
        analyses = [self.helpers, *(test.analysis for test in self.tests)]
        paths = (path for one in analyses if one is not None for path in one.libraries.values())
        named = any(path.split(".")[0] == "pandas" for path in paths)
        return named or "pandas" in packages.imported("\n".join(sources))

    def scope(self, test: PreparedTest) -> dict[str, Any]:
        """Return a new namespace for a test that runs apart from the solution.

        It holds names of the solution, then those of libraries, then those of the helpers, which have precedence.
        """
        analysis = test.analysis
        if analysis is None:
            return {**self.bindings, **self.space}
        names = {name: value for name, value in self.bindings.items() if name not in analysis.hidden}
        libraries = self._libraries(analysis.libraries)
        if self.solution_module is not None:
            # A star import replaces names. It must replace no name that means something else in this test.
            others = (libraries.keys() | self.space.keys()) - {self.plan.entry_point}
            self.solution_module.offer(name for name in names if name not in others)
        names |= libraries
        names |= self.space
        return Scope(names, analysis.live, self._read) if analysis.live else names

    def _read(self, name: str) -> Any:
        return self.link.request("name", name)

    def _libraries(self, paths: dict[str, str]) -> dict[str, Any]:
        """Return the objects at these dotted paths, by name. Objects that cannot be found are left out."""
        found = {}
        for name, path in paths.items():
            with contextlib.suppress(ImportError, AttributeError):
                found[name] = resolved(path)
                self.link.given_modules.add(path.split(".")[0])
        return found

    def _register_solution(self) -> None:
        """Make the names by which tests and helpers import the solution mean a module with its functions."""
        names = set().union(*(test.analysis.modules for test in self.tests if test.analysis is not None))
        names |= self.helpers.modules if self.helpers is not None else set()
        if names:
            functions = {n: v for n, v in self.bindings.items() if isinstance(v, proxies.RemoteCallable)}
            self.solution_module = SolutionModule("solution", functions, tuple(self.bindings), self._read)
            register(self.solution_module, names)

    def _run_late_helpers(self, start: int, alone: bool) -> bool:
        """Run helpers that use names of the solution, and return whether they succeed.

        A failure of such helpers counts as one of the solution.
        """
        code = compiled(self.plan.helpers)
        wanted = names_in(code)
        assert self.helpers is not None
        libraries = self._libraries(self.helpers.libraries)
        names = self.bindings.keys() - self.helpers.hidden
        if self.solution_module is not None:
            self.solution_module.offer(names - libraries.keys())
        self.space |= {name: self.bindings[name] for name in names if name in wanted}
        self.space |= libraries
        self._limit_own_time(self.plan.limits["load_cpu_seconds"], SHORT_SLACK)
        try:
            exec(code, self.space)
        except BaseException as error:  # noqa: BLE001 - every exception has a code
            self._describe(start, error, "the problem's helpers")
            failed = status_page.CALL_BY_REFERENCE if self._crossing_failed() else self.code_of(error)
            self.page.fill(start, failed)
            return False
        return True

    def _run_helpers(self, start: int, alone: bool) -> bool:
        self.page.enter(status_page.SETUP, start)
        self._limit_own_time(self.plan.limits["load_cpu_seconds"], SHORT_SLACK)
        try:
            self.space |= self._libraries(self.helpers.libraries) if self.helpers is not None else {}
            exec(compiled(self.plan.helpers), self.space)
        except BaseException as error:  # noqa: BLE001 - the problem is at fault, not a solution
            self._describe(start, error, "the problem's helpers")
            self.page.fill(start, OUR_FAULT)
            return False
        return True

    def _load(self, start: int, alone: bool) -> bool:
        limits, page = self.plan.limits, self.page
        page.enter(status_page.LOADING, start)
        self.link.begin(start, limits["load_cpu_seconds"], max(limits["wall_seconds"], 2 * limits["load_cpu_seconds"]))
        names = set().union(*(test.names for test in self.tests))
        if self.helpers is not None and self.helpers.after:
            names |= names_in(compiled(self.plan.helpers))
        names = {name for name in names if name not in self.space and not hasattr(builtins, name)}
        try:
            wanted = tuple(sorted(names | {self.plan.entry_point}))  # not a list, which the solution could change
            self.link.modules = True
            bindings = self.link.request("load", self.plan.preamble, self.source, wanted, alone)
            self.link.modules = False
            if bindings is None and not alone:
                page.enter(status_page.ALONE, start)
                return False
            if type(bindings) is not dict:
                raise TypeError("the solution's process sent a malformed answer")
        except BaseException as error:  # noqa: BLE001 - whatever the solution raises decides its code
            self._describe(start, error, "loading the solution")
            page.fill(start, self.code_of(error))
            return False
        page.loaded(self.link.used())
        # Only requested names are accepted. Any other name could hide a builtin from the test.
        self.bindings = {name: bindings[name] for name in wanted if name in bindings}
        self._register_solution()
        return True

    def _time_limits(self, test: PreparedTest) -> tuple[float, float]:
        """Return the seconds of CPU and of wall-clock time that a test may take.

        After `max_timeouts` timeouts both are shorter (see TIMED_OUT_SHARE). Whole programs and tests in a shared
        process have other limits.
        """
        limits = self.plan.limits
        cpu_seconds = test.kind.cpu_limit(limits, test)
        wall_seconds = max(limits["wall_seconds"], 2 * cpu_seconds)
        if self.page.codes().count(b"T") < limits["max_timeouts"]:
            return cpu_seconds, wall_seconds
        return max(cpu_seconds / TIMED_OUT_SHARE, MIN_SECONDS), wall_seconds / TIMED_OUT_SHARE

    def _limit_own_time(self, cpu_seconds: float, slack: float) -> None:
        """Have the kernel end this process after `cpu_seconds` + `slack` of its own CPU time.

        The kernel sends SIGPROF, which also ends loops in C code.
        """
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds + slack)

    def _code(self, index: int, run: Callable[[TestRunner, PreparedTest], int], shared: bool = False) -> int:
        test = self.tests[index]
        test.compile()
        if test.error:
            self.page.describe(f"test {index}: {test.error}")
            return ERROR
        if test.shared and not shared:
            return status_page.CALL_BY_REFERENCE
        try:
            code = run(self, test)
        except BaseException as error:  # noqa: BLE001 - every exception has a code
            code = self.code_of(error, shared)
            if not self._crossing_failed():
                self._describe(index, error, f"test {index}")
        return status_page.CALL_BY_REFERENCE if self._crossing_failed() else int(code)

    def _crossing_failed(self) -> bool:
        return "link" in self.__dict__ and bool(self.link.crossing_failed)

    def code_of(self, error: BaseException, shared: bool = False) -> int:
        """Return the code of a test that ended with `error`.

        An AssertionError of the test is F, a MemoryError is M, a PermissionError of the solution is X, and the rest is
        E.
        shared: the test and the solution run in one process, so either may have raised `error`.
        """
        solutions = shared or of_solution(error)
        if isinstance(error, AssertionError) and (shared or not solutions):
            return FAILED
        if isinstance(error, MemoryError):
            return ord("M")
        return REFUSED if isinstance(error, PermissionError) and solutions else ERROR

    def _describe(self, index: int, error: BaseException, where: str) -> None:
        if isinstance(error, Unencodable):
            self.page.describe(f"{where}: a value cannot cross as plain data ({error})")
            return
        who = " the solution raised" if of_solution(error) else ""
        try:
            text = str(error)[:300]
        except Exception:  # noqa: BLE001 - an error whose text cannot be built is described without it
            text = ""
        self.page.describe(f"{where}:{who} {type(error).__name__}{': ' if text else ''}{text}")
