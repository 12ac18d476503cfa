"""One entry point for all pairing rules: verdicts or judgments -> pairs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codepref.errors import UserError
from codepref.pairing.pair import PairSet, pair
from codepref.pairing.pair_rated import pair_rated
from codepref.pairing.rules import load_rule
from codepref.records import Judgment, Problem, VerdictMatrix


def select_pairs(
    problems: Iterable[Problem],
    *,
    rule: str,
    verdicts: Iterable[VerdictMatrix] | None = None,
    judgments: Iterable[Judgment] | None = None,
    margin: float = 1,
    correctness_pairs: bool = False,
    draws: int = 1,
    fence: bool = True,
    **common: Any,
) -> PairSet:
    """Select pairs with any rule of `codepref.pairing.rules.RULES`.

    A rule that reads ratings gets `judgments`, with `verdicts` of true tests if there are some, and the options
    `margin` and `correctness_pairs`; see `codepref.pairing.pair_rated.pair_rated`. Every other rule gets `verdicts` and
    the options `draws` and `fence`; see `codepref.pairing.pair.pair`. common: options of both functions.

    Raises UserError if judgments are given to a rule that does not read ratings, if the rule's input is missing, and
    what those two functions raise.
    """
    if load_rule(rule).ratings:
        if judgments is None:
            raise UserError(f"rule {rule!r} reads ratings: give judgments (a file that `codepref judge` wrote)")
        options = {"margin": margin, "correctness_pairs": correctness_pairs}
        return pair_rated(judgments, verdicts, problems, rule=rule, **options, **common)
    if judgments is not None:
        raise UserError(f"rule {rule!r} reads no ratings: leave the judgments out, or choose a rule such as `rated`")
    if verdicts is None:
        raise UserError("give verdicts (a folder that `execute` wrote, or matrices) or judgments to pair")
    return pair(verdicts, problems, rule=rule, draws=draws, fence=fence, **common)
