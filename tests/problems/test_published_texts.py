"""Texts as published problems have them: tests that call themselves, suites, prompts without a newline, spaces."""

from __future__ import annotations

from typing import Any

import pytest

import codepref
from codepref.problems.load import problems_from_rows

pytestmark = pytest.mark.xdist_group("execution")

ROW = {
    "task_id": "Python/900",
    "prompt": 'def thrice(text: str) -> str:\n    """Return the text three times."""\n',
    "canonical_solution": "    return text * 3\n",
    "entry_point": "thrice",
}
CASE = "    def test_it(self):\n        self.assertEqual(thrice('ab'), 'ababab')\n"


def codes(row: dict[str, Any], *bodies: str) -> list[str]:
    """Return the verdict codes of the solutions that complete the row's prompt with one of `bodies` each."""
    rows = [{"task_id": row["task_id"], "completion": body} for body in bodies]
    (matrix,) = codepref.execute(problems_from_rows([row]), rows, jobs=1)
    return [verdict.codes for verdict in matrix.verdicts]


@pytest.mark.parametrize(
    ("test", "kind"),
    [
        ("def check(candidate):\n    assert candidate('ab') == 'ababab'\n", "check"),
        ("def check(thrice):\n    assert thrice('ab') == 'ababab'\n\ncheck(thrice)", "check"),
        ("def check(candidate: object) -> None:\n    assert candidate('ab') == 'ababab'\n", "check"),
        ("def check(*functions):\n    assert functions[0]('ab') == 'ababab'\n", "check"),
        ("def check():\n    assert thrice('ab') == 'ababab'\n\ncheck()", "asserts"),
        ("def check_thrice():\n    assert thrice('ab') == 'ababab'\n\ncheck_thrice()\n", "asserts"),
        ("def test_thrice(candidate):\n    assert candidate('ab') == 'ababab'\n\ntest_thrice(thrice)\n", "asserts"),
        ("def check():\n    assert thrice('ab') == 'ababab'\n", "asserts"),
        ("def test_thrice():\n    assert thrice('ab') == 'ababab'\n", "pytest"),
        ("def run():\n    assert thrice('ab') == 'ababab'\n\nif __name__ == '__main__':\n    run()\n", "asserts"),
        ("# a comment\nassert thrice('ab') == 'ababab'\nprint('done')", "asserts"),
        (f"import unittest\nclass T(unittest.TestCase):\n{CASE}", "unittest"),
        (f"import unittest\nclass T(unittest.TestCase):\n{CASE}\nunittest.main()\n", "unittest"),
        (f"from unittest import TestCase, main\nclass T(TestCase):\n{CASE}\nmain(exit=False)\n", "unittest"),
        (
            f"import unittest\nclass T(unittest.TestCase):\n{CASE}\nif __name__ == '__main__':\n    unittest.main()\n",
            "unittest",
        ),
    ],
)
def test_the_text_of_a_test_decides_how_it_is_run(test: str, kind: str) -> None:
    row = {**ROW, "test": test}
    assert problems_from_rows([row])[0].tests[0].kind == kind
    right, wrong = codes(row, ROW["canonical_solution"], "    return text\n")
    assert (right, wrong) == ("P", "F")


@pytest.mark.parametrize(
    "body", ["    return text * 3", "# a comment\n    return text * 3\n", "    count = 3\n    return text * count"]
)
def test_a_prompt_without_a_newline_at_its_end_is_continued_in_a_new_line(body: str) -> None:
    row = {**ROW, "prompt": ROW["prompt"].rstrip(), "canonical_solution": body}
    row["test"] = "assert thrice('ab') == 'ababab'"
    (problem,) = problems_from_rows([row])
    assert problem.gold == ROW["prompt"] + body
    assert codes(row, body, "\n    return text * 3\n", "    return text\n") == ["P", "P", "F"]


def test_a_prompt_that_is_continued_in_its_last_line_stays() -> None:
    row = {**ROW, "prompt": "def thrice(text):\n    return", "canonical_solution": " text * 3\n"}
    (problem,) = problems_from_rows([{**row, "test": "assert thrice('ab') == 'ababab'"}])
    assert problem.prompt == row["prompt"]


@pytest.mark.parametrize("name", ["thrice ", " thrice", "thrice\n", "\tthrice \r\n", "thrice\u00a0"])
def test_white_space_around_an_entry_point_is_not_part_of_its_name(name: str) -> None:
    row = {
        **ROW,
        "entry_point": name,
        "test": "def check(candidate):\n    assert candidate('ab') == 'ababab' == thrice('ab')\n",
    }
    assert problems_from_rows([row])[0].entry_point == "thrice"
    assert codes(row, ROW["canonical_solution"], "    return text\n") == ["P", "F"]


def test_tests_of_mbpp_may_build_objects_of_the_solutions_class() -> None:
    gold = (
        "class Pair:\n    def __init__(self, a, b):\n        self.a, self.b = a, b\n\n"
        "def span(pairs):\n    return sum(p.b - p.a for p in pairs)\n"
    )
    asserts = ["assert span([Pair(1, 4), Pair(2, 3)]) == 4", "assert span([]) == 0"]
    row = {"task_id": 900, "text": "Write a function.", "code": gold, "test_list": asserts, "test_setup_code": ""}
    (problem,) = problems_from_rows([row])
    assert problem.entry_point == "span"
    rows = [{"task_id": 900, "solution": text} for text in (gold, gold.replace("p.b - p.a", "p.b"))]
    (matrix,) = codepref.execute([problem], rows, jobs=1)
    assert [verdict.codes for verdict in matrix.verdicts] == ["PP", "FP"]
