"""The report's section on training: curves, validation results and settings. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codepref.reports.cautions import LN2, expected_first_loss
from codepref.reports.sections import plain
from codepref.reports.svg import SMOOTH_FROM, Line, line_chart, window
from codepref.reports.wording import Row, count, number, points

CURVES = (
    ("Loss", (("loss", "loss", "ink"),), None, ""),
    ("Reward margin", (("margin", "margin", "ink"),), 0.0, "chosen − rejected"),
    ("Reward accuracy", (("accuracy", "accuracy", "ink"),), 0.5, "dotted line: chance"),
    (
        "Log-probability of responses",
        (("chosen", "chosen_logp", "chosen"), ("rejected", "rejected_logp", "rejected")),
        None,
        "sum over tokens",
    ),
)
"""Rows of (title, lines, level of the dotted line or None, note). A line is (name, key in the curve, CSS class)."""


def training(summary: Row) -> dict[str, Any]:
    """Return the charts of the training and the validation, the width of moving averages, and the settings.

    The width is 0 if no curve is smoothed. Return {} if nothing was trained.
    """
    row = summary.get("training") or {}
    if not row:
        return {}
    curve = row.get("curve") or []
    charts = []
    for title, series, level, note in CURVES:
        lines = [Line(name, style, values) for name, key, style in series if (values := _points(curve, key))]
        if lines:
            if title == "Loss":
                level, note = _start_of_the_curve(row)
            chart = line_chart(title, lines, mark=level)
            charts.append({"title": title, "note": note, "lines": lines if len(lines) > 1 else [], "svg": chart})
    charts += _validation(row)
    # for a method that samples while it trains, `first_loss` holds 0 and means nothing
    first = None if number(row.get("sampled")) else number(row.get("first_loss"))
    settings = row.get("settings") or {}
    facts = [
        ("method", str(row.get("method", "")).upper()),
        ("steps", count(row.get("steps"))),
        ("loss before step 1", f"{first:.4f}" if first is not None else ""),
        ("weights kept", _kept(row)),
        ("ended early", str(row.get("stopped") or "")),
        *((str(key).replace("_", " "), plain(value)) for key, value in settings.items() if key != "method"),
    ]
    smoothed = window(len(curve)) if len(curve) >= SMOOTH_FROM else 0
    return {
        "charts": charts,
        "smoothed": smoothed,
        "trials": _trials(row),
        "facts": [fact for fact in facts if fact[1] not in ("", "–")],
    }


def _trials(training: Row) -> list[dict[str, Any]]:
    """Return a row for each weight of the likelihood term that was tried, or []. `chosen` is true for the one taken."""
    taken = number((training.get("settings") or {}).get("chosen_weight"))
    rows = []
    for trial in training.get("trials") or []:
        weight = number(trial.get("chosen_weight"))
        low, high = (points(trial.get(end), signed=True) for end in ("low", "high"))
        rows.append(
            {
                "weight": plain(trial.get("chosen_weight")),
                "steps": count(trial.get("steps")),
                "rate": points(trial.get("pass_rate")),
                "difference": points(trial.get("difference"), signed=True),
                "interval": f"{low} to {high}",
                "failed": str(trial.get("failed") or ""),
                "chosen": weight is not None and weight == taken,
            }
        )
    return rows


def _kept(training: Row) -> str:
    kept, steps = number(training.get("kept_step")), number(training.get("steps"))
    return f"of step {kept:.0f}, with the best validation result" if kept and steps and kept != steps else ""


def _validation(training: Row) -> list[dict[str, Any]]:
    """Return the charts of the validation probes, or [] for fewer than two probes."""
    probes = [row for row in training.get("probes") or [] if number(row.get("step")) is not None]
    if len(probes) < 2:
        return []
    start = number(probes[0].get("pass_rate")) or 0.0
    points_at = [(float(row["step"]), 100 * float(row["pass_rate"])) for row in probes]
    # the band is the interval of the difference to the first probe, since readers compare each point with that probe
    band = [(100 * (start + float(row["low"])), 100 * (start + float(row["high"]))) for row in probes]
    line = Line("pass@1", "ink", points_at, band)
    charts = [
        {
            "title": "pass@1 on validation problems",
            "note": "percent; dotted line: before training; band: 95% interval of the paired difference to that line",
            "lines": [],
            "svg": line_chart("pass@1 on validation problems", [line], mark=100 * start),
        }
    ]
    logps = Line("chosen", "chosen", _points(probes, "chosen_logp"))
    if len(logps.points) > 1:
        title = "Log-probability of the same chosen answers"
        charts.append(
            {"title": title, "note": "nats per token", "lines": [], "svg": line_chart(title, [logps])},
        )
    return charts


def _start_of_the_curve(training: Row) -> tuple[float | None, str]:
    """Return the value at which the curve of the loss should start, and a note, or (None, "") if it is not known.

    It is not known if `expected_first_loss` returns None, or if `chosen_weight` is above 0. With `chosen_weight` the
    logged loss includes the term of the chosen answer's likelihood, whose first value depends on the data.
    """
    expected = expected_first_loss(training)
    if expected is None or number((training.get("settings") or {}).get("chosen_weight")):
        return None, ""
    if abs(expected - LN2) < 1e-9:
        return expected, "dotted line: ln 2, where this loss starts"
    return expected, f"dotted line: {expected:.4g}, where this loss starts"


def _points(curve: Sequence[Row], key: str) -> list[tuple[float, float]]:
    return [
        (step, value)
        for row in curve
        if (step := number(row.get("step"))) is not None and (value := number(row.get(key))) is not None
    ]
