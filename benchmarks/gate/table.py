"""Formats the results of `python -m benchmarks.gate trainings` as Markdown."""

from __future__ import annotations

from typing import Any

from benchmarks.methods.table import change


def table(bad: list[dict[str, Any]], good: list[dict[str, Any]], machine: dict[str, Any]) -> str:
    """Return a Markdown document with one line for each training.

    A line has the gate's decision, and the figures of the model unless the training was refused. The lines of bad
    trainings also say how the training ended. bad, good: one row of results for each training.
    """
    promoted_bad, promoted_good = sum(row["promoted"] for row in bad), sum(row["gate"]["promoted"] for row in good)
    lines = [
        "# The gate over bad and good trainings of the starter",
        "",
        "`python -m benchmarks.gate trainings` after `python -m benchmarks.methods`, "
        f"on {machine['cores']} cores ({machine['cpu']}), no GPU.",
        f"The gate promoted {promoted_bad} of {len(bad)} bad trainings and {promoted_good} of {len(good)} good ones. "
        "With its default settings the gate requires that the 95% interval of the difference in sampled pass@1, on 200 "
        "held-out problems, lies above -1 point.",
        "",
        "| bad training | sampled pass@1 | greedy pass@1 | training | gate |",
        "|---|---|---|---|---|",
    ]
    for row in bad:
        figures = ["", ""]
        if "figures" in row:
            figures = [change(row["figures"][name]) for name in ("pass@1", "pass@1 greedy")]
        end = f"refused: {row['refused'][:90]}..." if "refused" in row else row["stopped"] or "to its end"
        lines.append(f"| {row['name']} | {' | '.join(figures)} | {end} | {decision(row['promoted'])} |")
    lines += ["", "| good training | seed | sampled pass@1 | greedy pass@1 | gate |", "|---|---|---|---|---|"]
    for row in good:
        figures = [change(row["figures"][name]) for name in ("pass@1", "pass@1 greedy")]
        promoted = decision(row["gate"]["promoted"])
        lines.append(f"| {row['method']} | {row['seed']} | {' | '.join(figures)} | {promoted} |")
    return "\n".join(lines) + "\n"


def decision(promoted: bool) -> str:
    """Return the gate's decision in words."""
    return "promoted" if promoted else "not promoted"
