"""Writes grades as a score file for `codepref compare` and as a Parquet table for other programs.

It also reads such a score file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.evaluation.graded import HIGH, LOW, Grade, Grades, summarise_grades
from codepref.evaluation.scores import FILE, LINES
from codepref.records import InstructionResponses
from codepref.storage.files import read_json, write_json, write_parquet

FORMAT = "codepref grades 1"
TABLE = "grades.parquet"


def write_grades(grades: Grades, folder: Path, *, seed: int = 0) -> Path:
    """Write `folder`/scores.json with every figure and one row for each problem. Return the path of the file."""
    document = {
        "format": FORMAT,
        "label": grades.label,
        "judge": grades.judge,
        "scale": [LOW, HIGH],
        "seed": seed,
        "conditions": dict(grades.conditions),
        "scores": [asdict(figure) for figure in summarise_grades(grades, seed=seed)],
        "left_out": grades.left_out(),
        "problems": [asdict(grade) for grade in grades.grades],
    }
    write_json(folder / FILE, document)
    return folder / FILE


def is_grades_file(path: Path) -> bool:
    """Return whether a file holds grades. path: the file, or a folder with the file scores.json.

    Return False for a folder without this file, for a name that ends in .jsonl, .gz or .parquet, and for any other JSON
    file, such as a score file with pass@k. Raises UserError for a file with another ending if it is missing or is not
    JSON.
    """
    if path.is_dir():
        path = path / FILE
        if not path.exists():
            return False
    if path.suffix in LINES:
        return False
    document = read_json(path)
    return isinstance(document, dict) and document.get("format") == FORMAT


def read_grades(path: Path) -> Grades:
    """Read grades from a file that `write_grades` wrote, or from scores.json in a folder.

    Raises UserError if the file is missing or malformed.
    """
    path = path / FILE if path.is_dir() else path
    document = read_json(path)
    try:
        if document["format"] != FORMAT:
            raise ValueError(f'"format" must be "{FORMAT}"')
        grades = tuple(_grade(row) for row in document["problems"])
        return Grades(str(document["label"]), str(document["judge"]), grades, dict(document.get("conditions") or {}))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: this is a malformed file of grades ({type(error).__name__}: {error})") from None


def write_grades_table(
    path: Path, tasks: Sequence[InstructionResponses], references: Mapping[str, str], grades: Grades
) -> None:
    """Write a Parquet file with one row for each problem.

    The column `rating` is a text: the grade, or "N/A" without a grade. `judgement` is the judge's rationale. tasks: the
    problems, with one response each. references: task_id -> reference answer. grades: grades of all these problems.
    """
    import pyarrow as pa

    names = ("task_id", "instruction", "preference", "reference", "response", "model", "judge", "rating", "judgement")
    by_task = {grade.task_id: grade for grade in grades.grades}
    rows = (
        dict(
            zip(
                names,
                (
                    task.task_id,
                    task.instruction.text,
                    task.preference,
                    references[task.task_id],
                    task.responses[0].text,
                    task.responses[0].model,
                    grades.judge,
                    "N/A" if (value := by_task[task.task_id].value) is None else str(value),
                    by_task[task.task_id].rationale,
                ),
                strict=True,
            )
        )
        for task in tasks
    )
    write_parquet(path, rows, pa.schema([(name, pa.string()) for name in names]))


def _grade(row: Mapping[str, Any]) -> Grade:
    value = row["value"]
    if value is not None and not LOW <= value <= HIGH:
        raise ValueError(f"the grade {value} of {row['task_id']} is not between {LOW} and {HIGH}")
    return Grade(str(row["task_id"]), str(row["preference"]), value, str(row["rationale"]), str(row["reason"]))
