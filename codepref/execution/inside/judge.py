"""The judge: runs the tests of one task against one solution and writes a code for each.

The tests are a model's too, so this process is confined like the solution's; but a test can only spoil the codes
of its own task.
"""

from __future__ import annotations

import ast
import builtins
import os
import signal
import types
from typing import Any

from . import expected, harmless, remote, standins, statics, status, stdio, unittests
from .children import CHANNEL
from .codec import Unencodable
from .frames import send
from .plan import InputsPlan, Plan, stepped

JUDGE_CPU_SLACK = 0.3
"""Seconds of CPU that a judge may use beyond a test's own limit: coding and decoding are not the test's fault."""

LONG_TEST, LONG_SLACK, INPUTS_SLACK = 4000, 3.0, 5.0
"""The same for tests that may call thousands of times: longer than so many characters, or of another kind."""

IMPATIENCE, LEAST_SECONDS = 20, 0.005
"""A solution that has run out of time too often gets a twentieth of it for its other tests, and five milliseconds
of CPU at least: most solutions that loop do so on some inputs, and their other codes are worth as much as any.
"""

LARGE_ANSWERS = 1 << 20
"""Bytes of answers after which a judge serves no further solution: its memory is no longer as it was."""

AHEAD_BYTES, AHEAD_CALLS = 1 << 15, 256
"""Requests posted ahead: what a socket's buffer surely holds."""


class Prepared:
    """One test, compiled once a task; `names` are those it may look up in the solution."""

    __slots__ = ("code", "error", "inputs", "kind", "names", "oracle", "plain", "source", "stateless")

    def __init__(self, kind: str, source: Any) -> None:
        self.kind, self.source = kind, source
        self.code: types.CodeType | None = None
        self.oracle: types.CodeType | None = None
        self.error = ""
        self.names: set[str] = set()
        self.plain: statics.PlainCall | None = None
        self.stateless = False
        self.inputs = InputsPlan(*source) if kind == "inputs" else None

    def compile(self) -> None:
        """Compile; a source that does not compile keeps the reason in `error`."""
        if self.code is not None or self.oracle is not None or self.error or self.kind == "stdio":
            return
        try:
            if self.kind == "unittest":
                unittests.prepare()
            if self.inputs is not None:
                self.oracle = compiled(self.inputs.oracle)
                self.stateless = harmless.shareable(statics.parsed(self.inputs.oracle))
            else:
                tree = statics.parsed(self.source)
                self.code = compiled(tree)
                self.names = names_in(self.code)
                self.stateless = harmless.shareable(tree)
                self.plain = statics.plain_call(tree) if self.kind == "asserts" else None
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            self.error = f"the test does not compile ({type(error).__name__}: {error})"


def compiled(source: str | ast.Module, mode: str = "exec") -> types.CodeType:
    """Compile without this module's own future features."""
    code: types.CodeType = compile(source, "<test>", mode, dont_inherit=True)
    return code


