"""What the report's template shows, section by section, from summary.json. A section without data is empty."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from codepref.records import VERDICT_CODES
from codepref.reports import svg
from codepref.reports.tables import with_interval
from codepref.reports.wording import Row, count, number, points, seconds

VERDICT_NAMES = dict(
    zip(
        VERDICT_CODES,
        ("pass", "fail", "error", "timeout", "memory", "forbidden", "skipped", "infrastructure"),
        strict=True,
    )
)


def funnel(summary: Row) -> list[dict[str, Any]]:
    """Counts from problems to pairs. Bars are on a log scale, since counts differ by orders of magnitude."""
    rows = [row for row in summary.get("funnel") or [] if number(row.get("count")) is not None]
    top = max((float(row["count"]) for row in rows), default=0.0)
    return [
        {
            "what": row.get("what", ""),
            "count": count(row["count"]),
            "width": round(100 * math.log1p(max(0.0, row["count"])) / math.log1p(top), 1) if top else 0,
        }
        for row in rows
    ]


def dropped(summary: Row) -> list[dict[str, Any]]:
    """What was dropped on the way, by kind and reason, the commonest reason first."""
    found = []
    for kind, reasons in (summary.get("dropped") or {}).items():
        counts = [(reason, value) for reason, n in (reasons or {}).items() if (value := number(n))]
        for reason, value in sorted(counts, key=lambda item: -item[1]):
            found.append({"kind": kind, "reason": reason, "count": count(value)})
    return found


def share(part: float, whole: float) -> str:
    """Percent with one decimal; what is there but rounds to nothing is "<0.1"."""
    return "<0.1" if 0 < part / whole < 0.0005 else points(part / whole)


def verdicts(summary: Row) -> list[dict[str, Any]]:
    """Shares and counts of each verdict code, one bar a set of verdicts."""
    found = []
    for name, codes in (summary.get("verdicts") or {}).items():
        counts = {code: number((codes or {}).get(code)) or 0.0 for code in VERDICT_CODES}
        total = sum(counts.values())
        if total:
            parts = [
                {
                    "code": code,
                    "name": VERDICT_NAMES[code],
                    "count": count(value),
                    "share": share(value, total),
                    "width": round(100 * value / total, 3),
                }
                for code, value in counts.items()
                if value
            ]
            found.append({"name": name, "total": count(total), "parts": parts})
    return found


def pairs(summary: Row) -> dict[str, Any]:
    """How many pairs were made, and how many are right, inverted or neither by the true tests."""
    row = summary.get("pairs") or {}
    if number(row.get("count")) is None:
        return {}
    found: dict[str, Any] = {"count": count(row["count"]), "problems": count(row.get("problems")), "parts": []}
    found |= _trust(row)
    judged = number(row.get("judged")) or 0.0
    if judged:
        right, inverted = number(row.get("right")) or 0.0, number(row.get("inverted")) or 0.0
        both_pass, both_fail = number(row.get("both_pass")), number(row.get("both_fail"))
        if both_pass is None or both_fail is None:
            rest = [("neither", max(0.0, judged - right - inverted), "S")]
        else:
            rest = [("both correct", both_pass, "S"), ("both wrong", both_fail, "I")]
        named = [("right", right, "P"), *rest, ("inverted", inverted, "F")]
        found["judged"] = count(judged)
        found["share"] = with_interval(row.get("share_right") or {"value": right / judged})
        found["parts"] = [
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
    return found


def _trust(row: Row) -> dict[str, Any]:
    """Precision against the share kept with its interval, and the calibration table; "" and [] where it has none."""
    kept = [[number(one.get("share")), *_ends(one.get("precision") or {})] for one in row.get("kept") or []]
    told = [[100 * value for value in values if value is not None] for values in kept]
    whole = [values for values in told if len(values) == 4]
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
    if len(whole) > 1 and len(table) > 1:  # among equal confidences "the surest" would be whichever came first
        line = svg.Line("right", "ink", [(x, y) for x, y, _, _ in whole], [(low, high) for _, _, low, high in whole])
        across = "percent of problems kept, the surest first"
        chart = svg.line_chart("Right pairs by the share of problems kept", [line], across=across)
    return {"kept": chart, "calibration": rows, "error": points(row.get("calibration_error"))}


def _ends(figure: Row) -> list[float | None]:
    return [number(figure.get(key)) for key in ("value", "low", "high")]


CURVES = (
    ("Loss", (("loss", "loss", "ink"),), math.log(2), "dotted: ln 2, the start of DPO"),
    ("Reward margin", (("margin", "margin", "ink"),), 0.0, "chosen − rejected"),
    (
        "Reward accuracy",
        (("accuracy", "accuracy", "ink"),),
        0.5,
        "dotted: chance",
    ),
    (
        "Log-probability of responses",
        (("chosen", "chosen_logp", "chosen"), ("rejected", "rejected_logp", "rejected")),
        None,
        "sum over tokens",
    ),
)


def training(summary: Row) -> dict[str, Any]:
    """Training curves and the settings that training ran with."""
    row = summary.get("training") or {}
    if not row:
        return {}
    curve = row.get("curve") or []
    charts = []
    for title, series, level, note in CURVES:
        lines = [svg.Line(name, style, found) for name, key, style in series if (found := _points(curve, key))]
        if lines:
            if title == "Loss" and not _starts_at_ln2(row):
                level, note = None, ""
            chart = svg.line_chart(title, lines, mark=level)
            charts.append({"title": title, "note": note, "lines": lines if len(lines) > 1 else [], "svg": chart})
    charts += _watched(row)
    first = number(row.get("first_loss"))
    settings = row.get("settings") or {}
    facts = [
        ("method", str(row.get("method", "")).upper()),
        ("steps", count(row.get("steps"))),
        ("loss at step 1", f"{first:.4f}" if first is not None else ""),
        ("weights kept", _kept(row)),
        ("ended early", str(row.get("stopped") or "")),
        *((str(key).replace("_", " "), plain(value)) for key, value in settings.items() if key != "method"),
    ]
    smoothed = svg.window(len(curve)) if len(curve) >= svg.SMOOTH_FROM else 0
    return {"charts": charts, "smoothed": smoothed, "facts": [fact for fact in facts if fact[1] not in ("", "–")]}


def _kept(training: Row) -> str:
    kept, steps = number(training.get("kept_step")), number(training.get("steps"))
    return f"of step {kept:.0f}, the best probe" if kept and steps and kept != steps else ""


def _watched(training: Row) -> list[dict[str, Any]]:
    """What the model did with the validation problems while it trained."""
    probes = [row for row in training.get("probes") or [] if number(row.get("step")) is not None]
    if len(probes) < 2:
        return []
    start = number(probes[0].get("pass_rate")) or 0.0
    points_at = [(float(row["step"]), 100 * float(row["pass_rate"])) for row in probes]
    # the interval is of the difference to the start, which is where a reader compares a point with
    band = [(100 * (start + float(row["low"])), 100 * (start + float(row["high"]))) for row in probes]
    line = svg.Line("pass@1", "ink", points_at, band)
    charts = [
        {
            "title": "pass@1 on validation problems",
            "note": "percent; dotted: the start; band: the paired difference to it, 95%",
            "lines": [],
            "svg": svg.line_chart("pass@1 on validation problems", [line], mark=100 * start),
        }
    ]
    logps = svg.Line("chosen", "chosen", _points(probes, "chosen_logp"))
    if len(logps.points) > 1:
        title = "Log-probability of the same chosen answers"
        charts.append(
            {"title": title, "note": "nats a token", "lines": [], "svg": svg.line_chart(title, [logps])},
        )
    return charts


def _starts_at_ln2(training: Row) -> bool:
    """DPO's loss starts at ln 2, but not the logged sum with the chosen answer's likelihood, nor other methods'."""
    settings = training.get("settings") or {}
    return training.get("method", "dpo") == "dpo" and not number(settings.get("chosen_weight"))


