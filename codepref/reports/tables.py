"""Plain text tables for the terminal, at most 100 characters wide. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from codepref.reports.wording import (
    TONE_WORDS,
    Row,
    count,
    headline,
    interval,
    number,
    p_value,
    points,
    seconds,
    tone_of,
)

WIDTH = 100


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Rows of cells as columns, two spaces apart, one where two would pass WIDTH. `right`: columns set flush right."""
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
    """A figure in points with its interval, "54.3 [50.1, 58.6]"; "–" when there is none."""
    if not row:
        return "–"
    return f"{points(row.get(key), signed=signed)} {interval(row, signed=signed)}".strip()


def score_table(scores: Mapping[str, Sequence[Row]], comparison: Sequence[Row] = ()) -> str:
    """One line a figure: each model's value with its interval, then the paired difference, its p-value and a word.

    scores: model name ("base", "aligned") -> Score rows. comparison: Comparison rows. Values are percent points.
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
            found = differences.get(figure, {})
            row += [
                with_interval(found, "difference", signed=True),
                p_value(found.get("p_value")),
                TONE_WORDS[tone_of(found)],
            ]
        rows.append(row)
    return aligned(rows, right=(len(models) + 2,) if differences else ())


def comparison_table(comparison: Sequence[Row]) -> str:
    """The table that `codepref compare` prints: values, paired difference, p-value, test, wins, losses and ties."""
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


def pair_lines(pairs: Mapping[str, Any]) -> list[list[str]]:
    """Pairs made, and how many of them are right by the true tests, as (name, words) cells."""
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
    """(name, seconds) cells of each stage and of their sum."""
    rows = [[str(stage.get("name", "")), seconds(stage.get("seconds"))] for stage in stages]
    total = sum(number(stage.get("seconds")) or 0.0 for stage in stages)
    return [*rows, ["total", seconds(total)]] if rows else []


def summary_table(summary: Mapping[str, Any]) -> str:
    """What `codepref demo` prints at its end, drawn from summary.json: verdict in words, scores, pairs, seconds.

    Whatever the summary lacks is left out.
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
        blocks.append(score_table(scores, comparison) + "\n" + note)
    if summary.get("pairs"):
        blocks.append(aligned(pair_lines(summary["pairs"])))
    if summary.get("stages"):
        blocks.append("seconds a stage\n" + aligned([["", *row] for row in stage_lines(summary["stages"])], right=(2,)))
    return "\n\n".join(block for block in blocks if block)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, WIDTH))
