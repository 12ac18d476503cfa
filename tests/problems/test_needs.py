"""Tests of the packages that problems need by their imports and `libs`, and of messages about missing packages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codepref.cli.main import main
from codepref.problems import load_problems
from codepref.problems.needs import missing_packages, packages_needed
from codepref.records import Problem, Test

ABSENT = "package_that_nobody_has"


def problem(preamble: str = "", test: str = "", *, kind: str = "unittest", libs: object = None) -> Problem:
    meta = {} if libs is None else {"libs": libs}
    return Problem("t", "p", "f", (Test("t", "0", test, kind),), preamble=preamble, meta=meta)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (problem("import os, re\nfrom typing import List"), set()),
        (problem("import pandas.io as p, os; import lxml\nfrom bs4.element import Tag"), {"pandas", "lxml", "bs4"}),
        (problem(test="def test():\n    import numpy as np\n    from . import x"), {"numpy"}),
        (problem("try:\n    import ujson\nexcept ImportError:\n    ujson = None"), set()),
        (problem("text = '''\nimport nothing\n'''"), set()),
        (problem(libs="['pandas', 'matplotlib.pyplot', 'random']"), {"pandas", "matplotlib"}),
        (problem(libs=["sklearn"]), {"sklearn"}),
        (problem(libs="no list"), set()),
        (problem(test='{"input": "import x", "output": ""}', kind="stdio"), set()),
    ],
)
def test_needed_packages_come_from_imports_and_libs(one: Problem, names: set[str]) -> None:
    assert packages_needed(one) == names


@pytest.mark.parametrize(
    "one",
    [
        problem(f"import os, {ABSENT}.sub as x"),
        problem(f"import os; import {ABSENT}"),
        problem(test=f"class T:\n    from {ABSENT} import y"),
        problem(libs=[ABSENT, "os"]),
    ],
)
def test_a_package_that_is_not_installed_is_missing(one: Problem) -> None:
    assert missing_packages([problem("import numpy"), one]) == {ABSENT: ["t"]}


def test_an_import_inside_a_string_does_not_count() -> None:
    assert missing_packages([problem(f"text = '''\nimport {ABSENT}\n'''")]) == {}


def test_needed_packages_of_published_problems(data: Path) -> None:
    """Four problems, whose expected packages were read by hand in their prompts and suites."""
    problems = {p.task_id: p for p in load_problems(data / "bigcodebench" / "bigcodebench-first20.jsonl.gz")}
    assert packages_needed(problems["BigCodeBench/0"]) == set()
    assert packages_needed(problems["BigCodeBench/100"]) == {"pandas", "matplotlib"}
    assert packages_needed(problems["BigCodeBench/1010"]) == {"PIL", "requests"}
    assert packages_needed(problems["BigCodeBench/101"]) == {"seaborn", "pandas", "numpy", "matplotlib"}


@pytest.mark.xdist_group("execution")
@pytest.mark.parametrize("command", ["execute", "evaluate"])
def test_the_commands_report_missing_packages(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f(), 1)\n"
    rows = [
        {"task_id": "a", "complete_prompt": f"import {ABSENT}\ndef f():\n", "canonical_solution": "    return 1"},
        {"task_id": "b", "complete_prompt": "def f():\n", "canonical_solution": "    return 1"},
    ]
    text = "".join(json.dumps({**row, "test": suite, "entry_point": "f"}) + "\n" for row in rows)
    (tmp_path / "p.jsonl").write_text(text)
    (tmp_path / "s.jsonl").write_text('{"task_id": "b", "solution": "def f(): return 1"}\n')
    options = ["--problems", str(tmp_path / "p.jsonl"), "--solutions", str(tmp_path / "s.jsonl"), "--jobs", "1"]
    assert main([command, *options, "--out", str(tmp_path / "out")]) == 0
    output = capsys.readouterr().err
    assert (
        f"1 of 2 problems need packages that are not installed here, so their solutions may fail: {ABSENT} (a)"
        in output
    )
    assert f"pip install {ABSENT}" in output
