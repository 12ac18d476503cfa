"""Shows the figures of an inspection of problems as a table for the terminal and as an HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codepref.reports.html import UNPRINTABLE
from codepref.reports.tables import aligned

Figures = Mapping[str, Any]

_SHOWN = 12


def inspection_lines(figures: Figures) -> list[str]:
    """Return the lines of the table that `codepref inspect` prints."""
    left_out = figures["left_out"]
    rows = [
        ["source", figures["source"]],
        ["read as", figures["format"]],
        ["rows", _rows(figures)],
        ["problems", _problems(figures)],
        *([f"tests: {kind}", _kind(one)] for kind, one in figures["kinds"].items()),
        *([name, _range(one)] for name, one in figures["lengths"].items()),
        ["gold solutions", gold_text(figures["gold"])],
        ["tests that prove nothing", vacuous_text(figures["vacuous"])],
        ["overlap", overlap_text(figures["overlap"])],
    ]
    if written := figures.get("written"):
        rows.append(["written", written_text(written)])
    lines = [aligned(rows)]
    if figures["columns"]:
        lines += ["", "columns", aligned([[f"  {one['column']}", one["use"]] for one in figures["columns"]])]
    if figures["facts"]:
        lines += ["", "facts (for --where)"]
        lines += [aligned([[f"  {name}", fact_text(one)] for name, one in figures["facts"].items()])]
    if left_out["rows"]:
        lines += ["", "rows left out"]
        for one in left_out["reasons"][:_SHOWN]:
            lines += [f"  {one['rows']:>8,}  {one['reason']}", f"            such as {one['examples'][0]}"]
    lines += example_lines(figures)
    return lines


def example_lines(figures: Figures) -> list[str]:
    """Return lines with examples of bad gold solutions, of tests and problems that prove nothing, and of overlaps."""
    groups = {
        "gold solutions that are not shown to be right": [
            f"{one['task_id']}: {one['codes'][:20]} {one['detail'][:150]}" for one in figures["gold"]["examples"]
        ],
        "tests that prove nothing": [
            f"{one['task_id']}: test {', '.join(one['tests'][:5])}" for one in figures["vacuous"]["examples"]
        ],
        "problems whose tests prove nothing": [
            f"{one['task_id']}: {one['reason']}" for one in figures["vacuous"]["examples_that_prove_nothing"]
        ],
        "overlaps": [
            f"{one['task_id']} contains {one['heldout']} of {one['benchmark']} ({one['kind']}, {one['share']:.0%})"
            for one in figures["overlap"]["examples"]
        ],
    }
    lines = []
    for title, examples in groups.items():
        lines += ["", title, *(f"  {example}" for example in examples)] if examples else []
    return lines


def gold_text(gold: Figures) -> str:
    """Return the number of gold solutions, and the share that passes among those that were run."""
    if not gold["run"]:
        return f"{gold['problems']:,}, none was run"
    codes = ", ".join(f"{code} {count:,}" for code, count in gold["codes"].items())
    return (
        f"{gold['problems']:,}; {gold['passed']:,} of {gold['run']:,} that were run pass, "
        f"{gold['share']:.1%} [{gold['low']:.1%}, {gold['high']:.1%}]" + (f"; the others: {codes}" if codes else "")
    )


def vacuous_text(vacuous: Figures) -> str:
    """Return the number of tests that prove nothing, and of problems whose tests together prove nothing."""
    if not vacuous["checked"]:
        return "not checked"
    return (
        f"{vacuous['tests']:,} tests, of {vacuous['problems']:,} problems; {vacuous['prove_nothing']:,} problems whose "
        f"tests together prove nothing ({vacuous['checked']:,} problems checked)"
    )


def overlap_text(overlap: Figures) -> str:
    """Return how many problems contain a problem of a benchmark."""
    if not overlap["benchmarks"]:
        return "not compared (--against BENCHMARK)"
    parts = (f"{one['source']} {one['overlapping']:,}" for one in overlap["benchmarks"])
    return f"problems that contain one of a benchmark: {overlap['problems']:,} ({', '.join(parts)})"


def written_text(written: Figures) -> str:
    """Return how many problems were written, and why the others were not."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in written["left_out"].items())
    return f"{written['problems']:,} problems into {written['file']}" + (f"; left out: {reasons}" if reasons else "")


def fact_text(fact: Figures) -> str:
    """Return the first values of a fact with their counts, or its range, or that it has many values."""
    if "values" in fact:
        shown = list(fact["values"].items())
        text = ", ".join(f"{value or '(blank)'} {count:,}" for value, count in shown[:_SHOWN])
        return text if len(text) <= 160 else f"{text[:157]}..."
    if "low" in fact:
        return f"{fact['low']:g} to {fact['high']:g}"
    return f"more than {fact['more_than']} values"


def _rows(figures: Figures) -> str:
    parts = [f"{figures['left_out']['rows']:,} left out"]
    if figures["not_chosen"]:
        parts.append(f"{figures['not_chosen']:,} not chosen by the conditions")
    return f"{figures['rows']:,} ({', '.join(parts)})"


def _problems(figures: Figures) -> str:
    names = {"program": "whole programs", "instruct": "in words", "complete": "code to complete"}
    styles = ", ".join(f"{names[style]} {count:,}" for style, count in figures["styles"].items())
    return f"{figures['problems']:,} ({styles}), {figures['tests']:,} tests"


def _kind(one: Figures) -> str:
    return f"{one['tests']:,} of {one['problems']:,} problems"


def _range(one: Figures) -> str:
    return f"{one['least']:,} to {one['most']:,}, median {one['median']:,}, 95% up to {one['p95']:,}"


def render_inspection(figures: Figures) -> str:
    """Return the page as text. It needs no other file, and texts from the data are escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    kinds, left_out = figures["kinds"], figures["left_out"]["reasons"]
    texts = {"gold": gold_text, "vacuous": vacuous_text, "overlap": overlap_text}
    page = environment.get_template("inspection.html.j2").render(
        figures=figures,
        tiles=_tiles(figures),
        kinds=_bars([(kind, one["tests"], _kind(one)) for kind, one in kinds.items()]),
        left_out=_bars([(one["reason"], one["rows"], f"{one['rows']:,}") for one in left_out]),
        reasons=left_out[:_SHOWN],
        lengths=[
            (name, *(f"{one[key]:,}" for key in ("least", "median", "p95", "most")))
            for name, one in figures["lengths"].items()
        ],
        facts=[(name, fact_text(one)) for name, one in figures["facts"].items()],
        texts={name: text(figures[name]) for name, text in texts.items()},
        written=written_text(figures["written"]) if figures.get("written") else "",
    )
    return UNPRINTABLE.sub("\ufffd", page)


def _tiles(figures: Figures) -> list[tuple[str, str]]:
    gold, vacuous = figures["gold"], figures["vacuous"]
    return [
        (f"{figures['problems']:,}", f"problems, read as {figures['format']}"),
        (f"{figures['left_out']['rows']:,}", f"of {figures['rows']:,} rows left out"),
        (f"{gold['share']:.1%}" if gold["run"] else "–", f"of {gold['run']:,} gold solutions that were run pass"),
        (
            f"{vacuous['prove_nothing']:,}" if vacuous["checked"] else "–",
            f"of {vacuous['checked']:,} checked problems, whose tests together prove nothing",
        ),
    ]


def _bars(rows: list[tuple[str, int, str]]) -> list[dict[str, Any]]:
    top = max((count for _, count, _ in rows), default=0) or 1
    return [{"name": name, "text": text, "width": round(100 * count / top, 1)} for name, count, text in rows[:_SHOWN]]
