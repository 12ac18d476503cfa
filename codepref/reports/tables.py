"""Plain text tables for the terminal. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from codepref.reports.graded import grade_lines
from codepref.reports.wording import (
    TONE_WORDS,
    Row,
    baseline_lines,
    count,
    headline,
    interval,
    number,
    p_value,
    points,
    scale_note,
    seconds,
    tone_of,
)

WIDTH = 100
LENGTH_BIAS = 0.6
"""The bound above which an audit warns of length bias.

It warns if the whole interval of the share of pairs with a longer chosen side lies above LENGTH_BIAS or below
1 - LENGTH_BIAS.
"""


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Return rows of cells as text in aligned columns. right: the numbers of the columns to align on the right.

    Two spaces separate the columns. If that makes the table wider than WIDTH, one space separates them.
    """
    columns = max(map(len, rows))
    full = [[*row, *[""] * (columns - len(row))] for row in rows]
    widths = [max(len(row[i]) for row in full) for i in range(columns)]
    gap = "  " if sum(widths) + 2 * (columns - 1) <= WIDTH else " "
    lines = (
        gap.join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in full
    )
    return "\n".join(line.rstrip() for line in lines)


def with_interval(row: Row | None, key: str = "value", *, signed: bool = False) -> str:
    """Return a figure in percent with its interval, such as "54.3 [50.1, 58.6]", or "–" without a row."""
    if not row:
        return "–"
    return f"{points(row.get(key), signed=signed)} {interval(row, signed=signed)}".strip()


def score_table(scores: Mapping[str, Sequence[Row]], comparison: Sequence[Row] = ()) -> str:
    """Return the table of scores. Each line holds one figure: each model's value in percent, with its interval.

    With a comparison, each line also holds the paired difference in points, its p-value, and the result in words.
    scores: the rows of Score by the model's name, such as "base" or "aligned". comparison: rows of Comparison.
    """
    models = [name for name in scores if scores[name]]
    by_model = {name: {str(row["name"]): row for row in scores[name]} for name in models}
    differences = {str(row["name"]): row for row in comparison}
    figures = list(dict.fromkeys([*(name for rows in by_model.values() for name in rows), *differences]))
    header = ["", *models, *(["difference", "p", "aligned is"] if differences else [])]
    rows = [header]
    for figure in figures:
        row = [figure[:16], *(with_interval(by_model[name].get(figure)) for name in models)]
        if differences:
            difference = differences.get(figure, {})
            row += [
                with_interval(difference, "difference", signed=True),
                p_value(difference.get("p_value")),
                TONE_WORDS[tone_of(difference)],
            ]
        rows.append(row)
    return aligned(rows, right=(len(models) + 2,) if differences else ())


def comparison_table(comparison: Sequence[Row]) -> str:
    """Return the details of a comparison as a table: values, difference, p-value, wins, losses, ties and test.

    This table is for notebooks. `codepref compare` prints `score_table` and `power_table`.
    """
    rows = [["", "base", "aligned", "difference", "p", "won/lost/tied", "test", "aligned is"]]
    for row in comparison:
        rows.append(
            [
                str(row["name"])[:16],
                points(row["base"]),
                points(row["aligned"]),
                with_interval(row, "difference", signed=True),
                p_value(row["p_value"]),
                f"{row['wins']}/{row['losses']}/{row['ties']}",
                str(row["test"]).removesuffix(" permutation"),
                TONE_WORDS[tone_of(row)],
            ]
        )
    return aligned(rows, right=(1, 2, 4))


def power_table(comparison: Sequence[Row], unit: str = "point") -> str:
    """Return a table of how many problems are needed to show a difference of each size.

    comparison: rows with `name`, `n` and `problems_needed`, which maps each size to the number of problems, or to None
    if the spread of the differences is 0 or unknown.
    """
    sizes = list(comparison[0]["problems_needed"])
    rows = [["", *(f"{size} {unit}{'s' * (size != '1')}" for size in sizes), "now"]]
    for row in comparison:
        needed = (row["problems_needed"][size] for size in sizes)
        rows.append([str(row["name"])[:30], *("–" if one is None else f"{one:,}" for one in needed), f"{row['n']:,}"])
    head = "problems needed to show a difference (80% power, two-sided test at 5%) of"
    return f"{head}\n{aligned(rows, right=range(1, len(sizes) + 2))}"


