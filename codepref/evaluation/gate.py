"""Whether an aligned model may be called so: shown to be not worse than its base on held-out problems. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MARGIN_POINTS = 1.0
"""Points that a model may be worse before it counts as worse: below what users notice, above what chance hides."""


@dataclass(frozen=True)
class Decision:
    """What the gate says. reasons: a sentence a figure, those that refuse first."""

    promoted: bool
    reasons: tuple[str, ...]


def decide(
    comparisons: Sequence[Mapping[str, Any]],
    *,
    figures: Sequence[str],
    margin: float = MARGIN_POINTS,
    require_better: bool = False,
) -> Decision:
    """Promote only when every figure's paired difference is shown to be above -`margin` points.

    comparisons: as `codepref.evaluation.comparison.Comparison` in plain values, shares in [0, 1]. figures: names of
    those that decide. "Shown" is the lower end of the 95% interval, a non-inferiority test at 2.5%: an interval that
    is too wide refuses, and the reason says how many problems would be enough. require_better: above 0 instead, with
    the test in agreement. A figure that was not compared refuses, and so does a list of none.
    """
    named = {str(row["name"]): row for row in comparisons}
    refused = [] if figures else ["no figure was named to decide"]
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
    # an interval that is narrow enough where the test does not agree asks for no number that could be told
    more = f"; about {needed:,} problems would be needed to see it" if needed > row["n"] else ""
    return f"not shown to {goal}{more}"


def problems_needed(row: Mapping[str, Any], margin: float) -> int:
    """About how many problems would bring the interval's lower end above -`margin` points if the difference stays.

    The interval's half-width falls with the square root of their number. 0 where no number would: the difference itself
    is at or below the margin.
    """
    distance = 100 * row["difference"] + margin
    width = 100 * (row["difference"] - row["low"])
    if distance <= 0 or not width > 0:
        return 0
    # two digits: it is an estimate
    needed: float = row["n"] * (width / distance) ** 2
    scale = 10 ** max(0, math.floor(math.log10(max(needed, 1))) - 1)
    return int(math.ceil(needed / scale) * scale)
