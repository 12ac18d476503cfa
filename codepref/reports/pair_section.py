"""The report's section on pairs: how many are right, and how well their confidence is calibrated. Pure."""

from __future__ import annotations

from typing import Any

from codepref.reports.sections import share
from codepref.reports.svg import Line, line_chart
from codepref.reports.tables import with_interval
from codepref.reports.wording import Row, count, number, points


def pairs(summary: Row) -> dict[str, Any]:
    """Return how many pairs were made, and how many of them are right, inverted or neither by the true tests.

    The result also holds what `_confidence` returns.
    Returns {} if the summary has no count of pairs.
    """
    row = summary.get("pairs") or {}
    if number(row.get("count")) is None:
        return {}
    section: dict[str, Any] = {"count": count(row["count"]), "problems": count(row.get("problems")), "parts": []}
    section |= _confidence(row)
    judged = number(row.get("judged")) or 0.0
    if judged:
        right, inverted = number(row.get("right")) or 0.0, number(row.get("inverted")) or 0.0
        both_pass, both_fail = number(row.get("both_pass")), number(row.get("both_fail"))
        if both_pass is None or both_fail is None:
            rest = [("neither", max(0.0, judged - right - inverted), "S")]
        else:
            rest = [("both correct", both_pass, "S"), ("both wrong", both_fail, "I")]
        named = [("right", right, "P"), *rest, ("inverted", inverted, "F")]
        section["judged"] = count(judged)
        section["share"] = with_interval(row.get("share_right") or {"value": right / judged})
        section["parts"] = [
            {
                "name": name,
                "code": code,
                "count": count(value),
                "share": share(value, judged),
                "width": round(100 * value / judged, 3),
            }
            for name, value, code in named
            if value
        ]
    return section


def _confidence(row: Row) -> dict[str, Any]:
    """Return the chart of right pairs by the share of problems kept, the calibration table and the calibration error.

    The chart is "" if the audit lacks its figures or if all pairs have similar confidence. The table is [] if the audit
    lacks its figures.
    """
    kept = [[number(one.get("share")), *_value_and_ends(one.get("precision") or {})] for one in row.get("kept") or []]
    percents = [[100 * value for value in values if value is not None] for values in kept]
    complete = [values for values in percents if len(values) == 4]
    table = [one for one in row.get("calibration") or [] if number(one.get("right")) is not None]
    rows = [
        {
            "confidence": f"{number(one.get('low')) or 0:.1f} to {number(one.get('high')) or 0:.1f}",
            "pairs": count(one.get("pairs")),
            "mean": points(one.get("confidence")),
            "right": points(one["right"]),
            "interval": " to ".join(points(end) for end in one.get("interval") or ()),
        }
        for one in table
    ]
    chart = ""
    if len(complete) > 1 and len(table) > 1:  # if all pairs have one confidence, their order is random
        values, ends = [(x, y) for x, y, _, _ in complete], [(low, high) for _, _, low, high in complete]
        line = Line("right", "ink", values, ends)
        across = "percent of problems kept, the most confident first"
        chart = line_chart("Right pairs by the share of problems kept", [line], across=across)
    return {"kept": chart, "calibration": rows, "error": points(row.get("calibration_error"))}


def _value_and_ends(figure: Row) -> list[float | None]:
    return [number(figure.get(key)) for key in ("value", "low", "high")]
