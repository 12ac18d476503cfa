"""Tests of extracting programs from raw model text."""

from __future__ import annotations

import ast
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.records import Problem
from codepref.sampling.extract import extract_program, program_from_completion, with_preamble

ADD = Problem("add", "Write add(a, b).", "add")
TOTAL = Problem(
    "total",
    'import math\nfrom typing import List\n\nK = 2\n\n\ndef total(xs: List[int]) -> int:\n    """Sum."""\n',
    "total",
    style="complete",
    preamble="import math\nfrom typing import List\nK = 2\n",
)
SUM = Problem("sum", "Add all numbers of the input.", "main", style="program")
PROGRAM = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    "raw",
    [
        PROGRAM,
        f"```python\n{PROGRAM}```",
        f"```\n{PROGRAM}```",
        f"~~~py\n{PROGRAM}~~~",
        f"````python\n{PROGRAM}````\n",
        f"Sure!\n\n```python\n{PROGRAM}\n```\nIt's simple (really).",
        f"```python\n{PROGRAM}",
        f"Answer: ```python\n{PROGRAM}```",
        f"```python\r\n{PROGRAM.replace(chr(10), chr(13) + chr(10))}```",
        "```python\ndef add(a, b):\n    return a + b```",
        "1. Do this:\n   ```python\n   def add(a, b):\n       return a + b\n   ```\n",
        f"<think>def add(a, b): return 0\n```python\n1\n```</think>\n```python\n{PROGRAM}```",
        f"I think, so I am.</think>{PROGRAM}",
        f"Here is my function.\n{PROGRAM}\nIt adds (as asked",
        "Here is the function:\n\n    def add(a, b):\n        return a + b\n\nDone.",
        f"{PROGRAM}assert add(1, 2) == 3\nassert add(1,",
        f"{PROGRAM}\nprint(add(1, 2))\nresult = add(3, 4)\n",
        f"{PROGRAM}\nif __name__ == '__main__':\n    print(add(1, 2))\n",
        f"{PROGRAM}\ndef test_add():\n    assert add(1, 2) == 3\n\ntest_add()\n",
        f"import pytest\n\n{PROGRAM}\ndef test_add():\n    with pytest.raises(TypeError):\n        add(1)\n",
        f"import unittest\n\n{PROGRAM}\nclass T(unittest.TestCase):\n    def test(self):\n        self.fail(add(1, 2))",
        f"{PROGRAM}\nfor n in range(3):\n    print(add(n, n))\n",
        f"The signature is\n```python\ndef add(a, b):\n    ...\n```\nand the answer\n```python\n{PROGRAM}```",
        f"```bash\npip install x\n```\n```python\n{PROGRAM}```\n```python\nassert add(1, 2) == 3\n```",
        f"```python\n{PROGRAM}```\nUsage:\n```python\nadd = 3\n",
        f'"""Adds."""\n{PROGRAM}',
        f"```python\n{PROGRAM}```python\nadd(1, 2)\n```",
    ],
)
def test_the_program_is_extracted_from_the_answer(raw: str) -> None:
    assert extract_program(raw, ADD) == PROGRAM


def test_a_body_that_only_yields_from_something_is_a_body() -> None:
    program = extract_program("```python\ndef add(a, b):\n    yield from (a, b)\n```", ADD)
    assert program == "def add(a, b):\n    yield from (a, b)\n"
    program = extract_program("    yield from xs\n", TOTAL)
    assert program.endswith("    yield from xs\n")
    assert program.startswith("import math")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "I cannot answer that.",
        "```python\ndef sub(a, b):\n    return a - b\n```",
        "```python\ndef add(a, b):\n    return a +",
        "def add(a, b):\n    for x in",
        "<think>def add(a, b): return a + b",
        "add(1, 2) == 3",
        "def add(a, b):\n    return '\x00'",
        "(" * 5_000,
    ],
)
def test_an_answer_without_a_whole_entry_point_has_no_program(raw: str) -> None:
    assert extract_program(raw, ADD) == ""


