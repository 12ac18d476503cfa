"""The kind "calls": one call of a function, or of a method of a class, with arguments and an expected result.

The source is JSON (see `codepref.problems.calls`). The test runner holds the expected result and compares. The
solution's process gets the names, the arguments and their forms only.
"""

from __future__ import annotations

import ast
import json
from typing import Any

from ..wire.decoder import Decoder
from ..wire.encoder import encoded
from ..wire.plain_data import U32
from ..wire.proxies import RemoteCallable
from .base import FAILED, LONG_SLACK, MALFORMED, PASSED, SHORT_SLACK, Kind, PreparedTest, Runner
from .compare import FLOAT_ATOL
from .compare_json import same_value
from .compare_unordered import same_items
from .static_analysis import Fetched, PlainCall

LONG_TEST = 20_000
"""A test with at least this many characters gets LONG_SLACK, since comparing its result may take long."""

CLASS = "Solution"
"""The class whose method is called if a solution lacks the function."""

_METHOD_HEAD = b"t" + U32.pack(5) + b"-" + encoded("method")
_NODES_HEAD = b"t" + U32.pack(6) + b"-" + encoded("nodes")


class Call(PlainCall):
    """The call of a test, and how its result is compared.

    Attributes:
        name: the name of the function, or of the class if the test calls a method.
        method: the name of the method, or "" for a function.
        forms: the forms of the arguments and, last, of the result, separated by commas (see `codepref.problems.nodes`).
        It is "" if all of them are plain values.
        order: "items" if the items of the result may come in any order, "all" if the items of lists in the result may
        too, and otherwise "".
        tolerance: the tolerance of floats, as in `same_value`.
    """

    __slots__ = ("forms", "method", "order", "tolerance")

    def __init__(self, name: str, method: str, arguments: list[Any]) -> None:
        super().__init__(name, tuple(arguments))
        self.method, self.forms, self.order, self.tolerance = method, "", "", FLOAT_ATOL

    def values(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return new copies of the positional arguments, and an empty dict of keywords."""
        values: tuple[tuple[Any, ...], dict[str, Any]] = Decoder(self.arguments).value()
        return values

    def request(self, handle: bytes) -> bytes:
        """Return the request for the call, where `handle` stands for the function or the class."""
        if self.forms:
            return _NODES_HEAD + handle + encoded(self.method) + self.arguments[6:] + encoded(self.forms)
        if not self.method:
            return super().request(handle)
        return _METHOD_HEAD + handle + encoded(self.method) + self.arguments[6:]


class Calls(Kind):
    """Tests of one call. A test passes if the call returns the expected result within the limits."""

    def compile(self, test: PreparedTest) -> None:
        """Read the source. Raises an error of MALFORMED for a malformed source."""
        fields = json.loads(test.source)
        test.expected = fields["expected"], bool(fields.get("wrapped"))
        arguments = fields["arguments"]
        if isinstance(arguments, str):
            arguments = ast.literal_eval(arguments)
        owner, function = fields.get("class") or "", fields["function"]
        call = Call(owner or function, function if owner else "", list(arguments))
        call.order, call.tolerance = fields.get("order") or "", float(fields.get("tolerance") or FLOAT_ATOL)
        forms = [form or "" for form in (*fields.get("arguments_as", ()), fields.get("result_as"))]
        call.forms = ",".join(forms) if any(forms) else ""
        test.names = {owner or function, function, CLASS}
        test.stateless = True
        test.plain = call  # last, since a test with a plain call counts as compiled

    def names_without_compiling(self, test: PreparedTest) -> set[str]:
        """Return the names of the function and the class, and CLASS. Return an empty set if the source is malformed."""
        try:
            self.compile(test)
        except MALFORMED:
            return set()
        return test.names

    def cpu_slack(self, limits: dict[str, float], test: PreparedTest) -> float:
        """Return SHORT_SLACK for a test of fewer than LONG_TEST characters, and LONG_SLACK for any other test."""
        return SHORT_SLACK if len(test.source) < LONG_TEST else LONG_SLACK

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Make the call and compare its result. Return P or F.

        A solution may define a function where the test names a method, and a method of the class `Solution` where the
        test names a function. Raises NameError if it defines neither, and what the solution raises.
        """
        call = test.plain
        assert isinstance(call, Call)
        arguments, keywords = call.values()
        ways = [(call.name, call.method), (call.method, "") if call.method else (CLASS, call.name)]
        for name, method in ways:
            target = runner.bindings.get(name)
            if isinstance(target, RemoteCallable):
                if call.forms:
                    output = runner.link.request("nodes", target, method, arguments, keywords, call.forms)
                elif method:
                    output = runner.link.request("method", target, method, arguments, keywords)
                else:
                    output = target(*arguments)
                return self._judged(runner, test, output)
        raise NameError(f"name {call.name!r} is not defined")

    def run_fetched(self, runner: Runner, test: PreparedTest, fetched: Fetched) -> int:
        """Compare the result of a call that was sent ahead. Return P or F."""
        return self._judged(runner, test, fetched())

    def _judged(self, runner: Runner, test: PreparedTest, output: Any) -> int:
        call, (expected, wrapped) = test.plain, test.expected
        assert isinstance(call, Call)
        if _same(output, expected, call) or (wrapped and _same(output, expected[0], call)):
            return PASSED
        runner.page.describe("the call returned a wrong result")
        return FAILED


def _same(output: Any, expected: Any, call: Call) -> bool:
    if call.order:
        return same_items(output, expected, deep=call.order == "all", tolerance=call.tolerance)
    return same_value(output, expected, call.tolerance)
