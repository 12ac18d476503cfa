"""Rows of published data sets whose tests are Python: right solutions pass, wrong ones fail, bad rows are left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from python_samples import (
    ASSERTS,
    BAD,
    FUNCTION,
    HEAD,
    LISTS,
    METHOD,
    PICK,
    PROGRAM,
    PYTEST,
    SAMPLES,
    SKELETON,
    TURN,
    Sample,
    fenced,
)

from codepref.errors import UserError
from codepref.execution.execute import execute
from codepref.execution.vacuous import do_nothing_programs
from codepref.problems import load_problems
from codepref.problems.formats import FORMATS, detect_format
from codepref.problems.left_out import LeftOutWarning, left_out_of
from codepref.problems.load import problems_from_rows
from codepref.records import Problem, Solution
from codepref.sampling.extract import extract_program, with_preamble

pytestmark = pytest.mark.xdist_group("execution")


def problem_of(sample: Sample) -> Problem:
    (problem,) = problems_from_rows([sample.row])
    return problem


@pytest.mark.parametrize("name", SAMPLES)
def test_a_row_is_read_as_its_format_says(name: str) -> None:
    sample = SAMPLES[name]
    assert detect_format(sample.row, "row") is FORMATS.load(sample.format)
    problem = problem_of(sample)
    assert tuple(test.kind for test in problem.tests) == sample.kinds
    assert problem.entry_point == sample.entry_point
    assert (problem.gold is not None) == sample.gold
    if sample.task_id:
        assert problem.task_id == sample.task_id


@pytest.fixture(scope="module")
def results() -> dict[str, list[str]]:
    """The codes of the right and the wrong solution, the gold solution and programs that do nothing, by sample."""
    problems, solutions = [], []
    for name, sample in SAMPLES.items():
        problem = problem_of(sample)
        nothing = do_nothing_programs(problem, problem.tests).values()
        right = with_preamble(sample.right, problem)
        programs = [right, sample.wrong, problem.gold or right, *nothing, "pass\n", "import sys\nsys.exit(0)\n"]
        object.__setattr__(problem, "task_id", name)
        problems.append(problem)
        solutions += [Solution(name, at, program) for at, program in enumerate(programs)]
    matrices = execute(problems, solutions, jobs=1, vacuous_tests="keep")
    return {matrix.task_id: [verdict.codes for verdict in matrix.verdicts] for matrix in matrices}


@pytest.mark.parametrize("name", SAMPLES)
def test_right_solutions_pass_and_others_do_not(name: str, results: dict[str, list[str]]) -> None:
    codes = results[name]
    assert [set(code) == {"P"} for code in codes] == [True, False, True] + [False] * 5, codes
    assert not set("".join(codes)) & set("IX"), codes


@pytest.mark.parametrize("name", SAMPLES)
def test_the_program_is_taken_from_an_answer(name: str) -> None:
    sample = SAMPLES[name]
    assert sample.right.strip().splitlines()[-1] in extract_program(fenced(sample.right), problem_of(sample))


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_cannot_be_used_is_left_out_with_one_message(name: str, write_lines: Any) -> None:
    row, message = BAD[name]
    format_ = detect_format(row, "row")
    good = next(sample.row for sample in SAMPLES.values() if FORMATS.load(sample.format) is format_)
    path = write_lines([good, row])
    with pytest.warns(LeftOutWarning):
        problems = load_problems(path)
    assert len(problems) == 1
    left = left_out_of(problems)
    assert left.rows == len(left.messages) == 1
    with pytest.raises(UserError, match=message):
        raise UserError(left.messages[0])
    assert left.messages[0].startswith(f"{path}:2: ")
    assert len(left.messages[0]) < 500


def test_prompts_show_the_request_and_nothing_of_the_tests() -> None:
    for name, sample in SAMPLES.items():
        prompt = problem_of(sample).prompt
        assert prompt.strip(), name
        assert not any(text in prompt for text in ASSERTS), name
    assert problem_of(SAMPLES["acecode-rlvr"]).prompt == PICK
    assert SKELETON.strip() in problem_of(SAMPLES["classeval"]).prompt
    assert "from decimal import Decimal\n" in problem_of(SAMPLES["classeval"]).prompt
    pro = problem_of(SAMPLES["humaneval-pro"]).prompt
    assert "def nth(words, at):" in pro
    assert "# Call nth for each place.\ndef pick(words, at):" in pro


def test_without_a_query_the_prompt_has_the_starter_code() -> None:
    row = {key: value for key, value in SAMPLES["leetcodedataset"].row.items() if key != "query"}
    (problem,) = problems_from_rows([row])
    assert problem.prompt.startswith(f"{PICK}\n\n```python\nclass Solution:\n")


def test_code_to_complete_takes_a_body_and_a_whole_function() -> None:
    problem = problem_of(SAMPLES["kodcode, code to complete"])
    assert problem.style == "complete"
    for answer in (fenced(FUNCTION), fenced(HEAD + "    return [words[i] for i in at]\n")):
        assert "return [words[i] for i in at]" in extract_program(answer, problem)


def test_imports_with_a_star_reach_the_solution_although_it_lacks_them() -> None:
    """LeetCodeDataset puts long code before a solution, and codepref cuts a long preamble to what a task needs."""
    long = LISTS + "".join(f"from os import path as unused_{number}\n" for number in range(40))
    assert len(long) > 1000
    (problem,) = problems_from_rows([{**SAMPLES["leetcodedataset, lists"].row, "prompt": long}])
    (matrix,) = execute([problem], [Solution(problem.task_id, 0, TURN)], jobs=1)
    assert [verdict.codes for verdict in matrix.verdicts] == ["P"]


def test_a_check_of_a_method_runs_apart_from_the_solution() -> None:
    problem = problem_of(SAMPLES["leetcodedataset"])
    (matrix,) = execute([problem], [Solution(problem.task_id, 0, METHOD)], jobs=1)
    assert [(verdict.codes, verdict.isolation) for verdict in matrix.verdicts] == [("P", "separate")]


def test_rows_without_an_id_are_named_by_a_hash_of_the_row() -> None:
    rows = [{"prompt": prompt, "tests": ASSERTS, "entry_point": "pick"} for prompt in ("One.", "Two.")]
    first, second = (problem.task_id for problem in problems_from_rows(rows))
    assert first.startswith("problem/")
    assert first != second
    assert [problem.task_id for problem in problems_from_rows(rows[1:])] == [second]
    (named,) = problems_from_rows([{**rows[0], "id": 7}])
    assert named.task_id == "problem/7"
    with pytest.warns(LeftOutWarning, match="repeats task_id"):
        problems_from_rows([rows[0], rows[0]])


def test_solutions_of_rows_that_are_left_out_are_left_out(tmp_path: Path, write_lines: Any) -> None:
    good = SAMPLES["acecode"].row
    path = write_lines([good, {"id": "oss_8", "question": PICK, "test_cases": []}])
    with pytest.warns(LeftOutWarning):
        assert left_out_of(load_problems(path)).tasks == {"oss_8"}


def test_tables_are_read_like_lines(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    for name in ("verl, check of a method", "kodcode", "acecode", "classeval", "opencodeinstruct"):
        path = tmp_path / f"{len(name)}.parquet"
        parquet.write_table(pa.Table.from_pylist([SAMPLES[name].row]), path)
        (read,) = load_problems(path)
        expected = problem_of(SAMPLES[name])
        assert (read.task_id, read.tests, read.gold) == (expected.task_id, expected.tests, expected.gold)


def test_one_file_of_verl_may_hold_every_form(write_lines: Any) -> None:
    stdio = json.dumps({"inputs": ["1 2\n"], "outputs": ["3\n"]})
    rows = [SAMPLES[name].row for name in ("verl, pytest", "verl, asserts", "verl, check of a function")]
    rows.append({**rows[0], "reward_model": {"ground_truth": stdio}})
    problems = load_problems(write_lines(rows))
    assert [problem.tests[0].kind for problem in problems] == ["pytest", "asserts", "asserts", "stdio"]
    solutions = [FUNCTION, FUNCTION, FUNCTION, PROGRAM]
    pairs = zip(problems, solutions, strict=True)
    matrices = execute(problems, [Solution(problem.task_id, 0, text) for problem, text in pairs], jobs=1)
    assert [set(matrix.verdicts[0].codes) for matrix in matrices] == [{"P"}] * 4


def test_a_test_of_kodcode_that_names_several_functions_has_an_entry_point() -> None:
    test = PYTEST.replace("import pick", "import pick, other") + "def test_other():\n    assert other(1) == 2\n"
    solution = f"{FUNCTION}\n\ndef other(x):\n    return x + 1\n"
    (problem,) = problems_from_rows([{**SAMPLES["kodcode"].row, "test": test, "solution": solution}])
    assert problem.entry_point == "pick"  # the request writes its name
    (matrix,) = execute([problem], [Solution(problem.task_id, 0, solution)], jobs=1)
    assert matrix.verdicts[0].codes == "P"


def test_the_gold_solution_is_the_block_that_defines_something() -> None:
    blocks = ("```bash\npip install x\n```\n", fenced(FUNCTION), "```python\nprint(pick([], []))\n```\n")
    (problem,) = problems_from_rows([{**SAMPLES["opencodeinstruct"].row, "output": "\n".join(blocks)}])
    assert problem.gold == FUNCTION


HOSTILE: list[Any] = [
    *(None, 5, 1e400, True, [], {}, "", " ", "x", "[", "[1]", '{"a": 1}', [None], [[1]], [{}], {"a": [1]}, "\ud800"),
    *("def f(:", "```\n", "\x00", "(" * 5_000, "[" * 100_000, 10**400, b"x", ["\ud800"], {"stdin": [1], "stdout": [2]}),
    [{"role": "user"}],
]


def message_or_problem(sample: Sample, row: dict[str, Any]) -> str | Problem:
    try:
        return FORMATS.load(sample.format).read(row, "file:3")
    except UserError as error:
        return str(error)


@pytest.mark.parametrize("name", SAMPLES)
def test_no_value_of_a_column_does_more_than_leave_out_its_row(name: str) -> None:
    sample = SAMPLES[name]
    for column in sample.row:
        for value in HOSTILE:
            row = {**sample.row, column: value}
            FORMATS.load(sample.format).matches(row)
            read = message_or_problem(sample, row)
            if isinstance(read, str):
                assert read.startswith("file:3: "), (column, value)
                assert len(read) < 1_000, (column, value)
            else:
                assert read.entry_point.isidentifier(), (column, value)
                assert isinstance(read.prompt, str), (column, value)
