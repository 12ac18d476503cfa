"""Loading of the published files. Most expected values come from the data sets' papers or other published forms."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from codepref.errors import UserError
from codepref.problems import load_problems
from codepref.problems.inputs import decode_inputs, parse_inputs
from codepref.records import Problem


def typed(value: Any) -> Any:
    """Return a form of `value` that is equal only for equal values of equal types, with sets in any order."""
    if isinstance(value, list | tuple):
        return (type(value).__name__, *map(typed, value))
    if isinstance(value, dict):
        return ("dict", *((typed(key), typed(item)) for key, item in value.items()))
    if isinstance(value, set):
        return ("set", *sorted(map(repr, map(typed, value))))
    return type(value).__name__, value


def inputs_of(problem: Problem) -> list[Any]:
    return [typed(item) for test in problem.tests for item in decode_inputs(parse_inputs(test.source).inputs)]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("humaneval/HumanEval.jsonl.gz", 164),
        ("evalplus/HumanEvalPlus.jsonl.gz", 164),
        ("evalplus/HumanEvalPlus-OriginFmt.jsonl.gz", 164),
        ("evalplus/MbppPlus.jsonl.gz", 378),
        ("evalplus/MbppPlus-OriginFmt.jsonl.gz", 378),
        ("codegen16b/problems.jsonl.gz", 82),
    ],
)
def test_every_published_file_loads(data: Path, name: str, count: int) -> None:
    problems = load_problems(data / name)
    assert len(problems) == count
    for problem in problems:
        tree = ast.parse(problem.gold or "")
        assert problem.entry_point in {getattr(node, "name", None) for node in tree.body}, problem.task_id
        assert problem.tests
        ast.parse(problem.preamble)
        ast.parse(problem.helpers)


def test_four_prompts_of_humaneval_have_helpers(data: Path) -> None:
    problems = load_problems(data / "humaneval" / "HumanEval.jsonl.gz")
    assert {p.task_id.split("/")[1] for p in problems if "def " in p.helpers} == {"10", "32", "38", "50"}
    assert not any("typing" in problem.helpers for problem in problems)


def test_entry_points_inferred_from_asserts_are_those_of_evalplus(data: Path) -> None:
    published = {p.task_id: p.entry_point for p in load_problems(data / "evalplus" / "MbppPlus.jsonl.gz")}
    inferred = {p.task_id: p.entry_point for p in load_problems(data / "evalplus" / "MbppPlus-OriginFmt.jsonl.gz")}
    assert inferred == published


def test_argument_types_equal_those_of_the_script_form(data: Path) -> None:
    """The scripts hold Python literals, which show which lists of the JSON form stand for tuples or sets."""
    plus = {p.task_id: p for p in load_problems(data / "evalplus" / "MbppPlus.jsonl.gz")}
    compared = 0
    for problem in load_problems(data / "evalplus" / "MbppPlus-OriginFmt.jsonl.gz"):
        (line,) = [line for line in problem.tests[0].source.split("\n") if line.startswith("inputs = ")]
        script = [typed(list(arguments)) for arguments in eval(line.removeprefix("inputs = "), {"inf": float("inf")})]
        # the scripts leave out some inputs, and every input of a script is in the JSON form too
        missing = Counter(map(repr, script)) - Counter(map(repr, inputs_of(plus[problem.task_id])))
        if problem.task_id not in ("Mbpp/124", "Mbpp/252"):  # the literal (-0-3j) has lost the sign of a zero
            assert not missing, problem.task_id
            compared += len(script)
    assert compared > 39_000


def test_the_tasks_with_special_comparisons_are_those_of_evalplus(data: Path) -> None:
    """EvalPlus 0.3.1 lists these tasks, and some that MBPP+ 0.2.0 lacks, in evalplus/eval/_special_oracle.py."""
    tasks: dict[str, set[str]] = {}
    for name in ("HumanEvalPlus", "MbppPlus"):
        for problem in load_problems(data / "evalplus" / f"{name}.jsonl.gz"):
            tasks.setdefault(parse_inputs(problem.tests[0].source).compare, set()).add(problem.task_id)
    assert tasks.pop("set") == {f"Mbpp/{n}" for n in (2, 7, 111, 140, 232, 579, 769)}
    assert tasks.pop("not_none") == {"Mbpp/737", "Mbpp/787", "Mbpp/794"}
    assert tasks.pop("oracle:find_zero") == {"HumanEval/32"}
    assert tasks.pop("oracle:surface_Area") == {"Mbpp/581"}
    assert tasks.pop("oracle:digit_distance_nums") == {"Mbpp/558"}
    assert set(tasks) == {"equal"}


def test_the_number_of_repaired_tests_in_the_script_forms(data: Path) -> None:
    applied = Counter(
        name
        for file in ("HumanEvalPlus-OriginFmt", "MbppPlus-OriginFmt")
        for problem in load_problems(data / "evalplus" / f"{file}.jsonl.gz")
        for name in problem.meta.get("repaired", [])
    )
    assert applied == {"root": 1, "unused result": 3, "too large": 1, "empty list": 163 + 375, "broadcast": 163 + 375}
    assert not any("repaired" in p.meta for p in load_problems(data / "humaneval" / "HumanEval.jsonl.gz"))


def test_inputs_with_huge_results_are_removed_from_both_forms(data: Path) -> None:
    (plus,) = [p for p in load_problems(data / "evalplus" / "MbppPlus.jsonl.gz") if p.task_id == "Mbpp/255"]
    (script,) = [p for p in load_problems(data / "evalplus" / "MbppPlus-OriginFmt.jsonl.gz") if p.task_id == "Mbpp/255"]
    assert plus.meta["repaired"] == ["too large"]
    assert [len(decode_inputs(parse_inputs(test.source).inputs)) for test in plus.tests] == [3, 109 - 5]
    assert "'Fish'], 77]" not in script.tests[0].source


def run(test: str, **names: Any) -> bool:
    try:
        exec(compile(test, "<test>", "exec"), names)
    except AssertionError:
        return False
    return True


def test_repaired_tests_refuse_solutions_that_the_published_tests_pass(data: Path) -> None:
    problems = {p.task_id: p for p in load_problems(data / "evalplus" / "MbppPlus-OriginFmt.jsonl.gz")}

    def passes(task_id: str, solution: Any) -> bool:
        problem = problems[task_id]
        return run(problem.tests[0].source, **{problem.entry_point: solution})

    assert not passes("Mbpp/737", lambda text: None)  # the published test asserts nothing
    names: dict[str, Any] = {}
    exec(problems["Mbpp/8"].gold or "", names)
    squares = names["square_nums"]
    assert passes("Mbpp/8", squares)
    assert not passes("Mbpp/8", lambda numbers: squares(numbers) or 7)  # numpy.allclose(7, []) is true


def test_the_message_about_an_unknown_format_names_the_nearest_one(tmp_path: Path) -> None:
    unknown = tmp_path / "unknown.jsonl"
    unknown.write_text('{"question": "?", "answer": "!"}\n')
    with pytest.raises(UserError, match="no known problem format has the columns"):
        load_problems(unknown)
    unknown.write_text('{"task_id": "a", "prompt": "p", "test": "assert f(1)"}\n')
    with pytest.raises(UserError, match="nearest is codepref's own, which also needs tests"):
        load_problems(unknown)
