"""Formats the results of `python -m benchmarks.methods` as Markdown."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.common.markdown import before_and_after, points
from benchmarks.methods.settings import METHODS
from codepref.reports.tables import with_interval

FIGURES = ("pass@1 greedy", "pass@1", "pass@10")
"""The figures that have a column of the table."""


def change(item: dict[str, float]) -> str:
    """Return a figure before and after training in percent, and the difference and its interval in points."""
    return f"{before_and_after(item)}, {points(item)}"


def table(bases: list[dict[str, Any]], rows: list[dict[str, Any]], command: str, machine: dict[str, Any]) -> str:
    """Return a Markdown document with a table of all figures.

    The table has lines for the starter with each seed, for each method with each seed, and for the mean of each
    method's differences.

    bases: the starter's figures, one row for each seed. rows: one row for each method and seed.
    """
    lines = [
        "# Training methods on the starter, held-out problems",
        "",
        f"`{command}` on {machine['cores']} cores ({machine['cpu']}), no GPU.",
        "Figures are in percent, before → after training. The paired difference follows with its 95% interval over 200 "
        'problems. "written" counts the solutions and test completions that models wrote for the method to learn from. '
        "The methods of a seed share them, but the online methods and the second round of rpo-2-rounds sample their "
        'own. "seconds" is the time of training and its validation, on a machine with other work. Online methods '
        'sample in this time. The other methods sample before it. "kept" is the step whose weights validation '
        "kept, and the number of all steps.",
        "",
        "| method | learns from | seed | greedy pass@1 | sampled pass@1 | pass@10 | written | seconds | kept | gate |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in bases:
        figures = " | ".join(with_interval(row["figures"][name]) for name in FIGURES)
        lines.append(f"| base | | {row['seed']} | {figures} | | | | |")
    for method in dict.fromkeys(row["method"] for row in rows):
        of_method = [row for row in rows if row["method"] == method]
        for row in of_method:
            figures = " | ".join(change(row["figures"][name]) for name in FIGURES)
            kept = f"{row['kept_step']} of {row['steps']}"
            promoted = "promoted" if row["gate"]["promoted"] else "not"
            lines.append(
                f"| {method} | {METHODS[method][0]} | {row['seed']} | {figures} | {row['sampled']:,} | "
                f"{row['training_seconds']:.0f} | {kept} | {promoted} |"
            )
        means = [statistics.mean(100 * row["figures"][name]["difference"] for row in of_method) for name in FIGURES]
        shown = " | ".join(f"**{mean:+.1f}**" for mean in means)
        lines.append(f"| **{method}** | | mean | {shown} | | | | |")
    return "\n".join(lines) + "\n"