READS = "import sys\n\nprint(sum(map(int, sys.stdin)))\n"


@pytest.mark.parametrize(
    ("raw", "program"),
    [
        (f"```python\n{READS}```", READS),
        (READS, READS),
        (
            f"<think>input()</think>First\n```\nx = 1\ny = 2\nz = [x, y] * 100\n```\n```python\n{READS}```\nRun it.",
            READS,
        ),
        (
            "```bash\npip install x\n```\n```python\nif True:\n    print(int(input()) + 1)\n",
            "if True:\n    print(int(input()) + 1)\n",
        ),
        ("```python\nprint(1)\n```\n```python\nprint(1 + 1)\n```", "print(1 + 1)\n"),
        ("The program:\n\nn: int = int(input())\nprint(n)\n\nIt reads n.\n", "n: int = int(input())\nprint(n)\n"),
        ("```python\nprint(int(input(\n```", ""),
        ("Read the numbers and add them.", ""),
        ("# nothing\n", ""),
    ],
)
def test_a_whole_program_is_extracted_unchanged(raw: str, program: str) -> None:
    assert extract_program(raw, SUM) == program
    assert extract_program(program, SUM) == program


def test_definitions_that_the_function_needs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "setrecursionlimit", lambda limit: None)  # the program calls it in this process
    raw = """\
import sys, json
from functools import lru_cache

sys.setrecursionlimit(10_000)
PRIMES = []
for n in range(2, 10):
    if all(n % p for p in PRIMES):
        PRIMES.append(n)
example = [1, 2]
unused = 3
try:
    import numpy as np
except ImportError:
    np = None


class Box:
    size = 1


# memoised
@lru_cache
def helper(x):
    return x + PRIMES[0] + Box.size


def add(a, b):
    return helper(a) + b if np else 0


add.calls = 0
print(json.dumps(add(1, 2)), example)
"""
    program = extract_program(raw, ADD)
    names: dict[str, object] = {}
    exec(program, names)
    assert names["add"](1, 2) == 6  # type: ignore[operator]
    assert "# memoised\n@lru_cache" in program
    assert all(part in program for part in ("setrecursionlimit", "add.calls = 0", "class Box"))
    assert not any(part in program for part in ("print", "example", "unused"))


def test_an_import_that_only_dropped_code_uses_is_dropped() -> None:
    raw = f"import pandas\nimport math\n\n{PROGRAM}\nprint(pandas.DataFrame([add(1, 2)]))\n"
    assert "pandas" not in extract_program(raw, ADD)
    assert "import math" in extract_program(raw, ADD)


def test_helpers_from_other_blocks_are_added() -> None:
    raw = (
        "```python\ndef add(a, b):\n    return plus(a, b)\n```\nwith\n```python\nimport operator\n\nSHIFT = 0\n"
        "def plus(a, b):\n    return operator.add(a, b) + SHIFT\n\ndef other():\n    pass\n```"
    )
    names: dict[str, object] = {}
    program = extract_program(raw, ADD)
    exec(program, names)
    assert names["add"](1, 2) == 3  # type: ignore[operator]
    assert "other" not in program


def test_a_lambda_can_define_the_entry_point() -> None:
    assert extract_program("add = lambda a, b: a + b\nprint(add(1, 2))", ADD) == "add = lambda a, b: a + b\n"


def test_example_code_with_names_of_local_variables_is_dropped() -> None:
    raw = "numbers = [1, 2]\n\ndef add(numbers, b):\n    result = b\n    return result\n\nresult = add(numbers, 1)\n"
    assert extract_program(raw, ADD) == "def add(numbers, b):\n    result = b\n    return result\n"


def test_missing_parts_of_the_preamble_come_first() -> None:
    program = extract_program("```python\ndef total(xs: List[int]):\n    return sum(xs) * K\n```", TOTAL)
    assert program == "from typing import List\nK = 2\n\n\ndef total(xs: List[int]):\n    return sum(xs) * K\n"


