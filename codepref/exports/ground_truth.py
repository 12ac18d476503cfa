"""Writes tests in the forms of published data sets for reinforcement learning, which codepref reads too. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from codepref.records import Problem, Test


def ground_truth(problem: Problem) -> dict[str, Any]:
    """Return the tests of a problem as published rows of verl hold them, or {} for tests in none of these forms.

    "stdio" tests become inputs and outputs. "calls" of one function become `fn_name` with inputs and outputs. "asserts"
    become `assert_case`. One "check" becomes `functional`, and one "pytest" file becomes `pytest`.
    """
    kinds = {test.kind for test in problem.tests}
    if len(kinds) != 1:
        return {}
    (kind,) = kinds
    if kind == "stdio":
        cases = [json.loads(test.source) for test in problem.tests]
        return {"inputs": [case["input"] for case in cases], "outputs": [case["output"] for case in cases]}
    if kind == "calls":
        return _calls(problem.tests)
    sources = [test.source for test in problem.tests]
    if kind == "asserts":
        return {"inputs": [""] * len(sources), "outputs": [None] * len(sources), "assert_case": sources}
    if kind == "check" and len(sources) == 1:
        return {"functional": f"{sources[0].rstrip()}\n\n\ncheck({problem.entry_point})\n"}
    if kind == "pytest" and len(sources) == 1:
        head = "" if "from solution import" in sources[0] else "from solution import *\n\n"
        return {"pytest": head + sources[0]}
    return {}


def _calls(tests: Sequence[Test]) -> dict[str, Any]:
    """Return the calls of one function, or {} for calls that the form cannot hold, such as those of two functions."""
    calls = [json.loads(test.source) for test in tests]
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
