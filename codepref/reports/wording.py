"""Figures in words: points, intervals, p-values, and whether the model got better. Pure.

Figures come from summary.json as plain mappings, since a report must be written from any run directory, also one of
an unfinished run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from codepref.errors import UserError
from codepref.evaluation.comparison import SIGNIFICANCE
from codepref.pairing.rules import load_rule

Tone = Literal["better", "worse", "mixed", "tie", "unknown"]
Row = Mapping[str, Any]
LN2 = math.log(2)

TONE_WORDS: Mapping[str, str] = {"better": "better", "worse": "worse", "tie": "cannot tell", "unknown": ""}


@dataclass(frozen=True, slots=True)
class Headline:
    """What a reader should take away: a title, and the sentences under it."""

    tone: Tone
    title: str
    sentences: tuple[str, ...] = ()


def number(value: Any) -> float | None:
    """`value` as a finite float, or None: summaries of unfinished runs hold nulls and NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def points(share: Any, *, signed: bool = False) -> str:
    """A share in percent points with one decimal: 0.1234 -> "12.3"; signed: "+12.3". "–" for no number.

    What rounds to zero has no sign.
    """
    value = number(share)
    if value is None:
        return "–"
    rounded = round(100 * value, 1) + 0.0
    return f"{rounded:+.1f}" if signed and rounded != 0 else f"{rounded:.1f}"


def interval(row: Row, *, signed: bool = False) -> str:
    """The interval of a Score or Comparison: "[46.3, 57.6]", or "" when it has none."""
    if number(row.get("low")) is None or number(row.get("high")) is None:
        return ""
    return f"[{points(row['low'], signed=signed)}, {points(row['high'], signed=signed)}]"


def p_value(value: Any) -> str:
    """ "<0.001", "0.012", "0.43"."""
    found = number(value)
    if found is None:
        return "–"
    if found < 0.001:
        return "<0.001"
    return f"{found:.3f}" if found < 0.1 else f"{found:.2f}"


def seconds(value: Any) -> str:
    """ "0.4 s", "12.3 s", "3 min 05 s", "2 h 07 min"."""
    found = number(value)
    if found is None:
        return "–"
    if found < 99.95:
        return f"{found:.1f} s"
    whole = round(found)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(value: Any) -> str:
    """A count with thousands separated by a thin comma: 12,345."""
    found = number(value)
    return "–" if found is None else f"{found:,.0f}"


def true_minus(text: str) -> str:
    """Hyphens before digits as minus signs, for pages; terminals and files keep the hyphen."""
    return re.sub(r"(?<![\w.-])-(?=\d)", "−", text)


def tone_of(comparison: Row) -> Tone:
    """Better or worse only when the interval leaves 0 out and the test agrees; "tie" otherwise: ties are ties."""
    low, high, p = (number(comparison.get(key)) for key in ("low", "high", "p_value"))
    if low is None or high is None:
        return "unknown"
    if p is not None and p >= SIGNIFICANCE:
        return "tie"
    return "better" if low > 0 else "worse" if high < 0 else "tie"


def figure_name(name: str) -> str:
    """The name of a figure in a sentence: "pass@1" -> "sampled pass@1", "pass@1 greedy" -> "greedy pass@1".

    Figures that are no pass@k, such as a judge's score, keep their name.
    """
    if not name.startswith("pass@"):
        return name
    return f"greedy {name.removesuffix(' greedy')}" if name.endswith(" greedy") else f"sampled {name}"


def scale_note(names: Iterable[str]) -> str:
    """What 0 and 100 mean for figures that are not shares of problems solved; "" where there is none."""
    judged = [name for name in dict.fromkeys(names) if name.endswith(" score")]
    return f"{', '.join(judged)}: 0 is the scale's lowest rating, 100 its highest" if judged else ""


