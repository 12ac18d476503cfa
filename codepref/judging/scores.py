"""Scores a program from 1 to 5 by one preference, and gives a reason for each deduction. Pure.

The score is 5 minus the deductions, and at least 1. The weights are codepref's own and come from no paper. They were
set by hand, on published gold solutions and on worse versions of them, so that the worse versions score clearly lower.
They were not fitted to any model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from codepref.judging.facts import Facts
from codepref.judging.findings import Lint, Metrics

LOW, HIGH = 1.0, 5.0
RULE_WEIGHTS = {"F821": 1.5, "F811": 0.8, "F841": 0.6, "F401": 0.5, "E711": 0.8, "E712": 0.6, "E722": 0.8, "E741": 0.4}
FAMILY_WEIGHTS = {"F": 0.8, "B": 0.8, "E": 0.5, "W": 0.3, "N": 0.5, "PLW": 0.5}
OTHER_WEIGHT = 0.4
"""The points that a finding at one place costs if neither RULE_WEIGHTS nor FAMILY_WEIGHTS has an entry for its rule."""

Deduction = tuple[float, str]
"""The points that are deducted, and the reason in words."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """The rubric's view of one program by one preference.

    Attributes:
    score: from 1 to 5.
    rationale: the deductions with their reasons, the largest deduction first. Without deductions, a text that explains
        the score.
    """

    score: float
    rationale: str

    @property
    def rating(self) -> int:
        """Return the score rounded to a whole number. Halves are rounded up."""
        return math.floor(self.score + 0.5)


def opinion(preference: str, facts: Facts, lint: Lint, metrics: Metrics) -> Opinion:
    """Return the score of a program that parses, by one of `codepref.preferences.PREFERENCES`, with the rationale.

    Deductions below 0.005 points are left out.
    """
    deductions = [entry for entry in RUBRICS[preference](facts, lint, metrics) if entry[0] >= 0.005]
    score = max(LOW, HIGH - sum(points for points, _ in deductions))
    reasons = [f"{words} (-{points:.2f})" for points, words in sorted(deductions, reverse=True)]
    return Opinion(score, "; ".join(reasons) or "nothing found against it")


def _instruction(facts: Facts, lint: Lint, metrics: Metrics) -> Iterator[Deduction]:
    for words in facts.missing:
        yield (1.5 if " does not take " in words else 4.0), words
    for place, words in enumerate(facts.extras):
        yield (1.0 if place == 0 else 0.5), f"not asked for: {words}"


def _readability(facts: Facts, lint: Lint, metrics: Metrics) -> Iterator[Deduction]:
    yield min(1.0, 0.03 * max(0, facts.longest_line - 88)), f"a line of {facts.longest_line} characters"
    yield _doublings(facts.densest, 12, 0.5), f"a statement of {facts.densest} expressions"
    yield 0.4 * max(0, facts.nesting - 2), f"blocks nested {facts.nesting} deep"
    yield 0.4 * facts.inner_comprehensions, "a comprehension within a comprehension"
    yield 1.5 * facts.vague_names, f"names of one or two letters ({facts.vague_names:.0%})"
    yield min(1.5, 0.5 * facts.crowded), f"several statements on a line ({facts.crowded})"
    yield _doublings(facts.lines, 25, 0.4), f"{facts.lines} lines"
    if facts.lines > 8 and not facts.documented and not facts.comments:
        yield 0.4, "no function has a docstring, and no line has a comment"
    yield 0.8 * lint.reformatted, f"layout: {lint.reformatted:.0%} of the lines would be formatted otherwise"


def _complexity(facts: Facts, lint: Lint, metrics: Metrics) -> Iterator[Deduction]:
    if any("does nothing" in words for words in facts.missing):
        yield 4.0, "does nothing"
    yield _doublings(metrics.cyclomatic, 1, 0.45), f"cyclomatic complexity {metrics.cyclomatic}"
    yield 0.35 * max(0, facts.nesting - 1), f"blocks nested {facts.nesting} deep"
    yield 0.25 * facts.inner_comprehensions, "a comprehension within a comprehension"
    yield 0.3 * math.log2(1 + metrics.volume / 100), f"Halstead volume {metrics.volume:.0f}"
    yield 0.3 * math.log2(1 + facts.nodes / 40), f"{facts.nodes} expressions"


def _style(facts: Facts, lint: Lint, metrics: Metrics) -> Iterator[Deduction]:
    for finding in lint.findings:
        family = finding.code.rstrip("0123456789")
        weight = RULE_WEIGHTS.get(finding.code, FAMILY_WEIGHTS.get(family, OTHER_WEIGHT))
        times = f" x{finding.count}" if finding.count > 1 else ""
        yield min(2.0, weight * (1 + math.log2(finding.count) / 2)), f"{finding.code}{times} {finding.message}"
    yield 1.5 * lint.reformatted, f"layout: {lint.reformatted:.0%} of the lines would be formatted otherwise"


def _explanation(facts: Facts, lint: Lint, metrics: Metrics) -> Iterator[Deduction]:
    undocumented = 1 - facts.documented
    no_docstring = "no function has a docstring"
    yield 1.5 * undocumented, no_docstring if undocumented == 1 else f"{undocumented:.0%} of functions undocumented"
    share = facts.comments / max(1, facts.lines)
    yield 1.0 * max(0.0, 1 - share / 0.1), f"{facts.comments} of {facts.lines} lines have a comment"
    yield 1.5 * max(0.0, 1 - facts.prose_words / 20), f"{facts.prose_words} words around the code"
    yield _doublings(facts.prose_words, 300, 0.5), f"{facts.prose_words} words around the code"


def _doublings(value: float, free: float, weight: float) -> float:
    """Return `weight` * log2(`value` / `free`), and 0 if `value` is at most `free`."""
    return weight * math.log2(max(1.0, value / free))


RUBRICS: Mapping[str, Callable[[Facts, Lint, Metrics], Iterator[Deduction]]] = {
    "instruction-following": _instruction,
    "readability": _readability,
    "complexity": _complexity,
    "style": _style,
    "explanation": _explanation,
}
