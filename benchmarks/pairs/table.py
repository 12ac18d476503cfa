"""Formats the results of `python -m benchmarks.pairs` as Markdown."""

from __future__ import annotations

from typing import Any

from benchmarks.pairs.measure import SETTINGS, SHARES

EARLIER = {
    "max-pass": ((0.21, 0.23), (0.15, 0.15)),
    "dstc": ((0.25, 0.26), (0.19, 0.18)),
    "codet": ((0.54, 0.48), (0.60, 0.54)),
    "b4": ((0.59, 0.51), (0.68, 0.68)),
}
"""Rule -> setting -> share -> precision, from an earlier measurement with other implementations of the rules."""


def table(rows: dict[str, Any], facts: dict[str, Any]) -> str:
    """Return a Markdown document. rows: setting -> rule -> figures. facts: command, problems and selection_seconds."""
    lines = ["# Pairs from self-written tests", "", facts["command"], ""]
    lines += [
        f'{facts["problems"]} problems. The columns "at 20%" and "at 30%" give the precision of the most confident '
        "pairs, with 95% intervals over problems. The figures in round brackets are of an earlier measurement with "
        "other code. ECE is the expected calibration error over ten bins. It is given only for the rule whose "
        "confidence is a probability. The confidence of the other rules only sorts pairs.",
    ]
    for number, (solutions, tests, draws) in enumerate(SETTINGS):
        lines += ["", f"## J = {solutions} solutions, K = {tests} tests, {draws} draws a problem", ""]
        lines += ["| rule | pairs | right | at 20% | at 30% | ECE |", "|---|---|---|---|---|---|"]
        for rule, result in rows[f"{solutions}x{tests}"].items():
            cells = []
            for column, share in enumerate(SHARES):
                value, low, high = result[f"at {share:.0%}"]
                earlier = f" ({EARLIER[rule][number][column]:.2f})" if rule in EARLIER else ""
                cells.append(f"{value:.2f} [{low:.2f}, {high:.2f}]{earlier}")
            error = f"{result['ece']:.3f}" if rule == "agreement" else "–"
            lines.append(f"| `{rule}` | {result['pairs']:,} | {result['right']:.2f} | {' | '.join(cells)} | {error} |")
    lines += ["", f"Choosing pairs from the whole matrix (8,200 solutions) takes {facts['selection_seconds']:.1f} s."]
    return "\n".join(lines) + "\n"
