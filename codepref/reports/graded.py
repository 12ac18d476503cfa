"""The grades that a judge gave in a run, laid out for the terminal and the page. Pure."""

from __future__ import annotations

from typing import Any

from codepref.reports.wording import Row, number


def graded(summary: Row) -> dict[str, Any]:
    """Return the figures of the graded models, with one row for each figure, such as the grade by one preference.

    A row also holds the paired difference of the base and the aligned model, or "–" if the summary lacks it. Returns {}
    for a run without grades.
    """
    grading = summary.get("grading") or {}
    scores = {
        label: {row["name"]: row for row in rows} for label, rows in (grading.get("scores") or {}).items() if rows
    }
    if not scores:
        return {}
    compared = {row["name"]: row for row in grading.get("comparison") or []}
    names = list(dict.fromkeys(name for rows in scores.values() for name in rows))
    rows = [
        {
            "name": name,
            "models": [_cell(scores[label].get(name)) for label in scores],
            "difference": _difference(compared.get(name)),
            "n": _count(compared.get(name) or next(rows[name] for rows in scores.values() if name in rows)),
        }
        for name in names
    ]
    return {"models": list(scores), "rows": rows, "compared": bool(compared)}


def grade_lines(summary: Row) -> list[list[str]]:
    """Return the result of `graded` as rows of cells, the header first. Return [] for a run without grades."""
    section = graded(summary)
    if not section:
        return []
    header = ["", *section["models"], *(["difference"] if section["compared"] else []), "problems"]
    lines = [
        [row["name"], *row["models"], *([row["difference"]] if section["compared"] else []), row["n"]]
        for row in section["rows"]
    ]
    return [header, *lines]


def _cell(row: Row | None) -> str:
    return "–" if row is None else f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def _difference(row: Row | None) -> str:
    return "–" if row is None else f"{row['difference']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"


def _count(row: Row) -> str:
    return f"{int(number(row.get('n')) or 0):,}"
