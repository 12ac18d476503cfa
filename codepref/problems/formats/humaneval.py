"""HumanEval (arXiv 2107.03374). HumanEval+ OriginFmt and the hub's humanevalplus are published in the same form."""

from __future__ import annotations

from codepref.problems.fields import Row, entry_point_field, prompt_parts, task_id_field, text_field
from codepref.problems.formats.base import Format
from codepref.problems.repairs import repair
from codepref.records import Problem, Test


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row, with one test of kind "check"."""
    task_id = task_id_field(row, where)
    prompt, entry_point = text_field(row, "prompt", where), entry_point_field(row, where)
    source, repairs = repair(task_id, text_field(row, "test", where))
    parts = prompt_parts(prompt, entry_point)
    return Problem(
        task_id=task_id,
        prompt=prompt,
        entry_point=entry_point,
        tests=(Test(task_id, "check", source, "check"),),
        gold=prompt + text_field(row, "canonical_solution", where),
        style="complete",
        helpers=parts.helpers,
        preamble=parts.preamble,
        meta={"format": "humaneval", **({"repaired": repairs} if repairs else {})},
    )


FORMAT = Format(
    "HumanEval, HumanEval+ OriginFmt",
    frozenset({"task_id", "prompt", "entry_point", "canonical_solution", "test"}),
    read,
)
