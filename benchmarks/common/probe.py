"""Compares the outputs of a sample with those of the canonical solution, input by input.

The result is evidence for the cause of a disagreement between codepref and another system. The sample runs unconfined
in a forked child of this process. Only problems from a file of EvalPlus have inputs.
"""

from __future__ import annotations

import contextlib
import copy
import json
import math
import os
import signal
from typing import Any

PLAIN = (int, float, complex, str, bytes, bool, type(None), list, tuple, dict, set, frozenset)


def probe(problem: dict[str, Any], solution: str, cpu_seconds: float = 10.0) -> dict[str, Any]:
    """Describe the first input for which the sample's output is not the canonical output.

    An output counts as different if its value or its type differs, if it is not plain data, or if the sample raises an
    exception.

    problem: a row of an EvalPlus file. cpu_seconds: the CPU time of the forked child, in which the sample and the
    canonical solution run.

    Returns {} if no output differs, if the problem has no inputs, if the sample cannot be loaded, or if the child ends
    early. Otherwise the result has these keys:
    part: "base" or "plus". index: the number of the input in that part, from 0.
    expected, output: the outputs as text, cut after 200 characters.
    same_type, equal: whether the outputs have the same type, and whether they are equal.
    close: whether the outputs are equal, apart from numbers, alone or in lists and tuples, that differ by a relative or
    absolute 1e-5 at most.
    plain: whether the output is plain data. The items of a dict are not examined.
    If the sample raises an exception for the input, output is the exception, same_type is None, equal and close are
    False, and plain is True.
    """
    if "base_input" not in problem:
        return {}
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            null = os.open(os.devnull, os.O_RDWR)
            for standard in range(3):
                os.dup2(null, standard)
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            with open(write, "w") as pipe:
                pipe.write(json.dumps(_first_difference(problem, solution)))
        finally:
            os._exit(0)
    os.close(write)
    with open(read) as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return dict(json.loads(answer)) if answer else {}


def _first_difference(problem: dict[str, Any], solution: str) -> dict[str, Any]:
    name = problem["entry_point"]
    ours: dict[str, Any] = {}
    canonical: dict[str, Any] = {}
    exec(problem["prompt"] + problem["canonical_solution"], canonical)
    exec(solution, ours)
    for part in ("base", "plus"):
        for index, arguments in enumerate(problem[f"{part}_input"]):
            expected = canonical[name](*copy.deepcopy(arguments))
            facts = {"part": part, "index": index, "expected": repr(expected)[:200], "same_type": None, "equal": False}
            try:
                output = ours[name](*copy.deepcopy(arguments))
            except BaseException as error:  # noqa: BLE001 - every exception of the sample is evidence
                return {**facts, "output": f"{type(error).__name__}: {error}"[:200], "close": False, "plain": True}
            equal, same_type = False, type(output) is type(expected)
            with contextlib.suppress(Exception):
                equal = bool(output == expected)
            if equal and same_type and _plain(output):
                continue
            facts |= {"output": repr(output)[:200], "same_type": same_type, "equal": equal, "plain": _plain(output)}
            return {**facts, "close": _close(output, expected)}
    return {}


def _plain(value: Any) -> bool:
    if type(value) in (list, tuple, set, frozenset):
        return all(map(_plain, value))
    return type(value) in PLAIN


def _close(output: Any, expected: Any) -> bool:
    if isinstance(output, list | tuple) and isinstance(expected, list | tuple):
        return len(output) == len(expected) and all(map(_close, output, expected))
    numbers = isinstance(output, int | float) and isinstance(expected, int | float)
    return output == expected or (numbers and math.isclose(output, expected, rel_tol=1e-5, abs_tol=1e-5))
