"""Rows in the form of published data sets: right solutions pass, wrong ones fail, and bad rows are left out."""

from __future__ import annotations

import base64
import json
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from format_samples import BAD, FUNCTION, HEAD, PAIRS, PROGRAM, SAMPLES, STDIO, Sample, method, packed

from codepref.errors import UserError
from codepref.execution.execute import execute
from codepref.execution.vacuous import do_nothing_programs
from codepref.problems import load_problems
from codepref.problems.formats import FORMATS, detect_format
from codepref.problems.left_out import LeftOutWarning, left_out_of
from codepref.problems.load import problems_from_rows
from codepref.records import Problem, Solution
from codepref.sampling.extract import extract_program


def problem_of(sample: Sample) -> Problem:
    (problem,) = problems_from_rows([sample.row])
    return problem


@pytest.mark.parametrize("name", SAMPLES)
def test_a_row_is_read_as_its_format_says(name: str) -> None:
    sample = SAMPLES[name]
    assert detect_format(sample.row, "row") is FORMATS.load(sample.format)
    problem = problem_of(sample)
    assert [test.kind for test in problem.tests].count("calls" if sample.call else "stdio") == len(problem.tests) >= 3
    assert problem.style == ("instruct" if sample.call else "program")
    assert "Add the two numbers" in problem.prompt or "Return the words" in problem.prompt
    assert (problem.gold is not None) == sample.gold
    if sample.task_id:
        assert problem.task_id == sample.task_id


def verdicts(problems: list[Problem], programs: dict[str, list[str]]) -> dict[str, list[str]]:
    solutions = [
        Solution(problem.task_id, at, program)
        for problem in problems
        for at, program in enumerate(programs[problem.task_id])
    ]
    return {
        matrix.task_id: [verdict.codes for verdict in matrix.verdicts]
        for matrix in execute(problems, solutions, jobs=1, vacuous_tests="keep")
    }


@pytest.fixture(scope="module")
def results() -> dict[str, list[str]]:
    """The codes of right solutions, wrong solutions, the gold solution and programs that do nothing, by sample."""
    problems, programs = [], {}
    for name, sample in SAMPLES.items():
        (problem,) = problems_from_rows([sample.row])
        right, wrong = sample.solutions()
        nothing = do_nothing_programs(problem, problem.tests).values()
        object.__setattr__(problem, "task_id", name)
        problems.append(problem)
        programs[name] = [*right, *wrong, problem.gold or right[0], *nothing]
    return verdicts(problems, programs)


@pytest.mark.parametrize("name", SAMPLES)
def test_right_solutions_pass_and_others_do_not(name: str, results: dict[str, list[str]]) -> None:
    right, wrong = SAMPLES[name].solutions()
    codes = results[name]
    judged = [set(code) == {"P"} for code in codes]
    expected = [True] * len(right) + [False] * len(wrong) + [True] + [False] * 3
    assert judged == expected, codes
    assert not set("".join(codes)) & set("IX"), codes


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_cannot_be_used_is_left_out_with_one_message(name: str, write_lines: Any) -> None:
    row, message = BAD[name]
    good = SAMPLES[next(key for key, sample in SAMPLES.items() if sample.row.keys() & row.keys() >= {*_columns(row)})]
    path = write_lines([good.row, row])
    with pytest.warns(LeftOutWarning):
        problems = load_problems(path)
    assert len(problems) == 1
    left = left_out_of(problems)
    assert left.rows == len(left.messages) == 1
    with pytest.raises(UserError, match=message):
        raise UserError(left.messages[0])
    assert left.messages[0].startswith(f"{path}:2: ")


def _columns(row: dict[str, Any]) -> Iterator[str]:
    return iter(detect_format(row, "row").columns)


