"""Turns figures into words: points, intervals, p-values, and whether the model got better. Pure.

The figures are plain mappings from summary.json. The run may be unfinished, so any figure may be missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from codepref.evaluation.comparison import SIGNIFICANCE

Tone = Literal["better", "worse", "mixed", "tie", "unknown"]
Row = Mapping[str, Any]

TONE_WORDS: Mapping[str, str] = {"better": "better", "worse": "worse", "tie": "cannot tell", "unknown": ""}


@dataclass(frozen=True, slots=True)
class Headline:
    """The main result of a run: a title, and the sentences under it."""

    tone: Tone
    title: str
    sentences: tuple[str, ...] = ()


def number(value: Any) -> float | None:
    """Return `value` as a float if it is a finite number, else None.

    Summaries of unfinished runs can hold nulls and NaN.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def points(share: Any, *, signed: bool = False) -> str:
    """Return a share in percent with one decimal, or "–" for a missing number.

    0.1234 becomes "12.3", and "+12.3" if `signed` is set. A share that rounds to zero has no sign.
    """
    value = number(share)
    if value is None:
        return "–"
    rounded = round(100 * value, 1) + 0.0
    return f"{rounded:+.1f}" if signed and rounded != 0 else f"{rounded:.1f}"


def interval(row: Row, *, signed: bool = False) -> str:
    """Return the interval of a Score or Comparison, such as "[46.3, 57.6]", or "" if there is none."""
    if number(row.get("low")) is None or number(row.get("high")) is None:
        return ""
    return f"[{points(row['low'], signed=signed)}, {points(row['high'], signed=signed)}]"


def p_value(value: Any) -> str:
    """Return a p-value as text, such as "<0.001", "0.012" or "0.43", or "–" for a missing number."""
    p = number(value)
    if p is None:
        return "–"
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def seconds(value: Any) -> str:
    """Return a duration as text, such as "12.3 s", "3 min 05 s" or "2 h 07 min", or "–" for a missing number."""
    duration = number(value)
    if duration is None:
        return "–"
    if duration < 99.95:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(value: Any) -> str:
    """Return a count with commas between thousands, such as "12,345", or "–" for a missing number."""
    whole = number(value)
    return "–" if whole is None else f"{whole:,.0f}"


def sentence_case(text: str) -> str:
    """Return the text with a capital first letter. The other letters stay unchanged."""
    return text[:1].upper() + text[1:]


def true_minus(text: str) -> str:
    """Return the text with minus signs instead of the hyphens that are signs of numbers, for the web page."""
    return re.sub(r"(?<![\w.-])-(?=\d)", "−", text)


def tone_of(comparison: Row) -> Tone:
    """Return "better" or "worse" for the aligned model, "tie" if neither is shown, and "unknown" without an interval.

    "better" and "worse" need an interval on one side of 0, and a p-value below SIGNIFICANCE if there is a p-value.
    """
    low, high, p = (number(comparison.get(key)) for key in ("low", "high", "p_value"))
    if low is None or high is None:
        return "unknown"
    if p is not None and p >= SIGNIFICANCE:
        return "tie"
    return "better" if low > 0 else "worse" if high < 0 else "tie"


def figure_name(name: str) -> str:
    """Return the name of a figure for a sentence.

    "pass@1" becomes "sampled pass@1", and "pass@1 greedy" becomes "greedy pass@1". Names that do not begin with
    "pass@" stay unchanged.
    """
    if not name.startswith("pass@"):
        return name
    return f"greedy {name.removesuffix(' greedy')}" if name.endswith(" greedy") else f"sampled {name}"


def scale_note(names: Iterable[str]) -> str:
    """Return a note on the scale of the figures by a judge, whose names end in " score", or "" without such figures."""
    judged = [name for name in dict.fromkeys(names) if name.endswith(" score")]
    return f"{', '.join(judged)}: 0 is the scale's lowest rating, 100 its highest" if judged else ""


def main_comparison(comparisons: list[Row]) -> Row | None:
    """Return the comparison for the headline, or None without comparisons.

    The first of these that exists is returned: sampled pass@1, greedy pass@1, the first comparison. Sampled pass@1
    usually varies less than greedy pass@1.
    """
    named = {str(row.get("name")): row for row in comparisons}
    return named.get("pass@1") or named.get("pass@1 greedy") or (comparisons[0] if comparisons else None)


def _change(row: Row, *, name: str) -> str:
    difference, low, high = (number(row.get(key)) or 0.0 for key in ("difference", "low", "high"))
    tone = tone_of(row)
    if tone == "tie":
        ends = f"{points(low, signed=True)} to {points(high, signed=True)}"
        return f"{name} changed by {points(difference, signed=True)} points (95% interval {ends})"
    verb, ends = (
        ("rose", f"{points(low)} to {points(high)}")
        if tone == "better"
        else ("fell", f"{points(-high)} to {points(-low)}")
    )
    return f"{name} {verb} by {points(abs(difference))} points (95% interval {ends})"


def _sentence(row: Row, *, with_p: bool = True) -> str:
    name = figure_name(str(row.get("name")))
    if tone_of(row) == "tie":
        text = f"No difference is shown in {name}: " + _change(row, name="it")
    else:
        text = sentence_case(_change(row, name=name))
    return text + (f", p {_p_in_words(row.get('p_value'))}." if with_p else ".")


def _p_in_words(value: Any) -> str:
    text = p_value(value)
    return text.replace("<", "< ") if text.startswith("<") else f"= {text}"


def headline(summary: Row) -> Headline:
    """Return whether the model got better: a title on the main figure, and one sentence on each other figure.

    Figures without an interval are left out. If no figure is left, the title says which models are scored.
    """
    comparisons: list[Row] = [row for row in summary.get("comparison") or [] if tone_of(row) != "unknown"]
    main = main_comparison(comparisons)
    if main is None:
        return _unfinished(summary)
    others = [row for row in comparisons if row is not main]
    tones = {tone_of(row) for row in comparisons}
    sentences = tuple(_sentence(row) for row in others)
    tone = tone_of(main)
    main_change = _change(main, name=figure_name(str(main.get("name"))))
    if {"better", "worse"} <= tones:
        return Headline("mixed", f"Better in one figure and worse in another: {main_change}.", sentences)
    if tone == "tie":
        rest = tones - {"tie"}
        return Headline("mixed" if rest else "tie", _sentence(main, with_p=False), sentences)
    return Headline(tone, f"The aligned model is {tone}: {main_change}.", sentences)


def baseline_lines(summary: Row) -> list[str]:
    """Return a line for each deciding figure on whether the aligned model is better than SFT on the chosen answers.

    Return [] for a run without this baseline.
    """
    lines = (summary.get("gate") or {}).get("baseline") or []
    parts = (str(line).partition(": ") for line in lines)
    return [f"{sentence_case(figure_name(figure))}: the aligned model {rest}." for figure, _, rest in parts]


def _unfinished(summary: Row) -> Headline:
    scores = summary.get("scores") or {}
    if scores.get("base") and scores.get("aligned"):
        return Headline("unknown", "Both models are scored, but they have not been compared.")
    if scores.get("base"):
        return Headline(
            "unknown", "The base model is scored. The aligned model is not scored yet, so there is no result."
        )
    return Headline("unknown", "No model has been scored yet, so there is no result.")
