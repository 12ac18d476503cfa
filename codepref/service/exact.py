"""The fields of a problem as codepref's own client sends them, so that the server runs exactly the same tests.

The server takes these fields as they are. By contrast, it normalises a row in codepref's own format, and may give other
ids to its tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from codepref.errors import UserError
from codepref.problems.kinds import KINDS
from codepref.records import Problem, Style, Test

_TEXTS = ("task_id", "prompt", "entry_point", "style", "helpers", "preamble")


def exact_row(problem: Problem) -> dict[str, Any]:
    """Return the fields of a problem, which are all fields but `meta`. `exact_problem` makes the problem from them."""
    tests = [{"test_id": test.test_id, "source": test.source, "kind": test.kind} for test in problem.tests]
    return {**{name: getattr(problem, name) for name in _TEXTS}, "gold": problem.gold, "tests": tests}


def exact_problem(row: Mapping[str, Any]) -> Problem:
    """Return the problem with the fields that `exact_row` returned. Raises UserError for a wrong or unknown field."""
    texts = {name: row.get(name) for name in _TEXTS}
    gold, entries = row.get("gold"), row.get("tests")
    wrong = [f"problem: {name} must be a text" for name, value in texts.items() if not isinstance(value, str)]
    wrong += [f"problem: there is no field {name!r}" for name in row.keys() - {*_TEXTS, "gold", "tests"}]
    if texts["style"] not in get_args(Style):
        wrong.append(f"problem: style must be one of {', '.join(get_args(Style))}")
    if not (gold is None or isinstance(gold, str)):
        wrong.append("problem: gold must be a text or null")
    if not (isinstance(entries, list) and all(_is_test(entry) for entry in entries)):
        wrong.append(
            "problem: tests must be a list of objects. Each must have exactly the fields test_id, source and kind. All "
            "three must be texts, and the kind must be one that the tests of a problem can have"
        )
    if wrong:
        raise UserError(*wrong)
    tests = tuple(Test(str(texts["task_id"]), **entry) for entry in entries or ())
    return Problem(**texts, gold=gold, tests=tests)  # type: ignore[arg-type]


def _is_test(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.keys() != {"test_id", "source", "kind"}:
        return False
    kind = KINDS.get(entry["kind"]) if isinstance(entry["kind"], str) else None
    return all(isinstance(value, str) for value in entry.values()) and kind is not None and kind.from_entry is not None
