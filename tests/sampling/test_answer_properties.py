"""Tests with generated answers: extraction raises nothing, takes linear time, and finds a program in each wrapping."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codepref.records import Problem
from codepref.sampling.extract import extract_program, is_wrapped, program_from_completion
from codepref.sampling.tags import answer_text

FUNCTION = Problem("area", "Write area(a, b).", "area")
WHOLE = Problem("sum", "Print the sum of the input.", "", style="program")
PROMPT = Problem("area", 'def area(a, b):\n    """Return the area."""\n', "area", style="complete")
PROBLEMS = [FUNCTION, WHOLE, PROMPT]

LINES = st.sampled_from(
    [
        "x = 1",
        "text = '```'",
        'mark = "<|im_end|>"',
        "tag = '<think>' + '</think>'",
        "# <thinking> about it",
        "rows = [[1, 2], [3]]",
        "if True:\n    x = 2",
        "for row in (1, 2):\n    print(row)",
        "def helper(row):\n    '''Help.\n\n    ```\n    helper([])\n    ```\n    '''\n    return row",
        'TABLE = """\n~~~\n</s>\n```python\n"""',
        "class Box:\n    size = 3",
        "import math",
    ]
)
PROGRAMS = st.lists(LINES, max_size=6).map(lambda lines: "\n".join([*lines, "print(input())"]) + "\n")
PROSE = st.sampled_from(["", "Sure, here is the program:\n\n", "It's done (as you asked).\n", "1. First:\n"])


def quoted(text: str) -> str:
    return "".join(f"> {line}\n" for line in text.splitlines())


WRAPPINGS: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: f"```python\n{text}```",
    lambda text: f"```\n{text}\n```\n",
    lambda text: f"~~~py\n{text}~~~\n",
    lambda text: f"````Python3 title='a'\n{text}````\n",
    lambda text: f"```python\n{text}",
    lambda text: f"{text}```\n",
    lambda text: f"{text}<|endoftext|>",
    lambda text: f"```python\n{text}<|im_end|>\n",
    lambda text: f"\ufeff{text}",
    lambda text: f"<think>\nprint(1)\n</think>\n{text}",
    lambda text: f"Let me see.\n</thinking>\n```python\n{text}```",
    lambda text: f"```python\nprint(input() * 2)\n```\nNo.\n```python\n{text}```\n",
    lambda text: f"```python\n{text}```\nIt prints\n```\n4\n```\n",
    lambda text: f"```bash\npython a.py\n```\n```python\n{text}```\n",
    lambda text: f"```python\n{text}```".replace("\n", "\r\n"),
    lambda text: quoted(f"```python\n{text}```"),
    lambda text: f"````markdown\n```python\n{text}```\n````\n",
]


@given(PROGRAMS, st.sampled_from(WRAPPINGS))
def test_a_wrapped_program_is_found_unchanged(program: str, wrap: Callable[[str], str]) -> None:
    assert extract_program(wrap(program), WHOLE) == program


@given(PROGRAMS, st.sampled_from(WRAPPINGS[1:7]), PROSE, PROSE)
def test_prose_around_the_fences_changes_nothing(
    program: str, wrap: Callable[[str], str], before: str, after: str
) -> None:
    answer = wrap(program)
    if answer.startswith(program):  # code and a closing fence: prose cannot stand before it
        before = ""
    if not answer.rstrip().endswith(("```", "~~~")):
        after = ""
    assert extract_program(f"{before}{answer}\n{after}", WHOLE) == program


@given(st.lists(LINES, max_size=4), st.sampled_from(WRAPPINGS))
def test_a_wrapped_function_is_found(lines: list[str], wrap: Callable[[str], str]) -> None:
    program = "\n".join([*lines, "def area(a, b):\n    return a * b\n"])
    names: dict[str, object] = {}
    exec(extract_program(wrap(program), FUNCTION), names)
    assert names["area"](3, 4) == 12  # type: ignore[operator]


FENCES = ["```", "```python\n", "~~~", "```markdown\n", "> ", "- ", ">>> x\n"]
TAGS = ["<think>", "</think>", "<|im_end|>", "[/INST]", "<answer>", "<|channel|>final<|message|>", "<pre>\n", "</pre>"]
CODE = ["input()", "print(x)\n", "def area(a, b):\n", "    return a\n", "'''", '"""', "(", "x", "#", "\\", "\n"]
OTHERS = ["\ufeff", "It's", "\x00", "\ud800", "\r", "[PYTHON]\n", "&lt;"]
PIECES = st.sampled_from([*FENCES, *TAGS, *CODE, *OTHERS])


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=80), st.sampled_from(PROBLEMS))
@settings(max_examples=300)
def test_extraction_never_fails_and_its_result_is_extracted_unchanged(raw: str, problem: Problem) -> None:
    program = extract_program(raw, problem)
    assert extract_program(program, problem) == program
    assert isinstance(program_from_completion(raw, problem), str)


HOSTILE = [
    "```python\n",
    "```\n",
    "```python\n'''\n```\n",
    "```markdown\n",
    "~~~\n```\n",
    "<think>",
    "</think>x",
    "x<|im_end|>\n",
    "x;",
    "def area(\n",
    "```python\nx = input()\nprint(y)\n```\n",
    "'a ",
    "> ```python\n> x\n",
    "a ```b\n",
    '\\"',
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_the_time_grows_with_the_length_of_a_hostile_answer(unit: str) -> None:
    """Quadratic time would take minutes for the longer text. The limit allows for a busy machine."""
    for problem in PROBLEMS:
        short, long = (_cpu_seconds(unit * (size // len(unit)), problem) for size in (10_000, 100_000))
        assert long < 40 * short + 2


def _cpu_seconds(raw: str, problem: Problem) -> float:
    start = time.process_time()
    extract_program(raw, problem)
    return time.process_time() - start


def test_code_alone_is_not_wrapped() -> None:
    assert not is_wrapped("print('<think>', '```')\n")
    assert is_wrapped("\ufeffprint(1)\n")
    assert is_wrapped("```python\nprint(1)\n```")


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ("<think>a</think>b", "b"),
        ("a</think>b", "b"),
        ("<think>a", ""),
        ("<think>a</think>b</think>", "b"),
        ("Say `<think>` to think.", "Say `<think>` to think."),
        ("a<|im_end|>b", "a"),
        ("<|im_start|>assistant\na<|im_end|>", "a"),
        ("<plan>a</plan>b", "b"),
        ("<plan> is the tag", "<plan> is the tag"),
    ],
)
def test_thinking_and_tokens_are_no_part_of_the_answer(raw: str, answer: str) -> None:
    assert answer_text(raw) == answer