def pair_lines(pairs: Mapping[str, Any]) -> list[list[str]]:
    """Return rows of two cells: how many pairs were made, and how many of them are right by the true tests."""
    problems = number(pairs.get("problems"))
    rows = [["pairs made", count(pairs.get("count")) + (f", of {count(problems)} problems" if problems else "")]]
    judged = number(pairs.get("judged"))
    if judged:
        words = f"{count(pairs.get('right'))} of {count(judged)} judged by the true tests"
        if share := pairs.get("share_right"):
            words += f": {points(share.get('value'))}% {interval(share)}"
        if (inverted := number(pairs.get("inverted"))) is not None:
            words += f"; inverted {count(inverted)}"
        rows.append(["right pairs", words])
    return rows


def stage_lines(stages: Sequence[Row]) -> list[list[str]]:
    """Return rows of two cells: the name and the duration of each stage, and of all stages together."""
    rows = [[str(stage.get("name", "")), seconds(stage.get("seconds"))] for stage in stages]
    total = sum(number(stage.get("seconds")) or 0.0 for stage in stages)
    return [*rows, ["total", seconds(total)]] if rows else []


def summary_table(summary: Mapping[str, Any]) -> str:
    """Return the text that `run` and `demo` print after a run: the result in words, scores, durations and more.

    summary: the content of summary.json. Parts that it lacks are left out.
    """
    title = " · ".join(
        part
        for part in (
            f"recipe {summary['recipe']}" if summary.get("recipe") else "",
            f"seed {summary['seed']}" if summary.get("seed") is not None else "",
        )
        if part
    )
    blocks = [title, _wrapped(headline(summary).title)]
    scores = {name: rows for name, rows in (summary.get("scores") or {}).items() if rows}
    comparison = summary.get("comparison") or []
    if scores or comparison:
        problems = {int(row["n"]) for rows in scores.values() for row in rows if number(row.get("n")) is not None}
        over = f" over {min(problems):,} problems" if len(problems) == 1 else " over problems"
        note = f"percent, [95% interval{over}]" + ("; differences paired by problem" if comparison else "")
        judged = scale_note(row["name"] for row in [*(row for rows in scores.values() for row in rows), *comparison])
        blocks.append("\n".join(filter(None, (score_table(scores, comparison), note, judged))))
    if gate := summary.get("gate"):
        decision = "promoted" if gate["promoted"] else "NOT PROMOTED"
        blocks.append("\n".join(_wrapped(f"{decision}: {reason}") for reason in gate["reasons"][:1]))
    if sentences := baseline_lines(summary):
        blocks.append("\n".join(map(_wrapped, sentences)))
    if warnings := (summary.get("training") or {}).get("warnings"):
        blocks.append("\n".join(_wrapped(f"warning: {warning}") for warning in warnings))
    if lines := grade_lines(summary):
        blocks.append(aligned(lines) + "\npoints from 1 to 10 by the judge, [95% interval over problems]")
    if summary.get("pairs"):
        blocks.append(aligned(pair_lines(summary["pairs"])))
    if summary.get("stages"):
        blocks.append(
            "duration of each stage\n" + aligned([["", *row] for row in stage_lines(summary["stages"])], right=(2,))
        )
    return "\n\n".join(block for block in blocks if block)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, WIDTH))