def names_in(code: types.CodeType) -> set[str]:
    """Names that code and its nested functions use, attributes among them: a superset of the global ones."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= names_in(constant)
    return names


class Judge:
    """State of one judge process. Every method runs after the fork, confined."""

    def __init__(self, plan: Plan, prepared: list[Prepared], page: status.StatusPage) -> None:
        self.plan, self.prepared, self.page = plan, prepared, page
        self.space: dict[str, Any] = {"__name__": "tests", "__builtins__": builtins}
        self.bindings: dict[str, Any] = {}
        self._posted: dict[int, list[Any]] = {}

    def run(self, channel: int, pid: int, source: str, start: int, ahead: bool, alone: bool) -> bool:
        """All undecided tests from `start` on, against the solution process `pid` at descriptor `channel`.

        ahead: ask for the outcomes of plain calls before their tests run. alone: no other solution runs in the
        solution's process; where one may, and this one must not, the phase is ALONE in the end. Returns whether this
        process may serve another solution.
        """
        self.link = remote.Link(channel, pid, self.page)
        if self.prepared[start].kind == "stdio":
            self._stdio(source, start)  # this test alone: the supervisor gives the next one processes of its own
            return False
        if self._helpers(start) and self._load(source, start, alone):
            codes = self.page.codes()
            owed = [at for at in range(start, len(self.prepared)) if codes[at] == status.UNDECIDED]
            for place, index in enumerate(owed):
                self.page.enter(status.TESTING, index)
                try:
                    if ahead and index not in self._posted and self.prepared[index].plain is not None:
                        self._post(owed[place:])
                    self._test(index)
                except remote.Ambiguous:
                    self.page.enter(status.AGAIN, index)
                    return False
            self.page.enter(status.FINISHED, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        return self.link.received < LARGE_ANSWERS and not self._shares_state()

    def _test(self, index: int) -> None:
        prepared = self.prepared[index]
        budget, wall = self._budgets(prepared)
        self._own_limit(budget, self._slack(prepared))
        self.link.stops_expected = "StopIteration" in prepared.names
        if index in self._posted:
            self.link.current = index
            fetched = statics.Fetched(*self.link.fetch(self._posted[index], budget, wall))
            code = self._code(index, lambda prepared: self._plain(prepared, fetched))
            if not fetched.asked:
                raise remote.Ambiguous
        else:
            self.link.begin(index, budget, wall)
            code = self._code(index, self._separate)
            self.link.check()
        if prepared.inputs is None:
            self.page.record(index, self.link.outcome())
        self.page.set(index, code)

    def _post(self, owed: list[int]) -> None:
        """Ask for the outcomes of the plain calls at the front of `owed`, two at least."""
        bodies, size = [], 0
        for index in owed[:AHEAD_CALLS]:
            plain = self.prepared[index].plain
            target = self.bindings.get(plain.name) if plain is not None else None
            if plain is None or not isinstance(target, standins.RemoteCallable):
                break
            body = plain.request(standins.handle_of(target) or b"")
            size += len(body) + 8
            if size > AHEAD_BYTES:
                break
            bodies.append(body)
        if len(bodies) > 1:
            self.link.post(bodies, self.plan.limits["cpu_seconds"])
            for index in owed[: len(bodies)]:
                plain = self.prepared[index].plain
                assert plain is not None
                self._posted[index] = plain.containers()

    def _plain(self, prepared: Prepared, fetched: statics.Fetched) -> int:
        assert prepared.plain is not None
        assert prepared.code is not None
        exec(prepared.code, {**self.bindings, **self.space, prepared.plain.name: fetched})
        return ord("P")

    def _shares_state(self) -> bool:
        """Whether a test could have reached a module of this process by way of the solution's imports."""
        return not self.link.given <= harmless.MODULES

    def _stdio(self, source: str, index: int) -> None:
        limits, preamble = self.plan.limits, self.plan.preamble
        budget = limits["cpu_seconds"]
        self.page.enter(status.TESTING, index)
        self.link.begin(index, budget, max(limits["wall_seconds"], 2 * budget))
        self._own_limit(budget, LONG_SLACK)

        def run(prepared: Prepared) -> int:
            return stdio.code(self.link, preamble, source, prepared.source, self.page.describe)

        code = self._code(index, run)
        self.link.check()
        self.page.set(index, code)

    def run_shared(self, source: str, wanted: list[int]) -> None:
        """The tests `wanted` with the solution in this very process. Its codes can be forged: marked as shared."""
        page = self.page
        page.enter(status.LOADING, wanted[0])
        self._own_limit(self.plan.limits["load_cpu_seconds"], JUDGE_CPU_SLACK)
        if any(self.prepared[index].kind == "unittest" for index in wanted):
            self.space = unittests.home()
        try:
            for part in (self.plan.preamble, source, self.plan.helpers):
                exec(compiled(part), self.space)
        except BaseException as error:  # noqa: BLE001 - whatever the solution raises is its verdict
            self._describe(wanted[0], error, "the solution")
            for index in wanted:
                page.set(index, self._code_of(error, shared=True))
            return
        for index in wanted:
            page.enter(status.TESTING, index)
            self._own_limit(self.plan.limits["cpu_seconds"], JUDGE_CPU_SLACK)
            page.set(index, self._code(index, self._together))
        page.enter(status.FINISHED, 0)

    def produce(self, pid: int, index: int, output: int) -> None:
        """Ask the reference for the expected outputs of test `index`; send them, encoded, to descriptor `output`."""
        prepared = self.prepared[index]
        inputs = prepared.inputs
        assert inputs is not None
        self.link = remote.Link(CHANNEL, pid, self.page)
        self.link.imports = True
        budget = self.plan.limits["reference_cpu_seconds"]
        self.page.enter(status.LOADING, index)
        self.link.begin(index, budget, 4 * budget)
        try:
            told = expected.produce(self.link, inputs)
        except Exception as error:  # noqa: BLE001 - told as the problem's fault, never the solution's
            self._describe(index, error, "running the reference")
            return
        os.set_blocking(output, True)
        send(output, told)

    def _helpers(self, start: int) -> bool:
        self.page.enter(status.SETUP, start)
        self._own_limit(self.plan.limits["load_cpu_seconds"], JUDGE_CPU_SLACK)
        try:
            exec(compiled(self.plan.helpers), self.space)
        except BaseException as error:  # noqa: BLE001 - told as the problem's fault, never the solution's
            self._describe(start, error, "the problem's helpers")
            self.page.fill(start, ord("I"))
            return False
        return True

    def _load(self, source: str, start: int, alone: bool) -> bool:
        limits, page = self.plan.limits, self.page
        page.enter(status.LOADING, start)
        self.link.begin(start, limits["load_cpu_seconds"], max(limits["wall_seconds"], 2 * limits["load_cpu_seconds"]))
        names = set().union(*(prepared.names for prepared in self.prepared))
        names = {name for name in names if name not in self.space and not hasattr(builtins, name)}
        try:
            wanted = tuple(sorted(names | {self.plan.entry_point}))  # a list would come back as it was changed
            self.link.modules = True
            bindings = self.link.request("load", self.plan.preamble, source, wanted, alone)
            self.link.modules = False
            if bindings is None and not alone:
                page.enter(status.ALONE, start)
                return False
            if type(bindings) is not dict:
                raise TypeError("the solution's process answered out of form")
        except BaseException as error:  # noqa: BLE001 - whatever the solution raises is its verdict
            self._describe(start, error, "loading the solution")
            page.fill(start, self._code_of(error))
            return False
        # only what was asked for: a name that is not could stand in the test's way to a builtin
        self.bindings = {name: bindings[name] for name in wanted if name in bindings}
        return True

    def _budgets(self, prepared: Prepared) -> tuple[float, float]:
        """Seconds of CPU and of wall clock that a test may take: a share of them once the solution has run out of time
        so often that it is not waited for any longer.
        """
        budget = self._budget(prepared)
        wall = max(self.plan.limits["wall_seconds"], 2 * budget)
        if self.page.codes().count(b"T") < self.plan.limits["max_timeouts"]:
            return budget, wall
        return max(budget / IMPATIENCE, LEAST_SECONDS), wall / IMPATIENCE

    def _budget(self, prepared: Prepared) -> float:
        limits = self.plan.limits
        if prepared.inputs is None:
            return limits["cpu_seconds"]
        # a reference tells how long a right solution takes, so no second round is needed
        patience = stepped(limits["patience"] * prepared.inputs.seconds, limits["cpu_seconds"])
        patient = min(limits["most_cpu_seconds"], patience)
        return max(limits["cpu_seconds"], limits["reference_factor"] * prepared.inputs.seconds, patient)

    def _slack(self, prepared: Prepared) -> float:
        if prepared.inputs is not None:
            return INPUTS_SLACK + self._budget(prepared)
        short = prepared.kind == "asserts" and len(prepared.source) < LONG_TEST
        return JUDGE_CPU_SLACK if short else LONG_SLACK

    def _own_limit(self, budget: float, slack: float) -> None:
        """The kernel ends this process when it uses more CPU itself: SIGPROF's default action, loops in C included."""
        signal.setitimer(signal.ITIMER_PROF, budget + slack)

    def _code(self, index: int, run: Any) -> int:
        prepared = self.prepared[index]
        prepared.compile()
        if prepared.error:
            self.page.describe(f"test {index}: {prepared.error}")
            return ord("E")
        try:
            code = run(prepared)
        except BaseException as error:  # noqa: BLE001 - every end of a test is a code
            code = self._code_of(error, shared=run == self._together)
            if not self._crossing_failed():
                self._describe(index, error, f"test {index}")
        return status.CALL_BY_REFERENCE if self._crossing_failed() else int(code)

    def _crossing_failed(self) -> bool:
        return "link" in self.__dict__ and bool(self.link.crossing_failed)

    def _separate(self, prepared: Prepared) -> int:
        if prepared.inputs is not None:
            return self._inputs(prepared, prepared.inputs)
        space = {**self.bindings, **self.space}
        assert prepared.code is not None
        exec(prepared.code, space)
        if prepared.kind == "check":
            name = self.plan.entry_point
            if name not in space:
                raise NameError(f"name {name!r} is not defined")
            space["check"](self.bindings.get(name, space[name]))
        return ord("P")

    def _together(self, prepared: Prepared) -> int:
        assert prepared.code is not None
        if prepared.kind == "unittest":
            return unittests.verdict_code(prepared.code, self.space, self._code_of, self.page.describe)
        space = dict(self.space)
        candidate = space.get(self.plan.entry_point)
        exec(prepared.code, space)
        if prepared.kind == "check":
            space["check"](candidate)
        return ord("P")

    def _inputs(self, prepared: Prepared, inputs: InputsPlan) -> int:
        if inputs.failure:
            self.page.describe(inputs.failure)
            return ord("I")
        accept = None
        if prepared.oracle is not None and inputs.oracle:
            space: dict[str, Any] = {"__builtins__": builtins}
            exec(prepared.oracle, space)
            accept = space["accept"]
        return ord("P" if expected.all_right(self.link, inputs, accept, self.page.describe) else "F")

    def _code_of(self, error: BaseException, shared: bool = False) -> int:
        solutions = shared or standins.of_solution(error)
        if isinstance(error, AssertionError) and (shared or not solutions):
            return ord("F")
        if isinstance(error, MemoryError):
            return ord("M")
        return ord("X") if isinstance(error, PermissionError) and solutions else ord("E")

    def _describe(self, index: int, error: BaseException, where: str) -> None:
        if isinstance(error, Unencodable):
            self.page.describe(f"{where}: {error} cannot cross as plain data")
            return
        who = " the solution raised" if standins.of_solution(error) else ""
        try:
            text = str(error)[:300]
        except Exception:  # noqa: BLE001 - a text that cannot be made is left out
            text = ""
        self.page.describe(f"{where}:{who} {type(error).__name__}{': ' if text else ''}{text}")
