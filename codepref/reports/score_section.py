"""The report's first figures, and its sections on the scores of the models and on the baseline. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codepref.reports.sections import stages
from codepref.reports.svg import Interval, interval_chart
from codepref.reports.tables import with_interval
from codepref.reports.wording import (
    Row,
    baseline_lines,
    count,
    figure_name,
    interval,
    main_comparison,
    number,
    p_value,
    points,
    scale_note,
    tone_of,
    true_minus,
)

MODELS = ("base", "aligned")
DIFFERENCE_WORDS = {"better": "better", "worse": "worse", "tie": "no difference shown", "unknown": ""}


def tiles(summary: Row) -> list[dict[str, str]]:
    """Return the page's first figures, as far as the summary has them.

    They are the main score, the number of pairs, the share of right pairs, and the duration.
    """
    rows = []
    main = main_comparison(list(summary.get("comparison") or []))
    if main:
        value = f"{points(main.get('base'))} → {points(main.get('aligned'))}"
        note = f"{with_interval(main, 'difference', signed=True)} points"
        rows.append({"what": f"{figure_name(str(main.get('name')))}, percent", "value": value, "note": note})
    pairs = summary.get("pairs") or {}
    if number(pairs.get("count")) is not None:
        problems = f"of {count(pairs['problems'])} problems" if number(pairs.get("problems")) is not None else ""
        rows.append({"what": "preference pairs", "value": count(pairs["count"]), "note": problems})
    if share := pairs.get("share_right"):
        note = f"by the true tests {interval(share)}"
        rows.append({"what": "pairs that are right", "value": f"{points(share.get('value'))}%", "note": note})
    if time := stages(summary):
        rows.append({"what": "whole run", "value": time["total"], "note": f"{len(time['rows'])} stages"})
    return rows


def scores(summary: Row) -> dict[str, Any]:
    """Return the section on scores: at most two charts, and the rows of the table.

    Return {} for a summary without scores of the base or the aligned model and without a comparison.
    """
    by_model = {
        model: {str(row.get("name")): row for row in (summary.get("scores") or {}).get(model) or []} for model in MODELS
    }
    comparison = {str(row.get("name")): row for row in summary.get("comparison") or []}
    names = list(dict.fromkeys([*(name for rows in by_model.values() for name in rows), *comparison]))
    if not names:
        return {}
    rows = [_score_row(name, by_model, comparison.get(name)) for name in names]
    levels = [
        (name, [_mark(model, by_model[model][name]) for model in MODELS if name in by_model[model]]) for name in names
    ]
    differences = [
        (name, [_difference_mark(row)]) for name, row in comparison.items() if number(row.get("difference")) is not None
    ]
    return {
        "rows": rows,
        "scale": scale_note(names),
        "compared": bool(comparison),
        "models": [model for model in MODELS if by_model[model]],
        "levels": interval_chart("Scores with 95% intervals", [row for row in levels if row[1]])
        if any(m for _, m in levels)
        else "",
        "differences": interval_chart("Paired differences with 95% intervals", differences, zero=True)
        if differences
        else "",
    }


def against_baseline(summary: Row) -> dict[str, Any]:
    """Return the rows of the table that compares the aligned model with the baseline, and the sentences about it.

    Return {} for a run that has not compared the model with a baseline.
    """
    comparison = {str(row.get("name")): row for row in (summary.get("baseline") or {}).get("comparison") or []}
    if not comparison:
        return {}
    over_base = {str(row.get("name")): row for row in summary["baseline"].get("over_base") or []}
    rows = [
        {
            "name": name,
            "baseline": points(row.get("base")),
            "over_base": with_interval(over_base.get(name), "difference", signed=True),
            "n": count(row.get("n")),
            **_difference(row),
        }
        for name, row in comparison.items()
    ]
    return {"rows": rows, "sentences": baseline_lines(summary)}


def _score_row(name: str, by_model: Mapping[str, Mapping[str, Row]], comparison: Row | None) -> dict[str, Any]:
    """Return one row of the table: each model's score, and the paired difference if the models were compared."""
    cells: dict[str, Any] = {"name": name}
    for model in MODELS:
        row = by_model[model].get(name)
        cells[model] = {"value": points(row.get("value")), "interval": interval(row)} if row else None
    some = comparison or next(by_model[model][name] for model in MODELS if name in by_model[model])
    cells["n"] = count(some.get("n"))
    if comparison:
        cells["comparison"] = _difference(comparison)
    return cells


def _difference(comparison: Row) -> dict[str, Any]:
    """Return the cells of a paired difference."""
    tone = tone_of(comparison)
    return {
        "difference": points(comparison.get("difference"), signed=True),
        "interval": interval(comparison, signed=True),
        "p_value": p_value(comparison.get("p_value")),
        "test": comparison.get("test", ""),
        "counts": " / ".join(count(comparison.get(key)) for key in ("wins", "losses", "ties")),
        "tone": tone,
        "words": DIFFERENCE_WORDS[tone],
    }


def _mark(model: str, row: Row) -> Interval:
    value, low, high = (_percent(row.get(key)) for key in ("value", "low", "high"))
    return Interval(value or 0.0, low, high, model, true_minus(with_interval(row)))


def _difference_mark(row: Row) -> Interval:
    value, low, high = (_percent(row.get(key)) for key in ("difference", "low", "high"))
    return Interval(value or 0.0, low, high, tone_of(row), true_minus(with_interval(row, "difference", signed=True)))


def _percent(value: Any) -> float | None:
    share = number(value)
    return None if share is None else 100 * share
