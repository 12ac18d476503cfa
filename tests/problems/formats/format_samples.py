"""Rows in the form of published data sets, written for the tests, with right and wrong solutions.

Each sample holds one of two problems. A program adds the two numbers of each line. The function `pick(words, at)`
returns the words at some places, and counts places from the end if they are below zero.
"""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from dataclasses import dataclass
from typing import Any

SUMS = "Add the two numbers of each line."
PICK = "Return the words at the given places. A place below zero counts from the end."
INPUTS, OUTPUTS = ["1 2\n3 4\n", "10 -4\n", "0 0\n7 7\n"], ["3\n7\n", "6\n", "0\n14\n"]
ARGUMENTS: list[Any] = [[["ox", "elk", "yak"], [2, 0]], [["ox"], []], [["ox", "elk"], [-1]]]
RESULTS: list[Any] = [["yak", "ox"], [], ["elk"]]
PROGRAM = "import sys\nfor line in sys.stdin:\n    a, b = map(int, line.split())\n    print(a + b)\n"
WRONG_PROGRAM = PROGRAM.replace("a + b", "abs(a) + abs(b)")
FUNCTION = "def pick(words: List[str], at: List[int]) -> List[str]:\n    return [words[i] for i in at]\n"
WRONG_FUNCTION = "def pick(words, at):\n    return [words[i] for i in sorted(at)]\n"
HEAD = "class Solution:\n    def pick(self, words: List[str], at: List[int]) -> List[str]:\n        "
FENCED = f"Here it is.\n\n```python\n{PROGRAM}```\n"
PAIRS = [{"input": given, "output": expected} for given, expected in zip(INPUTS, OUTPUTS, strict=True)]
LINES = [
    {"input": "\n".join(map(json.dumps, arguments)), "output": json.dumps(result), "testtype": "functional"}
    for arguments, result in zip(ARGUMENTS, RESULTS, strict=True)
]
CALLS = [
    {"type": "function_call", "fn_name": "pick", "input": arguments, "output": [result]}
    for arguments, result in zip(ARGUMENTS, RESULTS, strict=True)
]
STDIO = {"inputs": INPUTS, "outputs": OUTPUTS}
CALLED = {"fn_name": "pick", "inputs": ARGUMENTS, "outputs": [[result] for result in RESULTS]}


def method(function: str) -> str:
    """Return the class `Solution` with this function as its method."""
    body = "".join(f"    {line}\n" for line in function.splitlines()).replace("pick(", "pick(self, ")
    return f"class Solution:\n{body}"


def packed(value: Any, protocol: int = 4) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value, protocol))).decode()


@dataclass(frozen=True)
class Sample:
    """One row, and what is expected of it.

    format: the name of its format. call: whether the tests call the function `pick`; otherwise they run a program.
    task_id: the expected id, or "" if any id is right. gold: whether the row gives a gold solution.
    """

    format: str
    row: dict[str, Any]
    call: bool = False
    task_id: str = ""
    gold: bool = False

    def solutions(self) -> tuple[list[str], list[str]]:
        """Return right and wrong solutions."""
        if self.call:
            return [FUNCTION, method(FUNCTION)], [WRONG_FUNCTION, method(WRONG_FUNCTION)]
        return [PROGRAM], [WRONG_PROGRAM]


def _apps(tests: Any, **columns: Any) -> dict[str, Any]:
    text = tests if isinstance(tests, str) else json.dumps(tests)
    return {"problem_id": 7, "question": SUMS, "solutions": "", "starter_code": "", "input_output": text, **columns}


def _verl(truth: Any, request: str, **columns: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "Act as [ADVANCE]."}, {"role": "user", "content": request}]
    reward = {"style": "rule", "ground_truth": truth if isinstance(truth, str) else json.dumps(truth)}
    return {"data_source": "taco", "prompt": messages, "ability": "code", "reward_model": reward, **columns}


def _verifiable(info: Any, **columns: Any) -> dict[str, Any]:
    return {
        "source": "s",
        "problem_id": "vfc_3",
        "prompt": PICK,
        "verification_info": info,
        "metadata": {"difficulty": "easy"},
        **columns,
    }


def _codeforces(**columns: Any) -> dict[str, Any]:
    row = {"id": "9/A", "title": "Sums", "description": SUMS, "input_format": "Lines of two numbers.", "note": None}
    row |= {"output_format": "A sum for each line.", "interaction_format": None, "examples": PAIRS[:1]}
    return {**row, "official_tests": PAIRS, "time_limit": 2.0, "input_mode": "stdio", "executable": True, **columns}


def _livecodebench(public: Any, private: Any, metadata: str, starter: str = "") -> dict[str, Any]:
    row = {"question_title": "t", "question_content": PICK if starter else SUMS, "question_id": "abc_1"}
    row |= {"contest_date": "2025-01-04T00:00:00", "starter_code": starter, "metadata": metadata}
    return {**row, "public_test_cases": json.dumps(public), "private_test_cases": private}


