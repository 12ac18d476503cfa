"""The gate: promotes a model only if it is shown to be not worse than its base on held-out problems. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MARGIN_POINTS = 1.0
"""The default margin in percent points. A model counts as worse if it loses more than this."""


@dataclass(frozen=True)
class Decision:
    """The gate's decision. reasons: one sentence for each figure, those that refuse first."""

    promoted: bool
    reasons: tuple[str, ...]


def decide(
    comparisons: Sequence[Mapping[str, Any]],
    *,
    figures: Sequence[str],
    margin: float = MARGIN_POINTS,
    require_better: bool = False,
) -> Decision:
    """Promote only if the paired difference of every figure is shown to be above -`margin` points.

    A difference is shown if the lower end of its 95% interval is above -`margin`, which is a non-inferiority test at
    2.5%. If the interval is too wide, the gate refuses, and the reason tells how many problems would be enough.

    comparisons: the fields of `codepref.evaluation.comparison.Comparison` as plain values. figures: the names of the
    figures that decide. If a figure was not compared, or if `figures` is empty, the gate refuses.
    margin: in percent points. require_better: the lower end must be above 0, and the p-value below 0.05.
    """
    named = {str(row["name"]): row for row in comparisons}
    refused = [] if figures else ["the list of deciding figures is empty"]
    passed: list[str] = []
    for figure in figures:
        row = named.get(figure)
        if row is None:
            refused.append(f"{figure}: was not compared")
            continue
        reason = _refusal(row, 0.0 if require_better else margin, require_better)
        ends = (
            f"{100 * row['difference']:+.1f} points, 95% interval {100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
        )
        kept = "not worse" if row["high"] >= 0 else f"worse, by less than {margin:g} point{'s' * (margin != 1)}"
        (refused if reason else passed).append(f"{figure}: {reason or kept} ({ends})")
    return Decision(not refused, (*refused, *passed))


def _refusal(row: Mapping[str, Any], margin: float, require_better: bool) -> str:
    low, high = 100 * row["low"], 100 * row["high"]
    if low > -margin and not (require_better and row["p_value"] >= 0.05):
        return ""
    if high < 0:
        return "the aligned model is worse"
    goal = "be better" if require_better else f"stay within {margin:g} point{'s' * (margin != 1)} of the base"
    needed = problems_needed(row, margin)
    # if the interval is narrow enough and only the test disagrees, no number of problems follows from it
    more = f"; about {needed:,} problems would be needed to see it" if needed > row["n"] else ""
    return f"not shown to {goal}{more}"


def problems_needed(row: Mapping[str, Any], margin: float) -> int:
    """About how many problems would bring the interval's lower end above -`margin` points, for the same difference.

    The half-width of the interval falls with the square root of the number of problems. The result is rounded up to two
    digits. It is 0 if no number is enough, since the difference itself is at or below -`margin`.
    """
    distance = 100 * row["difference"] + margin
    width = 100 * (row["difference"] - row["low"])
    if distance <= 0 or not width > 0:
        return 0
    needed: float = row["n"] * (width / distance) ** 2
    scale = 10 ** max(0, math.floor(math.log10(max(needed, 1))) - 1)
    return int(math.ceil(needed / scale) * scale)