def audit_lines(audit: Any) -> list[str]:
    """Return the lines on the figures of an audit that `codepref audit` prints. audit: an `Audit`."""
    lines = []
    if audit.judged == 0 and audit.unjudged:
        lines.append(f"{audit.unjudged:,} pairs, none of them judged by true tests")
    else:
        for name in ("judged", "right", "inverted", "both_pass", "both_fail", "unjudged"):
            lines.append(f"{name.replace('_', ' '):<10} {getattr(audit, name):,}")
    if audit.share_right:
        share = audit.share_right
        lines.append(f"right, mean over {share.n:,} problems: {share.value:.3f} [{share.low:.3f}, {share.high:.3f}]")
    if audit.other_text:
        lines.append(f"warning: {audit.other_text:,} pairs hold another answer than the solution that the tests judged")
    if audit.rules:
        rows = [["rule", "pairs", "judged", "right", "inverted", "calibration error"]]
        for one in audit.rules:
            error = "" if one.calibration_error is None else f"{one.calibration_error:.3f}"
            counts = [f"{value:,}" for value in (one.pairs, one.judged, one.right, one.inverted)]
            rows.append([one.rule or "(none)", *counts, error])
        lines += ["", *aligned(rows, right=(1, 2, 3, 4, 5)).splitlines()]
    if audit.kept:
        lines += ["", "right pairs, if only a share of the problems is kept: those with the highest confidence"]
        rows = [["share", "problems", "pairs", "right", "interval"]]
        for kept in audit.kept:
            right = kept.precision
            low_high = f"[{right.low:.2f}, {right.high:.2f}]"
            rows.append([f"{kept.share:.0%}", f"{kept.problems:,}", f"{kept.pairs:,}", f"{right.value:.2f}", low_high])
        lines += aligned(rows, right=(0, 1, 2, 3)).splitlines()
    if audit.calibration:
        lines += [
            "",
            f"confidence and the share that is right (expected calibration error {audit.calibration_error:.3f})",
        ]
        rows = [["confidence", "pairs", "mean", "right", "interval"]]
        for one in audit.calibration:
            low_high = f"[{one.interval[0]:.2f}, {one.interval[1]:.2f}]"
            where = f"{one.low:.1f} to {one.high:.1f}"
            rows.append([where, f"{one.pairs:,}", f"{one.confidence:.2f}", f"{one.right:.2f}", low_high])
        lines += aligned(rows, right=(1, 2, 3)).splitlines()
    if audit.inverted_pairs:
        lines += ["", "inverted"]
        rows = [["task", "chosen", "rejected", "confidence"]]
        for (task, chosen, rejected), confidence in zip(audit.inverted_pairs, audit.inverted_confidence, strict=True):
            rows.append([task, str(chosen), str(rejected), f"{confidence:.2f}"])
        lines += aligned(rows[:21], right=(1, 2, 3)).splitlines()
        if (more := len(audit.inverted_pairs) - 20) > 0:
            lines.append(f"  ... and {more:,} more, in the JSON")
    return lines + (["", *shape_lines(audit.shape)] if audit.shape else [])


def shape_lines(shape: Any) -> list[str]:
    """Return lines on the figures of an audit that need no true tests. shape: the `shape` of an Audit."""
    if not shape.pairs:
        return ["no pairs"]
    lines = [
        f"{shape.pairs:,} pairs of {shape.problems:,} problems, at most {shape.most:,} of one problem; the tenth of"
    ]
    lines[0] += f" the problems with the most pairs has {shape.top_tenth:.0%} of them"
    lines.append(
        f"ties {shape.ties:,}, repeated {shape.repeated:,}, contradicting {shape.contradicting:,}, both sides equal "
        f"{shape.alike:,}, sharing an answer with another pair {shape.shared:,}"
    )
    bins = [f"{at / 10:.1f}: {n:,}" for at, n in enumerate(shape.confidence) if n]
    lines.append(f"pairs by confidence, by the lower end of each tenth: {', '.join(bins)}")
    if shape.longer is not None:
        low, high = shape.longer_interval
        lines.append(
            f"the chosen side is longer in {shape.longer:.0%} [{low:.0%}, {high:.0%}], on average by "
            f"{shape.more_characters:+,.0f} characters and {shape.more_lines:+.1f} lines"
        )
        if low > LENGTH_BIAS or high < 1 - LENGTH_BIAS:
            lines.append(
                "length bias: length alone often shows which side is chosen, so a model may learn to prefer a length"
            )
    return lines