_CONTEST: dict[str, Any] = {
    "name": "9_A. Sums",
    "description": SUMS,
    "public_tests": {"input": INPUTS[:1], "output": OUTPUTS[:1]},
    "private_tests": {"input": INPUTS[1:], "output": OUTPUTS[1:]},
    "generated_tests": {"input": [], "output": []},
    "solutions": {"language": [2, 1, 3], "solution": ["int main() {}", "print 1", PROGRAM]},
    "time_limit": {"seconds": 1, "nanos": 500000000},
    "input_file": "",
}
_STDIN = [{**pair, "testtype": "stdin"} for pair in PAIRS]

SAMPLES: dict[str, Sample] = {
    "apps": Sample("apps", _apps(STDIO, solutions=json.dumps(["print 1", PROGRAM])), task_id="APPS/7", gold=True),
    "apps, lists of lines": Sample(
        "apps", _apps({"inputs": [text.split("\n") for text in INPUTS], "outputs": [t.split("\n") for t in OUTPUTS]})
    ),
    "apps, function": Sample("apps", _apps(CALLED, question=PICK, starter_code=FUNCTION.split("\n")[0]), call=True),
    "apps, bare results": Sample("apps", _apps({**CALLED, "outputs": RESULTS}, question=PICK), call=True),
    "apps, Python literal": Sample("apps", _apps(str(CALLED), question=PICK, starter_code=HEAD), call=True),
    "apps, a method as gold": Sample(
        "apps", _apps(CALLED, question=PICK, solutions=json.dumps([method(FUNCTION)])), call=True, gold=True
    ),
    "taco": Sample("apps", {"question": SUMS, "input_output": json.dumps(STDIO), "solutions": [PROGRAM]}, gold=True),
    "tests as a struct": Sample("apps-verified", {"question": SUMS, "tests": STDIO, "starter_code": ""}),
    "tests as text": Sample("apps-verified", {"question": PICK, "tests": json.dumps(CALLED)}, call=True),
    "code-contests": Sample("code-contests", _CONTEST, task_id="9_A. Sums", gold=True),
    "code-contests, lists of structs": Sample(
        "code-contests",
        {**_CONTEST, "public_tests": PAIRS[:2], "private_tests": PAIRS[2:], "generated_tests": None},
        gold=True,
    ),
    "livecodebench": Sample("livecodebench", _livecodebench(_STDIN[:1], packed(json.dumps(_STDIN[1:])), "{}")),
    "livecodebench, method": Sample(
        "livecodebench",
        _livecodebench(LINES[:1], packed(json.dumps(LINES[1:])), '{"func_name": "pick"}', HEAD),
        call=True,
        task_id="abc_1",
    ),
    "livecodebench, not packed": Sample(
        "livecodebench", _livecodebench(LINES, json.dumps(LINES), '{"func_name": "pick"}', HEAD), call=True
    ),
    "livecodebench, a list in the pickle": Sample(
        "livecodebench", _livecodebench([], packed(LINES, 2), '{"func_name": "pick"}', HEAD), call=True
    ),
    "verl": Sample("verl", _verl(STDIO, SUMS)),
    "verl, function": Sample("verl", _verl(CALLED, PICK), call=True),
    "verl, list of tests": Sample(
        "verl", _verl([{**test, "metadata": {"func_name": "pick"}} for test in LINES], PICK), True
    ),
    "deepcoder": Sample("deepcoder", {"problem": SUMS, "tests": json.dumps(STDIO), "solutions": [FENCED]}, gold=True),
    "deepcoder, pairs": Sample("deepcoder", {"problem": SUMS, "tests": json.dumps(PAIRS)}),
    "deepcoder, calls": Sample("deepcoder", {"problem": PICK, "tests": json.dumps(CALLS)}, call=True),
    "deepcoder, from livecodebench": Sample(
        "deepcoder",
        {"problem": PICK, "tests": json.dumps(LINES), "metadata": {"func_name": "pick"}, "starter_code": HEAD},
        call=True,
    ),
    "verifiable, Python dict": Sample(
        "verifiable", _verifiable(str({"language": "python", "test_cases": CALLS})), call=True, task_id="vfc_3"
    ),
    "verifiable, JSON in JSON": Sample(
        "verifiable", _verifiable(json.dumps(json.dumps({"language": "python", "test_cases": CALLS}))), call=True
    ),
    "verifiable, struct": Sample(
        "verifiable",
        _verifiable(
            {"language": "python", "test_cases": [{**pair, "type": "stdin_stdout", "fn_name": None} for pair in PAIRS]},
            prompt=SUMS,
            gold_standard_solution=FENCED,
        ),
        gold=True,
    ),
    "verifiable, struct of lists": Sample(
        "verifiable",
        _verifiable({"language": "python", "test_cases": {key: [call[key] for call in CALLS] for key in CALLS[0]}}),
        call=True,
    ),
    "deepcoder, the function is that of the starter code": Sample(
        "deepcoder", {"problem": PICK, "tests": json.dumps(LINES), "metadata": "{}", "starter_code": HEAD}, call=True
    ),
    "verifiable, ground truth": Sample(
        "verifiable", _verifiable(json.dumps({"ground_truth": json.dumps(CALLED)})), call=True
    ),
    "rstar-coder": Sample(
        "rstar-coder",
        {"question_id": "seed_1", "question": SUMS, "inputs": json.dumps(INPUTS), "outputs": json.dumps(OUTPUTS)},
        task_id="seed_1",
    ),
    "rstar-coder, function": Sample(
        "rstar-coder",
        {"question": PICK, "inputs": ARGUMENTS, "outputs": RESULTS, "func_name": "pick", "class_name": "Solution"},
        call=True,
    ),
    "cure": Sample(
        "cure",
        {"task_id": 3, "question": SUMS, "test_input": INPUTS, "test_output": OUTPUTS, "solutions": PROGRAM},
        task_id="CURE/3",
        gold=True,
    ),
    "codeforces": Sample("codeforces", _codeforces(), task_id="Codeforces/9/A"),
    "codeelo": Sample(
        "codeelo",
        {"problem_id": "9A", "description": SUMS, "input": "Lines.", "output": "Sums.", "interaction": ""}
        | {"examples": [list(pair.values()) for pair in PAIRS], "time_limit_ms": 1500},
        task_id="Codeforces/9A",
    ),
    "nemo-gym": Sample(
        "nemo-gym",
        {"responses_create_params": {"input": [{"role": "user", "content": SUMS}]}, "hash_id": "h1"}
        | {"verifier_metadata": {"unit_tests": json.dumps(STDIO)}},
        task_id="h1",
    ),
}
"""Samples by what they show."""

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no tests": (_apps(""), "holds no test"),
    "no test in the struct": (_apps({"inputs": [], "outputs": []}), "holds no test"),
    "broken JSON": (_apps('{"inputs": ['), "neither JSON .* nor a Python literal"),
    "deep JSON": (_apps("[" * 200_000), "nested too deeply"),
    "deep JSON in a test": (_apps(json.dumps({**CALLED, "inputs": "[" * 200_000})), "nested too deeply"),
    "text in text in text": (
        _apps(json.dumps(json.dumps(json.dumps(json.dumps(json.dumps(STDIO)))))),
        "JSON text within",
    ),
    "different lengths": (_apps({"inputs": ["1"], "outputs": []}), "different lengths"),
    "a number for the tests": (_apps("7"), "list of structs"),
    "a dict for an input": (_apps({"inputs": [{}], "outputs": ["1"]}), "test 0: the input must be text"),
    "half a character": (_apps({"inputs": ["\ud800"], "outputs": ["1"]}), "lone surrogate"),
    "a number for the statement": (_apps(STDIO, question=5), "question must be text, not int"),
    "a blank statement": (_apps(STDIO, question=" "), "holds no statement"),
    "pictures": (_apps(STDIO, question="See ![this](a.png)."), "images"),
    "interactive": (_apps(STDIO, question="This is an interactive problem."), "interactive"),
    "a wrong name": (_apps({**CALLED, "fn_name": "f(); import os"}), "cannot be the name of a function"),
    "a list for a name": (_apps({**CALLED, "fn_name": ["f"]}), "different lengths"),
    "code for an argument": (
        _livecodebench([{**LINES[0], "input": "open('x')"}], "", '{"func_name": "f"}'),
        "neither JSON",
    ),
    "another language": (_verifiable({"language": "rust", "test_cases": []}), "asks for rust"),
    "an unknown type of test": (
        _verifiable({"test_cases": [{"type": "sql", "input": "", "output": ""}]}),
        "type 'sql'",
    ),
    "mixed tests": (
        _verifiable({"test_cases": [CALLS[0], {**PAIRS[0], "type": "stdin_stdout"}]}),
        "some for a function",
    ),
    "no function": (_verifiable({"test_cases": [{**CALLS[0], "fn_name": None}]}), "names no function"),
    "mathematics": (_verl(STDIO, SUMS, ability="math"), "asks for no code"),
    "a number for messages": (_verl(STDIO, SUMS, prompt=3), "list of messages"),
    "a picture for a message": (
        _verl(STDIO, SUMS, prompt=[{"role": "user", "content": [{"image": 1}]}]),
        "must hold text",
    ),
    "files": ({**_CONTEST, "input_file": "in.txt"}, "must use a file"),
    "an image in a contest": ({**_CONTEST, "description": "See <image>."}, "images"),
    "interaction": (_codeforces(interaction_format="Ask and read."), "interactive"),
    "a checker that evaluates": (_codeforces(generated_checker="print(eval('1'))"), "could run what a solution prints"),
    "a checker that is no program": (_codeforces(generated_checker="print(1"), "cannot be read as a Python program"),
    "a truncated pickle": (
        _livecodebench([], packed(json.dumps(_STDIN))[:-8], "{}"),
        "cannot be unpacked|neither JSON",
    ),
    "no base64": (_livecodebench([], "not packed", "{}"), "cannot be unpacked"),
}
"""Rows that are left out, with their messages."""
