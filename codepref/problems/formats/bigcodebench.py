"""BigCodeBench (arXiv 2406.15877): one unittest suite a task, in a class `TestCases`."""

from __future__ import annotations

from codepref.problems.fields import Row, entry_point_field, prompt_parts, task_id_field, text_field
from codepref.records import Problem, Test

COLUMNS = frozenset({"task_id", "complete_prompt", "canonical_solution", "test", "entry_point"})


def read(row: Row, where: str) -> Problem:
    """One line, with the prompt of the "complete" split. Raises UserError for a missing or wrong field."""
    task_id, entry_point = task_id_field(row, where), entry_point_field(row, where)
    prompt = text_field(row, "complete_prompt", where)
    parts = prompt_parts(prompt, entry_point)
    kept = {key: row[key] for key in ("instruct_prompt", "code_prompt", "libs") if row.get(key) is not None}
    return Problem(
        task_id=task_id,
        prompt=prompt,
        entry_point=entry_point,
        tests=(Test(task_id, "unittest", text_field(row, "test", where), "unittest"),),
        gold=prompt + text_field(row, "canonical_solution", where),
        style="complete",
        helpers="",
        preamble=parts.preamble,
        meta={"format": "bigcodebench", **kept},
    )
