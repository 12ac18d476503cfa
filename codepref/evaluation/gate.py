"""The gate: it promotes an aligned model only if the model is shown to lose less than a margin to its base. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codepref.evaluation.comparison import SIGNIFICANCE

BASELINE = "SFT on the chosen answers"
"""What messages call the baseline."""
MARGIN_POINTS = 1.0
"""The default margin in percent points. A model may be worse than its base by less than the margin."""


@dataclass(frozen=True)
class Decision:
    """The gate's decision.

    reasons: one line for each deciding figure, or a line that there are no deciding figures. If the model had to be
    shown to be better than the baseline, the lines of `baseline` that do not show this are among them, or a line that
    it was not compared with the baseline. The figures that pass come last.
    baseline: one line for each deciding figure about the comparison with the baseline. It is empty without such a
    comparison.
    """

    promoted: bool
    reasons: tuple[str, ...]
    baseline: tuple[str, ...] = ()


def decide(
    comparisons: Sequence[Mapping[str, Any]],
    *,
    figures: Sequence[str],
    margin: float = MARGIN_POINTS,
    require_better: bool = False,
    baseline: Sequence[Mapping[str, Any]] = (),
    beat_baseline: bool = False,
) -> Decision:
    """Decide whether the aligned model is promoted. It is promoted if every figure passes (but see `beat_baseline`).

    A figure passes if the lower end of the 95% interval of its paired difference is above -`margin` points. This is a
    non-inferiority test with a nominal level of 2.5%. The reason of a figure that does not pass may give the number of
    problems that would be enough; see `problems_needed`.

    comparisons: for each figure the fields of `codepref.evaluation.comparison.Comparison` as plain values. figures: the
    names of the figures that decide. The model is not promoted if one of these figures was not compared, or if
    `figures` is empty. margin: in percent points. require_better: if True, a figure passes if the lower end is above 0
    and the p-value is below 0.05. In this case `margin` is not used. baseline: the comparisons of the aligned model
    with the baseline, in the same form. beat_baseline: if True, the aligned model must also be shown to be better than
    the baseline in each of `figures`. Otherwise the baseline does not change the decision.
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
        kept = "not worse" if row["high"] >= 0 else f"worse, by less than {margin:g} point{'s' * (margin != 1)}"
        (refused if reason else passed).append(f"{figure}: {reason or kept} ({_ends(row)})")
    against = _against(baseline, figures)
    if beat_baseline:
        not_beaten = [line for line, better in against if not better]
        refused += not_beaten if against else ["the aligned model was not compared with the baseline"]
    return Decision(not refused, (*refused, *passed), tuple(line for line, _ in against))


def _ends(row: Mapping[str, Any]) -> str:
    return f"{100 * row['difference']:+.1f} points, 95% interval {100 * row['low']:+.1f} to {100 * row['high']:+.1f}"


def _against(rows: Sequence[Mapping[str, Any]], figures: Sequence[str]) -> list[tuple[str, bool]]:
    """Return for each deciding figure a line on the comparison with the baseline, and whether it shows a gain."""
    named = {str(row["name"]): row for row in rows}
    lines = []
    for figure in dict.fromkeys(figures) if rows else ():
        row = named.get(figure)
        if row is None:
            lines.append((f"{figure}: was not compared with {BASELINE}", False))
            continue
        better = row["low"] > 0 and row["p_value"] < SIGNIFICANCE
        words = "is better than" if better else "is worse than" if row["high"] < 0 else "is not shown to be better than"
        lines.append((f"{figure}: {words} {BASELINE} ({_ends(row)})", better))
    return lines


def _refusal(row: Mapping[str, Any], margin: float, require_better: bool) -> str:
    low, high = 100 * row["low"], 100 * row["high"]
    if low > -margin and not (require_better and row["p_value"] >= 0.05):
        return ""
    if high < 0:
        return "the aligned model is worse"
    goal = "be better" if require_better else f"stay within {margin:g} point{'s' * (margin != 1)} of the base"
    needed = problems_needed(row, margin)
    # the estimate is not above n if the interval is narrow enough and only the p-value is too large
    more = f"; about {needed:,} problems would be needed to show it" if needed > row["n"] else ""
    return f"not shown to {goal}{more}"


def problems_needed(row: Mapping[str, Any], margin: float) -> int:
    """Return how many problems would bring the lower end of the interval to -`margin` points, if the difference stayed.

    This is an estimate. It assumes that the distance from the lower end to the difference falls with the square root of
    the number of problems. The result is rounded up: to a whole number if it is below 100, else to two significant
    digits. The result is 0 if the difference itself is at or below -`margin`, since no number of problems would be
    enough. It is also 0 if the interval has no width below the difference.
    """
    distance = 100 * row["difference"] + margin
    width = 100 * (row["difference"] - row["low"])
    if distance <= 0 or not width > 0:
        return 0
    needed: float = row["n"] * (width / distance) ** 2
    scale = 10 ** max(0, math.floor(math.log10(max(needed, 1))) - 1)
    return int(math.ceil(needed / scale) * scale)
