"""Makes repair pairs: the prompt holds a wrong program, and the answers are a right program and the wrong one. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from codepref.config.templates import FAILURES, check_repair_template
from codepref.errors import UserError
from codepref.records import FAILING_CODES, Pair, VerdictMatrix

Repair = Literal["none", "add", "only"]
"""Which pairs are made: those of the rule, these and a repair pair of each, or only the repair pairs."""

SUFFIX = "-repair"
"""The end of the name of the rule in a repair pair."""


def check_repair(repair: str, template: str, rule: str, *, ratings: bool) -> None:
    """Raise UserError for an unknown value of `repair`, a malformed template, and a rule that reads ratings.

    rule: the name of the rule. ratings: whether it reads ratings. Its rejected responses need not be wrong.
    """
    if repair not in ("none", "add", "only"):
        raise UserError(f"repair must be none, add or only, not {repair!r}")
    if repair != "none" and ratings:
        raise UserError(
            f"rule {rule!r} chooses by ratings, so a rejected response need not be wrong, and no repair pairs can be "
            "made: set repair = 'none', or choose a rule for tests"
        )
    check_repair_template(template)


def with_repairs(
    pairs: Sequence[Pair], matrix: VerdictMatrix, repair: Repair, template: str, dropped: Counter[str]
) -> list[Pair]:
    """Return the pairs of one problem with their repair pairs, or only the repair pairs; see `Repair`.

    matrix: the verdicts of the problem. dropped: receives the number of pairs without a repair pair, because no test
    has shown that the rejected program is wrong.
    """
    if repair == "none":
        return list(pairs)
    repairs = [repair_pair(pair, matrix, template) for pair in pairs]
    if missing := repairs.count(None):
        dropped["no repair pair: the rejected program fails no test"] += missing
    made = [pair for pair in repairs if pair is not None]
    return made if repair == "only" else [*pairs, *made]


def repair_pair(pair: Pair, matrix: VerdictMatrix, template: str) -> Pair | None:
    """Return the pair whose prompt asks to correct the rejected program, or None if that program fails no test.

    The answers stay: the right program is chosen, and the program of the prompt is rejected. So the pair teaches the
    change, and a model that repeats the program of the prompt is taught not to.
    template: the user message, with {request} (the last message of the pair's prompt), {program} and {failure} (the
    kind of the first failure, in words).
    """
    verdict = next(one for one in matrix.verdicts if one.solution_id == pair.rejected_id)
    codes = zip(matrix.tests, verdict.codes, strict=True)
    # the code of a probe, whose count is 0, does not say whether the answer is right
    code = next((code for test, code in codes if test.count and code in FAILING_CODES), "")
    if not code:
        return None
    *before, request = pair.prompt
    text = template.format(request=request["content"], program=verdict.solution.strip("\n"), failure=FAILURES[code])
    return replace(
        pair,
        prompt=[*before, {"role": request["role"], "content": text}],
        rule=pair.rule + SUFFIX,
        evidence={**pair.evidence, "failure": code},
    )
