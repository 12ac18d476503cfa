from __future__ import annotations

from pathlib import Path

from codepref.execution.gold import check_gold
from codepref.problems import load_problems
from codepref.records import Problem, Test


def test_a_wrong_gold_solution_is_reported() -> None:
    right = Problem("a", "", "f", (Test("a", "0", "assert f(1) == 2"),), gold="def f(x):\n    return x + 1\n")
    wrong = Problem("b", "", "f", (*right.tests, Test("b", "1", "assert f(0) == 0")), gold="def f(x):\n    return x\n")
    without = Problem("c", "", "f", right.tests)
    (failure,) = check_gold([right, wrong, without], jobs=1)
    assert (failure.task_id, failure.codes) == ("b", "FP")


def test_humaneval_gold_passes(data: Path) -> None:
    assert check_gold(load_problems(data / "humaneval" / "HumanEval.jsonl.gz"), jobs=2) == []


def test_gold_of_tasks_with_special_comparisons_and_arguments_passes(data: Path) -> None:
    """The tasks have sets or match objects as outputs, oracles, unusual arguments, or a test that codepref repairs."""
    tasks = {f"Mbpp/{number}" for number in (2, 106, 124, 126, 252, 255, 278, 558, 581, 615, 722, 737, 787, 794)}
    tasks |= {f"HumanEval/{number}" for number in (32, 33, 38, 50)}
    files = ("HumanEvalPlus", "HumanEvalPlus-OriginFmt", "MbppPlus", "MbppPlus-OriginFmt")
    for name in files:
        problems = [p for p in load_problems(data / "evalplus" / f"{name}.jsonl.gz") if p.task_id in tasks]
        assert len(problems) == (4 if "Human" in name else 14)
        assert check_gold(problems, jobs=2) == []