def test_future_imports_stay_first() -> None:
    program = "from __future__ import annotations\n\n\ndef total(xs: List[int]):\n    return math.fsum(xs)\n"
    lines = with_preamble(program, TOTAL).split("\n")
    assert lines[0] == "from __future__ import annotations"
    assert set(lines[1:3]) == {"import math", "from typing import List"}
    assert with_preamble("def total(xs):\n    return 0\n", TOTAL) == "def total(xs):\n    return 0\n"


@pytest.mark.parametrize(
    "raw",
    ["    return sum(xs) * K\n", "```python\n    return sum(xs) * K\n```", "\n    return sum(xs) * K\n\nprint(1)"],
)
def test_an_answer_with_only_the_body_continues_a_code_prompt(raw: str) -> None:
    names: dict[str, object] = {}
    exec(extract_program(raw, TOTAL), names)
    assert names["total"]([1, 2]) == 6  # type: ignore[operator]


@pytest.mark.parametrize(
    "token",
    [
        "<|im_end|>", "</s>", "<end_of_turn>", "<｜end▁of▁sentence｜>", "[END_OF_TEXT]", "[EOS]", "[|endofturn|]",
        "<eoa>", "<seed:eos>", "[e~[", "<turn|>", "[unused10]", "<extra_id_1>", "<reserved_107>",
        "<fim_middle>", "<file_sep>",
    ],
)  # fmt: skip
def test_an_end_token_behind_a_raw_completion_is_left_out(token: str) -> None:
    completion = "    return sum(xs) * K"
    assert program_from_completion(completion + token, TOTAL) == TOTAL.prompt + completion
    assert program_from_completion(f"{completion}\n{token}", TOTAL).rstrip() == TOTAL.prompt + completion


def test_code_that_looks_like_an_end_token_is_kept() -> None:
    text = "    ends = ['[END_OF_TEXT]', '<turn|>']\n    EOS = 1\n    return ends[K] <eoa> xs[EOS]"
    assert program_from_completion(text, TOTAL) == TOTAL.prompt + text
    assert program_from_completion("    return xs[N]", TOTAL) == TOTAL.prompt + "    return xs[N]"


def test_a_raw_completion_is_not_repaired() -> None:
    assert program_from_completion("    return (", TOTAL) == TOTAL.prompt + "    return ("


PIECES = st.sampled_from(
    [
        "```python\n",
        "```\n",
        "~~~\n",
        "def add(a, b):\n",
        "    return a + b\n",
        "def add(a, b): return a\n",
        "\n",
        "assert add(1, 2) == 3\n",
        "import math\n",
        "x = add(1, 2)\n",
        "TABLE = [1]\n",
        "    if a:\n",
        "Here's it:\n",
        "class A:\n",
        "@cache\n",
        "# comment\n",
        "def helper(): return TABLE\n",
        "'''",
        "(",
        "<think>",
        "</think>",
        "\t",
        "if __name__ == '__main__':\n",
        "for i in TABLE: print(i)\n",
        "a = 1; b = 2\n",
        "\\\n",
        "\x0c",
        "é",
        "\r\n",
        "from __future__ import annotations\n",
        "from typing import List\n",
        "    x: List[int] = K\n",
        "\x00",
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=60), st.sampled_from([ADD, TOTAL]))
def test_an_extracted_program_defines_the_entry_point_and_is_extracted_unchanged(raw: str, problem: Problem) -> None:
    program = extract_program(raw, problem)
    assert extract_program(program, problem) == program
    if program:
        bound = {
            name
            for node in ast.parse(program).body
            for name in [
                getattr(node, "name", ""),
                *(getattr(target, "id", "") for target in getattr(node, "targets", [])),
            ]
        }
        assert problem.entry_point in bound
        assert not any(isinstance(node, ast.Assert) for node in ast.parse(program).body)