def _points(curve: Sequence[Row], key: str) -> list[tuple[float, float]]:
    return [
        (step, value)
        for row in curve
        if (step := number(row.get("step"))) is not None and (value := number(row.get(key))) is not None
    ]


def stages(summary: Row) -> dict[str, Any]:
    """Seconds a stage, with bars in proportion."""
    rows = summary.get("stages") or []
    took = [number(row.get("seconds")) or 0.0 for row in rows]
    if not rows:
        return {}
    longest = max(took) or 1.0
    return {
        "rows": [
            {"name": row.get("name", ""), "seconds": seconds(value), "width": round(100 * value / longest, 1)}
            for row, value in zip(rows, took, strict=True)
        ],
        "total": seconds(sum(took)),
    }


def plain(value: Any) -> str:
    """A setting as a reader writes it in TOML."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def recipe(summary: Row) -> list[dict[str, Any]]:
    """The resolved recipe, a table a section."""
    found = []
    for section, settings in (summary.get("recipe_resolved") or {}).items():
        values = settings if isinstance(settings, Mapping) else {"": settings}
        found.append({"section": section, "settings": [(key, plain(value)) for key, value in values.items()]})
    return found


def provenance(summary: Row) -> list[tuple[str, list[tuple[str, str]]]]:
    """The run, the machine and the versions, as titled lists."""
    run = [
        (key, plain(summary[key])) for key in ("recipe", "seed", "started", "codepref") if summary.get(key) is not None
    ]
    machine = [(str(key).replace("_", " "), plain(value)) for key, value in (summary.get("machine") or {}).items()]
    versions = [(str(key), plain(value)) for key, value in (summary.get("versions") or {}).items()]
    return [(title, rows) for title, rows in (("Run", run), ("Machine", machine), ("Versions", versions)) if rows]
