"""BigCodeBench (arXiv 2406.15877): one unittest suite per task, in a class `TestCases`."""

from __future__ import annotations

from typing import Literal

from codepref.problems.fields import Row, entry_point_field, prompt_parts, task_id_field, text_field
from codepref.problems.formats.base import Format
from codepref.records import Problem, Test

_SHARED = frozenset({"task_id", "canonical_solution", "test", "entry_point"})
_KEPT = ("instruct_prompt", "code_prompt", "libs")


def read_complete(row: Row, where: str) -> Problem:
    """Return the problem of one row in the form "complete": the prompt is code."""
    prompt = text_field(row, "complete_prompt", where)
    return _problem(row, where, prompt, prompt, "complete")


def read_instruct(row: Row, where: str) -> Problem:
    """Return the problem of one row in the form "instruct": the prompt is a request in words."""
    prompt, code = text_field(row, "instruct_prompt", where), text_field(row, "code_prompt", where)
    return _problem(row, where, prompt, code, "instruct")


def _problem(row: Row, where: str, prompt: str, code: str, style: Literal["complete", "instruct"]) -> Problem:
    """Return the problem of one row. code: imports and the function's head, which the solution continues."""
    task_id, entry_point = task_id_field(row, where), entry_point_field(row, where)
    kept = {key: row[key] for key in _KEPT if row.get(key) is not None}
    return Problem(
        task_id=task_id,
        prompt=prompt,
        entry_point=entry_point,
        tests=(Test(task_id, "unittest", text_field(row, "test", where), "unittest"),),
        gold=code + text_field(row, "canonical_solution", where),
        style=style,
        helpers="",
        preamble=prompt_parts(code, entry_point).preamble,
        meta={"format": "bigcodebench", **kept},
    )


COMPLETE = Format("BigCodeBench", _SHARED | {"complete_prompt"}, read_complete)
INSTRUCT = Format("BigCodeBench, instruct form", _SHARED | {"instruct_prompt", "code_prompt"}, read_instruct)
