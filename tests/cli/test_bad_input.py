"""`codepref execute` answers wrong input with a verdict code or a message instead of a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest

from codepref.cli.main import main

pytestmark = pytest.mark.xdist_group("execution")

PROBLEM = {"task_id": "a", "prompt": "Add one to x.", "entry_point": "f", "tests": ["assert f(1) == 2"]}
RIGHT = {"task_id": "a", "solution": "def f(x): return x + 1"}
WRONG = {"task_id": "a", "solution": "def f(x): return x"}
PLUS = {
    "task_id": "HumanEval/900",
    "prompt": "def f(x):\n",
    "entry_point": "f",
    "canonical_solution": "    return x + 1\n",
    "base_input": [[1]],
    "plus_input": [],
    "atol": 0,
}
PLUS_RIGHT = {"task_id": "HumanEval/900", "solution": RIGHT["solution"]}
MILLION = 1_000_000


class Result(NamedTuple):
    """How a command ended: its exit status, its output, and the verdict codes of each solution."""

    status: int
    out: str
    err: str
    codes: list[str]


@pytest.fixture
def execute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Return a function execute(problems, solutions, *options, tests=...) that runs the command in this process.

    problems, solutions and tests are rows, or the bytes of a file.
    """

    def run(problems: object = (PROBLEM,), solutions: object = (RIGHT,), *options: str, tests: object = None) -> Result:
        out = tmp_path / "out"
        command = ["execute", "--problems", _file(tmp_path / "p.jsonl", problems), "--jobs", "1", "--out", str(out)]
        command += ["--solutions", _file(tmp_path / "s.jsonl", solutions), *options]
        command += ["--tests", _file(tmp_path / "t.jsonl", tests)] if tests is not None else []
        status = main(command)
        table = out / "verdicts.parquet"
        codes = pq.read_table(table)["verdicts"].to_pylist() if table.exists() else []
        return Result(status, *capsys.readouterr(), codes)

    return run


def _file(path: Path, rows: object) -> str:
    lines = rows if isinstance(rows, bytes) else b"".join(json.dumps(row).encode() + b"\n" for row in rows)  # type: ignore[attr-defined]
    path.write_bytes(lines)
    return str(path)


def _solution(text: str) -> dict[str, str]:
    return {"task_id": "a", "solution": text}


def test_a_solution_that_cannot_be_compiled_gets_a_code_and_the_others_are_judged(
    execute: Callable[..., Result],
) -> None:
    head = RIGHT["solution"] + "\n"
    sources = {
        "def f(x): return x + 1\0": "E",
        "def f(x): return '\ud800'": "E",
        head + "y = " + "(" * MILLION + ")" * MILLION: "E",
        head + "y = " + "-" * MILLION + "1": "M",  # Python's parser raises MemoryError
        head + "y = " + "not " * MILLION + "1": "M",
        head + "y = " + "1+" * MILLION + "1": "E",
        "def f(x: return )" * 600_000: "E",
        head + "#" * 10_000_000: "P",
        head + "y = '" + "a" * 10_000_000 + "'": "P",
        head + "if 1:\n" + "".join(" " * depth + "if 1:\n" for depth in range(1, 200)) + " " * 200 + "pass": "E",
    }
    result = execute([PROBLEM], [RIGHT, *map(_solution, sources), WRONG])
    assert result.status == 0
    assert result.codes == ["P", *sources.values(), "F"]


@pytest.mark.parametrize(
    ("solutions", "message"),
    [
        (b'{"task_id": "a", "solution": "\xff"}\n', "s.jsonl:1: the line is not valid JSON, because it is not UTF-8"),
        (b'{"task_id": "a", "solution": "\0"}\n', "s.jsonl:1: the line is not valid JSON (Invalid control character"),
        (b'{"task_id": ' + b"[" * MILLION + b"\n", "s.jsonl:1: the JSON is nested too deeply"),
        (b'{"task_id": ' + b"1" * 5000 + b"}\n", "s.jsonl:1: the line is not valid JSON (Exceeds the limit"),
        (b"[1]\n", "s.jsonl:1: the line must be a JSON object, not list"),
        (b'{"b": 1}\n', "s.jsonl:1: has no task_id (columns: b)"),
    ],
)
def test_a_message_names_the_line_of_solutions_that_cannot_be_read(
    solutions: bytes, message: str, execute: Callable[..., Result]
) -> None:
    result = execute([PROBLEM], solutions)
    assert (result.status, result.out, result.codes) == (2, "", [])
    assert message in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"tests": ["assert 1 == 1"]},
        {"tests": ["assert 1 == 2"]},
        {"tests": [""]},
        {"tests": ["def check(candidate):\n    pass"]},
        {"tests": ["assert twice(1) == 2"], "helpers": "def twice(x): return 2 * x"},
        {"tests": [{"kind": "unittest", "source": "x = 1"}]},
        {"tests": ["def test_nothing():\n    assert True\n"]},
    ],
)
def test_a_problem_whose_only_test_proves_nothing_leaves_its_solutions_unjudged(
    change: dict[str, object], execute: Callable[..., Result]
) -> None:
    result = execute([{**PROBLEM, **change}])
    assert (result.status, result.codes) == (0, ["S"])
    assert "tests left out: 1" in result.err
    assert "problems whose tests prove nothing: 1" in result.err


