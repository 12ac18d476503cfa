"""Writes tests in forms of published data sets for reinforcement learning. codepref reads these forms too. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codepref.problems.calls import CLASS
from codepref.records import Problem, Test

_MEANING = frozenset({"order", "tolerance", "arguments_as", "result_as"})
"""Keys of a test that change which results it accepts or which arguments it uses. No published form holds them."""


def ground_truth(problem: Problem) -> dict[str, Any]:
    """Return the tests of a problem as published rows of verl hold them, or {} if they fit none of the forms.

    All tests must be of one kind. "stdio" tests become inputs and outputs. "calls" of one function become `fn_name`
    with inputs and outputs. "asserts" become `assert_case`. One "check" becomes `functional`, and one "pytest" file
    becomes `pytest`. The result is {} as well if a test has `order`, `tolerance`, or linked lists or trees, or if it
    calls a method of another class than `Solution`. The forms hold none of these, and other graders would judge such
    tests wrongly.
    """
    kinds = {test.kind for test in problem.tests}
    form = FORMS.get(kinds.pop()) if len(kinds) == 1 else None
    return form(problem.tests, problem.entry_point) if form else {}


def _stdio(tests: Sequence[Test], entry_point: str) -> dict[str, Any]:
    cases = [json.loads(test.source) for test in tests]
    if any(_MEANING.intersection(case) for case in cases):
        return {}
    return {"inputs": [case["input"] for case in cases], "outputs": [case["output"] for case in cases]}


def _asserts(tests: Sequence[Test], entry_point: str) -> dict[str, Any]:
    sources = [test.source for test in tests]
    return {"inputs": [""] * len(sources), "outputs": [None] * len(sources), "assert_case": sources}


def _check(tests: Sequence[Test], entry_point: str) -> dict[str, Any]:
    if len(tests) != 1:
        return {}
    return {"functional": f"{tests[0].source.rstrip()}\n\n\ncheck({entry_point})\n"}


def _pytest(tests: Sequence[Test], entry_point: str) -> dict[str, Any]:
    if len(tests) != 1:
        return {}
    head = "" if "from solution import" in tests[0].source else "from solution import *\n\n"
    return {"pytest": head + tests[0].source}


def _calls(tests: Sequence[Test], entry_point: str) -> dict[str, Any]:
    """Return the calls of one function, or {} for calls that the form cannot hold, such as those of two functions."""
    calls = [json.loads(test.source) for test in tests]
    if any(_MEANING.intersection(call) or (call.get("class") or CLASS) != CLASS for call in calls):
        return {}
    if len({call["function"] for call in calls}) != 1 or any(isinstance(call["arguments"], str) for call in calls):
        return {}
    truth = {"fn_name": calls[0]["function"]}
    if all(call.get("wrapped") for call in calls):
        # only this form says that the item of the list is right too
        inputs, outputs = [call["arguments"] for call in calls], [call["expected"] for call in calls]
        return {**truth, "inputs": inputs, "outputs": outputs}
    if any(call.get("wrapped") or not call["arguments"] for call in calls):
        return {}
    return {
        **truth,
        "inputs": ["\n".join(json.dumps(argument) for argument in call["arguments"]) for call in calls],
        "outputs": [json.dumps(call["expected"]) for call in calls],
    }


FORMS: Mapping[str, Callable[[Sequence[Test], str], dict[str, Any]]] = {
    "stdio": _stdio,
    "calls": _calls,
    "asserts": _asserts,
    "check": _check,
    "pytest": _pytest,
}
"""The functions that write tests in the published forms, by the kind of the tests.

Each takes the tests and the entry point.
"""
