"""Tests of long answers of a model that repeats itself. Reading them in quadratic time would take too long."""

from __future__ import annotations

import pytest

from codepref.judging.parsing import parse_ratings
from codepref.records import Problem
from codepref.sampling.extract import extract_program, is_wrapped
from codepref.sampling.tags import without_bracketed_end

LENGTH = 200_000
ADD = Problem("add", "Write add(a, b).", "add")
PROGRAM = "def add(a, b):\n    return a + b\n"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("unit", [" ", "\t", "\n", " \n", "\u3000", "<", "[", "<|", "'", "[e~[ "])
def test_an_answer_that_repeats_itself_is_read(unit: str) -> None:
    repeated = unit * (LENGTH // len(unit))
    assert not is_wrapped(f"a{repeated}b")
    assert extract_program(f"```python\n{PROGRAM}```\n{repeated}.", ADD) == PROGRAM
    assert without_bracketed_end(f"{PROGRAM}{repeated}.", "") == f"{PROGRAM}{repeated}."
    assert parse_ratings(f"{repeated}.", 1, 1, 5).values == {}


@pytest.mark.parametrize("end", ["[e~[", " [e~[\n", "\n\n<turn|>  "])
def test_an_end_token_with_other_brackets_is_removed(end: str) -> None:
    assert extract_program(PROGRAM + end, ADD) == PROGRAM


@pytest.mark.parametrize(("end", "rest"), [("[EOS]", ""), (" \t[EOS] \n", ""), ("\n[EOS]", "\n"), ("[THEN]", "[THEN]")])
def test_a_bracketed_end_token_is_removed_with_the_blanks_around_it(end: str, rest: str) -> None:
    assert without_bracketed_end(f"    return a{end}", "") == f"    return a{rest}"
