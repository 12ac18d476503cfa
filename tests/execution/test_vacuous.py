"""Tests of tests that prove nothing: which tests are left out, and which solutions are unjudged.

For each format of problems, a right solution passes if the tests prove something, and programs that do nothing do not
pass.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codepref.errors import UserError
from codepref.execution import vacuous
from codepref.execution.execute import execute, execute_into, read_verdicts
from codepref.execution.gold import check_gold
from codepref.execution.limits import Limits
from codepref.execution.vacuous import do_nothing_programs
from codepref.problems.formats import FORMATS
from codepref.problems.load import problems_from_rows
from codepref.records import Problem, Solution, Test
from codepref.training.rewards import ExecutionReward

pytestmark = pytest.mark.xdist_group("execution")

LIMITS = Limits(cpu_seconds=1)
CODE = 'def double(x):\n    """Return twice x."""\n'
SUITE = (
    "import unittest\nclass TestCases(unittest.TestCase):\n"
    "    def test_one(self):\n        self.assertEqual(double(1), 2)\n"
)
PLUS = {"entry_point": "double", "canonical_solution": "    return 2 * x\n", "atol": 0}
ROWS: dict[str, dict[str, Any]] = {
    "humaneval": {
        "task_id": "HumanEval/900",
        "prompt": CODE,
        "entry_point": "double",
        "canonical_solution": "    return 2 * x\n",
        "test": "def check(candidate):\n    assert candidate(1) == 2\n",
    },
    "evalplus": {"task_id": "HumanEval/901", "prompt": CODE, **PLUS, "base_input": [[1]], "plus_input": [[2], [3]]},
    "mbpp": {
        "task_id": 902,
        "text": "Write a function to double a number.",
        "code": "def double(x):\n    return 2 * x\n",
        "test_list": ["assert double(1) == 2", "assert double(2) == 4"],
    },
    "mbpp-plus-script": {
        "task_id": 903,
        "prompt": "Write a function to double a number.",
        "code": "def double(x):\n    return 2 * x\n",
        "test_list": ["assert double(1) == 2"],
        "test": "for x in range(3):\n    assert double(x) == 2 * x\n",
    },
    "bigcodebench": {
        "task_id": "BigCodeBench/904",
        "complete_prompt": CODE,
        "canonical_solution": "    return 2 * x\n",
        "test": SUITE,
        "entry_point": "double",
    },
    "bigcodebench-instruct": {
        "task_id": "BigCodeBench/905",
        "instruct_prompt": "Write double(x).",
        "code_prompt": "def double(x):\n",
        "canonical_solution": "    return 2 * x\n",
        "test": SUITE,
        "entry_point": "double",
    },
}
STDIO = {"inputs": ["1\n", "4\n"], "outputs": ["2\n", "8\n"]}
PAIRS = [{"input": "1\n", "output": "2\n"}, {"input": "4\n", "output": "8\n"}]
ASSERTS = ["assert double(1) == 2", "assert double(2) == 4"]
REQUEST = [{"role": "user", "content": "Write double(x)."}]
GOLD = "def double(x):\n    return 2 * x\n"
METHOD = "class Solution:\n    def double(self, x):\n        return 2 * x\n"
CHECK = "def check(candidate):\n    assert candidate(1) == 2\n"
ROWS |= {
    "humaneval-x": {
        "task_id": "Python/906",
        "prompt": CODE,
        "declaration": "def double(x):\n",
        "canonical_solution": "    return 2 * x\n",
        "test": CHECK + "check(double)\n",
    },
    "humaneval-pro": {
        "id": 907,
        "raw_problem": "def same(x):\n",
        "raw_solution": "    return x\n",
        "new_problem": CODE,
        "new_solution": "    return 2 * same(x)\n",
        "test_code": "\n".join(ASSERTS),
    },
    "classeval": {
        "task_id": "ClassEval_908",
        "skeleton": "class Doubler:\n    def double(self, x):\n        pass\n",
        "test": SUITE.replace("double(1)", "Doubler().double(1)"),
        "solution_code": METHOD.replace("Solution", "Doubler"),
        "class_name": "Doubler",
    },
    "leetcodedataset": {
        "task_id": "double",
        "prompt": "from typing import *\n",
        "query": "Write double.",
        "completion": METHOD,
        "entry_point": "Solution().double",
        "test": CHECK,
    },
    "acecode": {"id": "oss_909", "question": "Write double(x).", "test_cases": ASSERTS},
    "acecode-rlvr": {"id": "code_910", "messages": REQUEST, "ground_truth": ASSERTS, "dataset": "code"},
    "kodcode": {
        "question_id": "K_911",
        "question": "Double.",
        "solution": GOLD,
        "test": f"def test():\n    {ASSERTS[0]}\n",
    },
    "opencodeinstruct": {"id": "912", "input": "Double.", "output": GOLD, "unit_tests": json.dumps(ASSERTS)},
    "apps": {"problem_id": 913, "question": "Double.", "input_output": json.dumps(STDIO)},
    "apps-verified": {"id": "914", "question": "Double.", "tests": STDIO},
    "code-contests": {
        "name": "915_A",
        "description": "Double.",
        "public_tests": {"input": ["1\n"], "output": ["2\n"]},
        "private_tests": {"input": [], "output": []},
    },
    "livecodebench": {"question_id": "916", "question_content": "Double.", "public_test_cases": json.dumps(PAIRS)},
    "verl": {"prompt": REQUEST, "reward_model": {"ground_truth": json.dumps({"assert_case": ASSERTS})}},
    "nemo-gym": {
        "hash_id": "917",
        "responses_create_params": {"input": REQUEST},
        "verifier_metadata": {"unit_tests": STDIO},
    },
    "deepcoder": {
        "problem": "Double.",
        "tests": json.dumps({**STDIO, "fn_name": "double", "inputs": [[1]], "outputs": [2]}),
    },
    "verifiable": {"problem_id": "918", "prompt": "Double.", "verification_info": {"test_cases": PAIRS}},
    "rstar-coder": {"question_id": "919", "question": "Double.", **STDIO},
    "cure": {"task_id": 920, "question": "Double.", "test_input": ["1\n"], "test_output": ["2\n"]},
    "codeforces": {"id": "9/A", "title": "t", "description": "Double.", "official_tests": PAIRS},
    "codeelo": {
        "problem_id": "9B",
        "description": "Double.",
        "input": "x",
        "output": "y",
        "examples": [["1\n", "2\n"]],
    },
}
TEXTS: dict[str, list[Any]] = {
    "asserts": ["assert double(1) == 2"],
    "check": ["def check(candidate):\n    assert candidate(1) == 2\n"],
    "suite": [SUITE],
    "suite with a main block": [SUITE + "if __name__ == '__main__':\n    unittest.main()\n"],
    "pytest": ["def test_one():\n    assert double(1) == 2\n"],
    "pytest without asserts": ["def test_one():\n    double(1) == 2\n"],
    "bare comparisons": ["double(1) == 2", "double(2) == 4"],
    "printed comparisons": ["print(double(1) == 2)"],
    "printed results": ["print('right' if double(1) == 2 else 'wrong')"],
    "a result that nobody reads": ["x = double(1)\n"],
    "a helper": ["def evaluate():\n    return double(1) == 2\n"],
    "a helper that gives a list": ["def evaluate():\n    return [double(1) == 2, double(2) == 4]\n"],
    "a main block": ["if __name__ == '__main__':\n    assert double(1) == 2\n"],
    "a main block that prints": ["def main():\n    print(double(1) == 2)\nif __name__ == '__main__':\n    main()\n"],
    "examples": [">>> double(1)\n2\n"],
    "examples in a text": ["'''\n>>> double(1)\n2\n'''\n"],
    "examples without results": [">>> x = double(1)\n"],
    "a caught assertion": ["try:\n    assert double(1) == 2\nexcept Exception:\n    pass\n"],
    "only that it is callable": ["assert callable(double)"],
    "only that it answers": ["double(1)"],
    "only that it gives None": ["assert double(1) is None"],
    "only that it gives something": ["assert double(1)"],
    "nothing of the solution": ["assert 1 + 1 == 2"],
    "nothing": [""],
    "a test that ends early": ["import sys\nsys.exit(0)\nassert double(1) == 2\n"],
    "a skipped suite": [SUITE.replace("    def", "    @unittest.skip('no')\n    def")],
    "an expected failure": [SUITE.replace("    def", "    @unittest.expectedFailure\n    def")],
    "a wrong solution passes too": ["assert double(1) != 3"],
    "programs": [{"kind": "stdio", "input": "1\n", "output": "2\n"}],
    "programs without output": [{"kind": "stdio", "input": "1\n", "output": ""}],
    "programs with a wrong output": [{"kind": "stdio", "input": "1\n", "output": "certainly wrong\n"}],
}
ROWS |= {
    f"codepref {name}": {"task_id": f"own {name}", "prompt": "p", "entry_point": "double", "tests": tests}
    for name, tests in TEXTS.items()
}

FUNCTIONS = [
    "def double(*a):\n    return 'certainly wrong'\n",
    "def double(*a):\n    return None\n",
    "def double(*a):\n    pass\n",
    "def double(*a):\n    ...\n",
    "def double(*a):\n    raise NotImplementedError\n",
    "def double(*a):\n    raise Exception('no')\n",
    "import sys\ndef double(*a):\n    sys.exit(0)\n",
    "pass\n",
    "x = 1\n",
    "import sys\nsys.exit(0)\n",
    "import sys\nsys.exit(1)\n",
    "print('certainly wrong')\n",
    "import os\nos._exit(0)\n",
    "",
]
READS = "print(2 * int(input()))\n"


def problem_of(name: str) -> Problem:
    format_ = name if name in FORMATS.names() else "codepref"
    (problem,) = problems_from_rows([ROWS[name]], format=format_)
    return problem


def test_the_rows_cover_every_format():
    assert {name.split()[0] for name in ROWS} >= set(FORMATS.builtin)


def test_a_program_that_does_nothing_passes_no_problem_of_any_format():
    problems = [problem_of(name) for name in ROWS]
    solutions = [Solution(p.task_id, at, text) for p in problems for at, text in enumerate(FUNCTIONS)]
    matrices = execute(problems, solutions, limits=LIMITS)
    assert len(matrices) == len(ROWS)
    passed = [(m.task_id, FUNCTIONS[v.solution_id]) for m in matrices for v in m.verdicts if v.correct is True]
    assert passed == []
    assert not any("I" in verdict.codes for matrix in matrices for verdict in matrix.verdicts)


PROVES_NOTHING = {
    "pytest without asserts", "printed results", "a result that nobody reads", "a helper that gives a list",
    "a main block that prints", "examples without results", "a caught assertion", "only that it is callable",
    "only that it answers", "only that it gives None", "only that it gives something", "nothing of the solution",
    "nothing", "a test that ends early", "a skipped suite", "an expected failure", "a wrong solution passes too",
    "programs without output", "programs with a wrong output",
}  # fmt: skip


def test_a_right_solution_passes_where_the_tests_prove_something():
    names = [name for name in ROWS if name.removeprefix("codepref ") not in PROVES_NOTHING]
    problems = [problem_of(name) for name in names]
    golds = [READS if problem.style == "program" else problem.gold or GOLD for problem in problems]
    solutions = [Solution(problem.task_id, 0, gold) for problem, gold in zip(problems, golds, strict=True)]
    matrices = execute(problems, solutions, limits=LIMITS)
    failed = [
        (matrix.task_id, v.codes, v.detail) for matrix in matrices for v in matrix.verdicts if v.correct is not True
    ]
    assert failed == []


TESTS = ("assert callable(f)", "assert f(1) == 2", "f(1)", "try:\n    f(2)\nexcept Exception:\n    pass")
PROBLEM = Problem("t", "", "f", tests=tuple(Test("t", str(at), source) for at, source in enumerate(TESTS)))
RIGHT, WRONG = "def f(x):\n    return x + 1\n", "def f(x):\n    return x\n"


def pair_of(problem: Problem = PROBLEM, *programs: str) -> list[Solution]:
    return [Solution(problem.task_id, at, text) for at, text in enumerate(programs or (RIGHT, WRONG))]


def test_a_test_that_both_programs_pass_has_no_column():
    """The test `f(1)` is not left out, since a program whose functions raise does not pass it."""
    (matrix,) = execute([PROBLEM], pair_of(), limits=LIMITS)
    assert [test.test_id for test in matrix.tests] == ["1", "2"]
    assert [verdict.codes for verdict in matrix.verdicts] == ["PP", "FP"]


def test_keep_runs_every_test():
    (matrix,) = execute([PROBLEM], pair_of(), limits=LIMITS, vacuous_tests="keep")
    assert [verdict.codes for verdict in matrix.verdicts] == ["PPPP", "PFPP"]


def test_an_unknown_choice_is_refused():
    with pytest.raises(UserError, match="vacuous_tests must be leave-out or keep, not 'drop'"):
        execute([PROBLEM], pair_of(), vacuous_tests="drop")  # type: ignore[arg-type]


def one(*sources: str, **fields: Any) -> Problem:
    return Problem("o", "", "f", tests=tuple(Test("o", str(at), source) for at, source in enumerate(sources)), **fields)


def test_a_solution_is_unjudged_if_a_program_that_does_nothing_passes_all_tests():
    problem = one("assert f(1) is None", "assert f(2) is None")
    (matrix,) = execute([problem], pair_of(problem, "def f(x): pass\n", WRONG), limits=LIMITS)
    assert [(verdict.codes, verdict.correct) for verdict in matrix.verdicts] == [("SS", None), ("FF", False)]
    assert "a program whose functions return None passes all of them" in matrix.verdicts[0].detail


def test_all_solutions_are_unjudged_if_no_test_is_left():
    problem = one("assert True", "callable(f)")
    (matrix,) = execute([problem], pair_of(problem, RIGHT, WRONG, "", "def f("), limits=LIMITS)
    assert [verdict.codes for verdict in matrix.verdicts] == ["SS"] * 4
    assert len(matrix.tests) == 2


def test_one_test_that_proves_something_is_enough():
    problem = one("assert f(1) is None", "assert f(2) == 3")
    (matrix,) = execute([problem], pair_of(problem, "def f(x):\n    return 3 if x == 2 else None\n"), limits=LIMITS)
    assert matrix.verdicts[0].codes == "PP"


def test_probes_are_kept_and_not_judged():
    tests = (
        Test("t", "0", "assert callable(f)"),
        Test("t", "1", "assert f(1) == 2"),
        Test("t", "1~0", "f(5)", count=0),
    )
    (matrix,) = execute([PROBLEM], pair_of(), {"t": tests}, limits=LIMITS)
    assert [test.test_id for test in matrix.tests] == ["1", "1~0"]
    assert [verdict.codes for verdict in matrix.verdicts] == ["PP", "FP"]
    (matrix,) = execute([PROBLEM], pair_of(), {"t": (tests[0], tests[2])}, limits=LIMITS)
    assert [verdict.codes for verdict in matrix.verdicts] == ["SS", "SS"]


def test_names_that_a_test_takes_from_the_solution_exist_in_the_programs():
    tests = (Test("t", "0", "from solution import f, helper\nassert isinstance(helper(f(Box(1))), object)\n"),)
    programs = do_nothing_programs(
        Problem("t", "", "f", helpers="class Box:\n    def __init__(self, x): extra()\n"), tests
    )
    for program in programs.values():
        assert {line for line in program.splitlines() if line.startswith("def ")} == {
            f"def {name}(*arguments, **options):" for name in ("extra", "f", "helper")
        }


def test_what_is_left_out_is_written_and_read_again(tmp_path):
    empty = one("assert True")
    summary = execute_into([PROBLEM, empty], [*pair_of(), *pair_of(empty)], out=tmp_path, limits=LIMITS)
    assert summary["vacuous_tests"] == 3
    assert summary["vacuous_tests_by_problem"] == {"t": ["0", "3"], "o": ["0"]}
    assert summary["problems_that_prove_nothing"] == {"o": "they use nothing of a solution"}
    assert json.loads((tmp_path / "summary.json").read_text())["vacuous_tests"] == 3
    matrices = read_verdicts(tmp_path)
    assert [verdict.codes for matrix in matrices for verdict in matrix.verdicts] == ["PP", "FP", "S", "S"]
    assert "prove nothing" in matrices[1].verdicts[0].detail
    assert summary["verdicts"] == {"P": 3, "F": 1, "S": 2}
    assert summary["samples_passing_all"] == 1


def test_keep_and_leave_out_are_different_runs(tmp_path):
    first = execute_into([PROBLEM], pair_of(), out=tmp_path, limits=LIMITS)
    kept = execute_into([PROBLEM], pair_of(), out=tmp_path, limits=LIMITS, vacuous_tests="keep")
    assert (first["cells"], kept["cells"], kept["vacuous_tests"]) == (4, 8, 0)
    assert execute_into([PROBLEM], pair_of(), out=tmp_path, limits=LIMITS) == first | {
        name: value
        for name, value in execute_into([PROBLEM], pair_of(), out=tmp_path, limits=LIMITS).items()
        if "second" in name
    }


def test_a_killed_run_continues_with_the_same_tests_left_out(tmp_path, monkeypatch):
    from codepref.execution import spool

    monkeypatch.setattr(spool, "PIECE_SOLUTIONS", 2)
    programs = [f"def f(x):\n    return x + 1 + 0 * {at}\n" for at in range(6)]
    solutions = pair_of(PROBLEM, *programs)
    done: list[int] = []

    def stop(count: int, total: int) -> None:
        done.append(count)
        if count >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute_into([PROBLEM], solutions, out=tmp_path, limits=LIMITS, jobs=1, progress=stop)
    assert (tmp_path / "parts").exists()
    summary = execute_into([PROBLEM], solutions, out=tmp_path, limits=LIMITS, jobs=1)
    assert summary["judged_in_this_run"]["samples"] < 6
    assert summary["verdicts"] == {"P": 12}


def test_the_results_are_kept_between_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("CODEPREF_CACHE", str(tmp_path))
    first = execute([PROBLEM], pair_of(), limits=LIMITS)

    def fail(*arguments: object) -> None:
        raise AssertionError("the programs run again")

    monkeypatch.setattr(vacuous, "do_nothing_programs", fail)
    (again,) = execute([PROBLEM], pair_of(), limits=LIMITS)
    assert [verdict.codes for verdict in again.verdicts] == [verdict.codes for verdict in first[0].verdicts]
    with pytest.raises(AssertionError, match="run again"):
        execute([one("assert f(1) < 3")], pair_of(one("")), limits=LIMITS)
    with pytest.raises(AssertionError, match="run again"):
        execute([PROBLEM], pair_of(), limits=Limits(cpu_seconds=2))


@pytest.mark.parametrize("body", [b"", b"[]", b"[1, 2, 3]", b"nonsense", b'{"a": 1}', b"[[], 1]"])
def test_a_damaged_file_of_the_cache_is_made_again(tmp_path, monkeypatch, body):
    from codepref.execution.expected_cache import ExpectedCache

    monkeypatch.setenv("CODEPREF_CACHE", str(tmp_path))
    execute([PROBLEM], pair_of(), limits=LIMITS)
    (kept,) = [path for path in tmp_path.iterdir() if path.is_file()]
    ExpectedCache(tmp_path).write(kept.name, body)
    (matrix,) = execute([PROBLEM], pair_of(), limits=LIMITS)
    assert [test.test_id for test in matrix.tests] == ["1", "2"]


def test_a_reward_is_unknown_where_the_tests_prove_nothing():
    """A program that returns None passes the problem `weak`. The only test of the problem `empty` is left out."""
    weak, empty = Problem("w", "", "f", tests=(Test("w", "0", "f(1)"),)), one("assert True")
    with ExecutionReward([PROBLEM, weak, empty], limits=LIMITS, jobs=1) as reward:
        completions = [f"```python\n{program}```" for program in (RIGHT, WRONG, RIGHT, RIGHT)]
        rewards = reward(completions=completions, task_id=["t", "t", "w", "o"])
    assert rewards == [1.0, 0.5, None, None]


def test_a_gold_solution_of_a_problem_that_proves_nothing_is_reported_as_unjudged():
    problem = one("callable(f)", gold=RIGHT)
    (failure,) = check_gold([problem], limits=LIMITS)
    assert failure.codes == "S"
    assert check_gold([problem], limits=LIMITS, vacuous_tests="keep") == []


def test_published_problems_prove_something(data: Path):
    from codepref.problems.load import load_problems

    problems = load_problems(data / "humaneval" / "HumanEval.jsonl.gz", limit=20)
    solutions = [Solution(problem.task_id, 0, problem.gold or "") for problem in problems]
    assert {verdict.codes for matrix in execute(problems, solutions) for verdict in matrix.verdicts} == {"P"}


def test_tests_whose_text_proves_something_are_not_run(tmp_path, monkeypatch):
    """The three programs that do nothing fail `assert f(1) == 2`, so they run only against the other tests."""
    monkeypatch.setenv("CODEPREF_CACHE", str(tmp_path))
    ran: list[int] = []
    known = vacuous.do_nothing_programs

    def count(problem: Problem, tests: Any) -> dict[str, str]:
        ran.append(len(tests))
        return known(problem, tests)

    monkeypatch.setattr(vacuous, "do_nothing_programs", count)
    (matrix,) = execute([PROBLEM], pair_of(), limits=LIMITS)
    assert ran == [3]
    assert [test.test_id for test in matrix.tests] == ["1", "2"]
    execute([one("assert f(1) == 2", "assert f(2) == 3")], pair_of(one("")), limits=LIMITS)
    assert ran == [3]


def test_a_test_that_calls_the_function_is_not_run_beside_one_that_proves_something(tmp_path, monkeypatch):
    """A function that raises fails `assert not f(2)`. Every program that does nothing fails the other test."""
    monkeypatch.setenv("CODEPREF_CACHE", str(tmp_path))
    monkeypatch.setattr(vacuous, "do_nothing_programs", None)
    solution = "def f(x):\n    return 2 if x == 1 else 0\n"
    problem = one("assert f(1) == 2", "assert not f(2)")
    (matrix,) = execute([problem], pair_of(problem, solution), limits=LIMITS)
    assert matrix.verdicts[0].codes == "PP"