def test_a_test_that_names_nothing_of_the_solution_is_left_out(execute: Callable[..., Result]) -> None:
    result = execute([{**PROBLEM, "tests": ["assert 1 == 1", "assert f(1) == 2", "assert 1 == 2"]}])
    assert (result.status, result.codes) == (0, ["P"])
    assert "a test 0, a test 2" in result.err


DEEP = "(" * MILLION + "1" + ")" * MILLION


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"tests": [f"assert f({DEEP}) == 2"]},
            "p.jsonl:1: test 0 cannot be read as Python (longer than 1,000",
        ),
        ({"tests": ["assert f(" + "-" * 5000 + "1) == 2"]}, "test 0 cannot be read as Python (nested too deeply)"),
        (
            {"tests": ["assert f('\0')"]},
            "0 cannot be read as Python (source code string cannot contain null",
        ),
        ({"tests": ["assert f('\ud800')"]}, "test 0 cannot be read as Python (it holds half a character"),
        (
            {"tests": [{"kind": "unittest", "source": "class ("}]},
            "0 cannot be read as Python (invalid syntax, line 1)",
        ),
        ({"tests": [{"kind": "stdio", "input": "\ud800", "output": ""}]}, "UTF-8 must be able to encode input"),
        ({"helpers": "def g(:"}, "p.jsonl:1: helpers must be a whole Python program, but it is not: invalid syntax"),
        ({"preamble": "import ("}, "p.jsonl:1: preamble must be a whole Python program"),
        ({"gold": "-" * 5000 + "1"}, "gold must be a whole Python program, but it is not: nested too deeply"),
        ({"task_id": "\ud800"}, "p.jsonl:1: task_id '\\ud800' holds half a character"),
    ],
)
def test_a_problem_with_broken_tests_or_broken_code_is_refused(
    change: dict[str, object], message: str, execute: Callable[..., Result]
) -> None:
    result = execute([{**PROBLEM, **change}])
    assert (result.status, result.codes) == (2, [])
    assert message in result.err
    assert len(result.err) < 500


@pytest.mark.parametrize(
    "test",
    [
        "from math import sqrt\nassert sqrt(f(3)) == 2",
        "assert Stack().size == 0",  # it names no entry point, but a class that only a solution defines
        "def check(candidate):\n    assert candidate(1) == 2",
        "assert eval('f(1)') == 2",
        "for n in range(3):\n    assert f(n) == n + 1",
    ],
)
def test_a_test_that_depends_on_the_solution_is_accepted(test: str) -> None:
    from codepref.problems.formats.own import read

    assert read({**PROBLEM, "tests": [test]}, "p:1").tests[0].source == test


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_input": json.loads("[" * 500 + "]" * 500)}, "base_input is nested too deeply"),
        ({"base_input": 3}, "base_input must be a list of argument lists"),
        ({"atol": "small"}, "atol must be a number, not 'small'"),
    ],
)
def test_malformed_inputs_are_refused(change: dict[str, object], message: str, execute: Callable[..., Result]) -> None:
    result = execute([{**PLUS, **change}], [PLUS_RIGHT])
    assert result.status == 2
    assert message in result.err


@pytest.mark.parametrize(
    ("reference", "cause"),
    [
        ("    raise ValueError('boom')\n", "ValueError: boom"),
        ("    return (\n", "SyntaxError: '(' was never closed"),
        ("    return " + "(" * 1000 + "\n", "SyntaxError: too many nested parentheses"),
        ("    import os; os._exit(0)\n", "the solution's process ended"),
    ],
)
def test_a_failing_reference_is_reported_and_counts_against_no_solution(
    reference: str, cause: str, execute: Callable[..., Result]
) -> None:
    result = execute(
        [{**PLUS, "canonical_solution": reference}], [PLUS_RIGHT, {**PLUS_RIGHT, "solution": "def f(x): 0"}]
    )
    assert result.status == 0
    assert result.codes == ["I", "I"]
    assert "2 of 2 verdicts are I, in HumanEval/900: the reference solution gave no expected outputs" in result.err
    assert cause in result.err
    assert result.err.count("\n") == 1