def main_comparison(comparisons: list[Row]) -> Row | None:
    """The comparison that the headline is about: sampled pass@1 (it varies least), else the first."""
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
        text = f"No difference can be told in {name}: " + _change(row, name="it")
    else:
        text = _change(row, name=name).capitalize()
    return text + (f", p {_p_in_words(row.get('p_value'))}." if with_p else ".")


def _p_in_words(value: Any) -> str:
    text = p_value(value)
    return text.replace("<", "< ") if text.startswith("<") else f"= {text}"


def headline(summary: Row) -> Headline:
    """Did the model get better? One verdict over all compared figures, and a sentence on each."""
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


def _unfinished(summary: Row) -> Headline:
    scores = summary.get("scores") or {}
    if scores.get("base") and scores.get("aligned"):
        return Headline("unknown", "Both models are scored, but they have not been compared.")
    if scores.get("base"):
        return Headline("unknown", "The base model is scored; the aligned model is not, so nothing can be said yet.")
    return Headline("unknown", "No model has been scored yet, so nothing can be said about the result.")


def cautions(summary: Row) -> list[str]:
    """What a reader must know before trusting the run: suspicious training, wrong pairs, failures of the machinery."""
    return [*_training_cautions(summary), *_data_cautions(summary)]


def _training_cautions(summary: Row) -> list[str]:
    training = summary.get("training") or {}
    curve = training.get("curve") or []
    found = []
    first = number(training.get("first_loss"))
    if training.get("method") == "dpo" and first is not None and abs(first - LN2) > 1e-3:
        found.append(f"The loss at step 1 was {first:.4f}, not ln 2 = 0.6931: the reference is not the starting model.")
    accuracy = _ends([value for row in curve if (value := number(row.get("accuracy"))) is not None])
    main = main_comparison(list(summary.get("comparison") or []))
    if accuracy and accuracy[1] >= 0.9 and main is not None and tone_of(main) in ("tie", "worse"):
        found.append(
            f"Reward accuracy ended at {points(accuracy[1])}%, and yet no gain can be told in "
            f"{figure_name(str(main.get('name')))}: telling the pairs apart is not solving the problems."
        )
    found += [f"{str(said)[:1].upper()}{str(said)[1:]}." for said in training.get("warnings") or []]
    chosen = _ends([value for row in curve if (value := number(row.get("chosen_logp"))) is not None])
    if not training.get("warnings") and chosen and chosen[1] < chosen[0] - max(1.0, 0.1 * abs(chosen[0])):
        found.append(
            f"The chosen responses became less likely in training (log-probability {chosen[0]:.1f} to "
            f"{chosen[1]:.1f}): a sign to watch, since a collapse begins so."
        )
    return found


def _ends(values: list[float]) -> tuple[float, float] | None:
    """Means of the first and of the last tenth, since single steps are noisy. None for fewer than two values."""
    if len(values) < 2:
        return None
    part = max(1, len(values) // 10)
    return sum(values[:part]) / part, sum(values[-part:]) / part


def _reads_ratings(rule: Any) -> bool:
    """Whether pairs of this rule rest on ratings. False for a rule that is not installed here."""
    try:
        return load_rule(str(rule)).ratings
    except UserError:
        return False


def _data_cautions(summary: Row) -> list[str]:
    pairs, verdicts = summary.get("pairs") or {}, summary.get("verdicts") or {}
    found = []
    right = number((pairs.get("share_right") or {}).get("value"))
    rule = ((summary.get("recipe_resolved") or {}).get("pairing") or {}).get("rule")
    # ratings choose among what passes, so that the tests see no difference on purpose
    if right is not None and right < 0.5 and not _reads_ratings(rule):
        found.append(f"Only {points(right)}% of the judged pairs are right by the true tests.")
    for name, codes in verdicts.items():
        if failed := number((codes or {}).get("I")):
            found.append(
                f"{count(failed)} verdicts ({name}) are missing: the machinery failed. They count against no model."
            )
    return found