class Runs:
    """A value whose pickle writes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "run")


@pytest.mark.parametrize("protocol", range(5))
def test_a_pickle_that_names_a_function_is_refused_and_runs_nothing(tmp_path: Path, protocol: int) -> None:
    sample = SAMPLES["livecodebench"]
    hostile = packed(Runs(tmp_path / "mark"), protocol)
    with pytest.raises(UserError, match="cannot be unpacked: it names"):
        problems_from_rows([{**sample.row, "private_test_cases": hostile}])
    assert not (tmp_path / "mark").exists()


def test_a_pickle_that_asks_for_much_memory_is_refused() -> None:
    sample = SAMPLES["livecodebench"]
    for data in (b"\x80\x04\x8d" + (1 << 62).to_bytes(8, "little"), b"\x80\x04Nr\xff\xff\xff\x7f.", b"\x80\x04", b""):
        row = {**sample.row, "private_test_cases": base64.b64encode(zlib.compress(data)).decode()}
        with pytest.raises(UserError, match=r"cannot be unpacked|holds no test"):
            problems_from_rows([{**row, "public_test_cases": "[]"}])


@pytest.mark.parametrize("name", ["code-contests", "verifiable, struct", "verl, function", "nemo-gym", "codeforces"])
def test_parquet_gives_the_same_problem(name: str, tmp_path: Path) -> None:
    table = pa.Table.from_pylist([SAMPLES[name].row])
    pq.write_table(table, tmp_path / "problems.parquet")
    (problem,) = load_problems(tmp_path / "problems.parquet")
    expected = problem_of(SAMPLES[name])
    assert (problem.task_id, problem.prompt, problem.tests) == (expected.task_id, expected.prompt, expected.tests)


WRONG_VALUES: list[Any] = [3, 2.5, True, None, "", "x", "[", "[1", "{}", "[]", [], {}, [1], [None], [[]], {"a": 1}]
WRONG_VALUES += [{"a": [1]}, [{"input": 1}], [{"input": None, "output": {}}], "'" * 50_000, "-" * 50_000, ["\ud800"]]
WRONG_VALUES += ['[{"input": [], "output": [], "type": "functional"}]', {"inputs": [[{}]], "outputs": [b"x"]}]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_wrong_value_in_row_3_leaves_out_that_row_at_most(name: str) -> None:
    row = SAMPLES[name].row
    chosen = SAMPLES[name].format
    for column in row:
        for value in WRONG_VALUES:
            rows = [{**row, _text_column(row): "One."}, {**row, _text_column(row): "Two."}, {**row, column: value}]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                problems = problems_from_rows(rows, format=chosen)
            assert len(problems) + left_out_of(problems).rows == 3


def _text_column(row: dict[str, Any]) -> str:
    """Return the first column that decides the task id or, if there is none, that holds the statement."""
    ids = ("problem_id", "question_id", "name", "task_id", "id", "hash_id", "question", "problem", "prompt")
    return next(name for name in ids if name in row)


@pytest.mark.parametrize("name", ["problems.jsonl", "problems.json"])
def test_an_empty_file_gives_one_message(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("[]" if name.endswith("json") else "")
    with pytest.raises(UserError, match="holds no problem"):
        load_problems(tmp_path / name)


def test_gold_solutions_are_those_that_python_3_can_read_and_that_define_what_tests_call() -> None:
    row = {"question": "Q", "input_output": json.dumps({"fn_name": "f", "inputs": [[1]], "outputs": [2]})}
    golds = ["print 1", "def g(x): return x", "```python\ndef f(x):\n    return x + 1\n```"]
    (problem,) = problems_from_rows([{**row, "solutions": golds}])
    assert problem.gold == "def f(x):\n    return x + 1\n"
    assert problem.entry_point == "f"


def test_rows_without_an_id_are_named_by_a_hash_of_their_content() -> None:
    rows = [{"problem": text, "tests": json.dumps(PAIRS)} for text in ("One.", "Two.")]
    first, second = (problem.task_id for problem in problems_from_rows(rows))
    assert first.startswith("DeepCoder/")
    assert [problem.task_id for problem in problems_from_rows(rows[1:])] == [second]
    with pytest.warns(LeftOutWarning, match="repeats task_id"):
        problems_from_rows([rows[0], rows[0]])


def test_starter_code_stands_in_the_prompt_and_names_the_class() -> None:
    problem = problem_of(SAMPLES["livecodebench, method"])
    assert HEAD.rstrip() in problem.prompt
    assert problem.entry_point == "Solution"
    assert "function `pick`" in problem_of(SAMPLES["apps, bare results"]).prompt


@pytest.mark.parametrize("program", [FUNCTION, method(FUNCTION)])
@pytest.mark.parametrize("name", ["apps, function", "livecodebench, method"])
def test_an_answer_may_hold_the_function_or_the_class(name: str, program: str) -> None:
    problem = problem_of(SAMPLES[name])
    extracted = extract_program(f"So:\n\n```python\n{program}```\nIt is fast.", problem)
    assert extracted.startswith("from typing import List\n")  # which LeetCode's solutions leave out
    assert program.strip() in extracted


def test_time_limits_are_kept_in_seconds() -> None:
    rows = {
        "code-contests": 1.5,
        "codeforces": 2.0,
        "codeelo": 1.5,
        "livecodebench": 6.0,
    }
    assert {name: problem_of(SAMPLES[name]).meta["time_limit"] for name in rows} == rows
    (taco,) = problems_from_rows([{**SAMPLES["taco"].row, "time_limit": "2.0 seconds"}])
    assert taco.meta["time_limit"] == 2.0


def test_dicts_with_numbers_as_keys_arrive_as_numbers() -> None:
    tests = {"fn_name": "f", "inputs": [[{"1": "a", "20": "b"}], [{"x": "a"}]], "outputs": [["a"], [None]]}
    (problem,) = problems_from_rows([{"question": "Q", "input_output": json.dumps(tests)}])
    program = "def f(names):\n    return names.get(1)\n"
    assert verdicts([problem], {problem.task_id: [program]}) == {problem.task_id: ["PP"]}


def test_a_result_in_a_list_of_one_is_a_list_if_some_result_is_none() -> None:
    """The result 2 is not in a list, so the list around the result [1] belongs to that result."""
    tests = {"fn_name": "f", "inputs": [[1], [2]], "outputs": [[1], 2]}
    (problem,) = problems_from_rows([{"question": "Q", "input_output": json.dumps(tests)}])
    codes = verdicts(
        [problem], {problem.task_id: ["def f(x):\n    return x", "def f(x):\n    return [1] if x < 2 else 2"]}
    )
    assert codes == {problem.task_id: ["FP", "PP"]}


def test_a_function_that_returns_a_number_by_its_annotation_must_not_return_a_list() -> None:
    tests = {"fn_name": "f", "inputs": [[1], [2]], "outputs": [[1], [2]]}
    row = {"question": "Q", "starter_code": "def f(x: int) -> int:\n    ", "input_output": json.dumps(tests)}
    (problem,) = problems_from_rows([row])
    codes = verdicts([problem], {problem.task_id: ["def f(x):\n    return [x]", "def f(x):\n    return x"]})
    assert codes == {problem.task_id: ["FF", "PP"]}


def test_a_program_may_leave_out_the_usual_imports() -> None:
    (problem,) = problems_from_rows([{"question": "Q", "tests": STDIO}])
    program = "for line in sys.stdin:\n    print(reduce(operator.add, map(int, line.split())))\n"
    codes = verdicts([problem], {problem.task_id: [program, PROGRAM, program.replace("reduce", "unknown")]})
    assert [set(code) for code in codes[problem.task_id]] == [{"P"}, {"P"}, {"E"}]