def test_failing_helpers_are_reported_and_count_against_no_solution(execute: Callable[..., Result]) -> None:
    result = execute([{**PROBLEM, "helpers": "import nowhere"}, {**PROBLEM, "task_id": "b"}], [RIGHT])
    assert (result.status, result.codes) == (0, ["I"])
    assert "1 of 1 verdicts are I, in a: the problem's helpers: ModuleNotFoundError" in result.err


def test_a_failing_gold_solution_is_reported_where_no_solution_passed(execute: Callable[..., Result]) -> None:
    impossible = {**PROBLEM, "tests": ["assert f(1) == 2", "assert f(1) == 3"], "gold": "def f(x): return x + 1"}
    result = execute([impossible], [RIGHT, WRONG])
    assert (result.status, result.codes) == (0, ["PF", "FF"])
    assert "gold solutions fail their problems' own tests under these limits, in a (a: PF" in result.err
    result = execute([impossible], [RIGHT, WRONG], "--skip-gold")
    assert result.err == ""


def test_a_message_counts_tests_that_were_left_out_and_problems_without_tests(execute: Callable[..., Result]) -> None:
    tests = [
        {"task_id": "a", "test": "assert 1 == 1"},
        {"task_id": "a", "test": "assert f(" + "(" * MILLION},
        {"task_id": "a", "completion": "assert f(1) == 2\nassert f(1) == 2\n"},
    ]
    result = execute([PROBLEM, {**PROBLEM, "task_id": "b"}], [RIGHT, WRONG], tests=tests)
    assert (result.status, result.codes) == (0, ["P", "F"])
    assert "tests left out: duplicate 1, no_call 1, unparsable 1" in result.err
    assert "1 of 2 problems have no test" in result.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jobs", "0"], "jobs must be at least 1, not 0"),
        (["--cpu-seconds", "nan"], "cpu_seconds must be a positive finite number, not nan"),
        (["--cpu-seconds", "1e300"], "cpu_seconds must be at most 1,000,000"),
        (["--memory-mb", str(10**30)], "memory_mb must be at most 16,777,216"),
        (["--memory-mb", "-1"], "--memory-mb must be above 0, not -1"),
        (["--tests-per-completion", "0"], "--tests-per-completion must be at least 1, not 0"),
    ],
)
def test_numbers_out_of_range_are_refused(options: list[str], message: str, execute: Callable[..., Result]) -> None:
    result = execute([PROBLEM], [RIGHT], *options)
    assert (result.status, result.codes) == (2, [])
    assert message in result.err


@pytest.mark.parametrize(
    ("out", "status", "message"),
    [
        ("", 2, "--out is empty"),
        ("/dev/full", 2, "is a file, not a folder"),
        ("/proc/codepref", 3, "cannot make the folder /proc/codepref"),
    ],
)
def test_an_output_folder_that_cannot_be_made_is_reported(
    out: str, status: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problems, solutions = _file(tmp_path / "p.jsonl", [PROBLEM]), _file(tmp_path / "s.jsonl", [RIGHT])
    assert main(["execute", "--problems", problems, "--solutions", solutions, "--out", out]) == status
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("closed", [(2,), (0, 1, 2)])
def test_closed_standard_streams_change_no_verdict(closed: tuple[int, ...], tmp_path: Path) -> None:
    problems, solutions = _file(tmp_path / "p.jsonl", [PROBLEM]), _file(tmp_path / "s.jsonl", [RIGHT, WRONG])
    command = [sys.executable, "-m", "codepref", "execute", "--problems", problems, "--solutions", solutions]
    command += ["--jobs", "1", "--out", str(tmp_path / "out")]
    ended = subprocess.run(command, preexec_fn=lambda: [os.close(one) for one in closed] and None)
    assert ended.returncode == 0
    assert pq.read_table(tmp_path / "out" / "verdicts.parquet")["verdicts"].to_pylist() == ["P", "F"]


def test_output_that_cannot_be_written_gives_status_3(tmp_path: Path) -> None:
    problems, solutions = _file(tmp_path / "p.jsonl", [PROBLEM]), _file(tmp_path / "s.jsonl", [RIGHT])
    command = [sys.executable, "-m", "codepref", "execute", "--problems", problems, "--solutions", solutions]
    with open("/dev/full", "wb") as full:
        command += ["--jobs", "1", "--out", str(tmp_path / "out")]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 3
    assert ended.stderr.count("\n") == 1
    assert "No space left on device" in ended.stderr
