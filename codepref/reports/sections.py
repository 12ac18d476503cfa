"""The report's sections on counts, verdicts, time and provenance, from summary.json. Pure.

Each function of a section returns what the template shows, or an empty value if there are no data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from codepref.records import VERDICT_CODES
from codepref.reports.wording import Row, count, number, points, seconds

VERDICT_NAMES = dict(
    zip(
        VERDICT_CODES,
        ("pass", "fail", "error", "timeout", "memory", "forbidden", "skipped", "infrastructure"),
        strict=True,
    )
)


def funnel(summary: Row) -> list[dict[str, Any]]:
    """Return the counts from problems to training, with the lengths of their bars.

    The lengths are logarithmic, since the counts differ by orders of magnitude.
    """
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


def choice(summary: Row) -> list[dict[str, Any]]:
    """Return the numbers of training problems by the model's pass rate, with the lengths of the bars that show them."""
    rates = (summary.get("choice") or {}).get("pass_rates") or {}
    top = max(rates.values(), default=0) or 1
    return [
        {"what": f"pass rate {rate}", "count": count(number), "width": round(100 * number / top, 1)}
        for rate, number in rates.items()
    ]


def dropped(summary: Row) -> list[dict[str, Any]]:
    """Return how much was dropped, by kind and reason. The most common reason of each kind comes first."""
    rows = []
    for kind, reasons in (summary.get("dropped") or {}).items():
        counts = [(reason, value) for reason, n in (reasons or {}).items() if (value := number(n))]
        for reason, value in sorted(counts, key=lambda item: -item[1]):
            rows.append({"kind": kind, "reason": reason, "count": count(value)})
    return rows


def share(part: float, whole: float) -> str:
    """Return a part in percent of the whole, with one decimal, or "<0.1" for a part above 0 that would round to 0."""
    return "<0.1" if 0 < part / whole < 0.0005 else points(part / whole)


def verdicts(summary: Row) -> list[dict[str, Any]]:
    """Return one bar for each set of verdicts, with the share and the count of each verdict code."""
    bars = []
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
            bars.append({"name": name, "total": count(total), "parts": parts})
    return bars


def stages(summary: Row) -> dict[str, Any]:
    """Return the duration of each stage with the length of its bar, and the total duration."""
    rows = summary.get("stages") or []
    durations = [number(row.get("seconds")) or 0.0 for row in rows]
    if not rows:
        return {}
    longest = max(durations) or 1.0
    return {
        "rows": [
            {"name": row.get("name", ""), "seconds": seconds(value), "width": round(100 * value / longest, 1)}
            for row, value in zip(rows, durations, strict=True)
        ],
        "total": seconds(sum(durations)),
    }


def plain(value: Any) -> str:
    """Return a setting as text: a string unchanged, any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def recipe(summary: Row) -> list[dict[str, Any]]:
    """Return the resolved recipe, one table for each section and for each key outside the sections."""
    tables = []
    for section, settings in (summary.get("recipe_resolved") or {}).items():
        values = settings if isinstance(settings, Mapping) else {"": settings}
        tables.append({"section": section, "settings": [(key, plain(value)) for key, value in values.items()]})
    return tables


def provenance(summary: Row) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the facts on the run, the machine and the versions, as titled lists."""
    run = [
        (key, plain(summary[key])) for key in ("recipe", "seed", "started", "codepref") if summary.get(key) is not None
    ]
    machine = [(str(key).replace("_", " "), plain(value)) for key, value in (summary.get("machine") or {}).items()]
    versions = [(str(key), plain(value)) for key, value in (summary.get("versions") or {}).items()]
    return [(title, rows) for title, rows in (("Run", run), ("Machine", machine), ("Versions", versions)) if rows]
