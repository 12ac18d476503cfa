"""Makes repair pairs: the prompt holds the rejected program of a pair and asks for its correction. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from codepref.config.templates import FAILURES, check_repair_template
from codepref.errors import UserError
from codepref.records import FAILING_CODES, Pair, VerdictMatrix

Repair = Literal["none", "add", "only"]
"""Which pairs are returned. "none": the pairs of the rule. "add": these pairs, and a repair pair for each of them whose
rejected program fails a test. "only": the repair pairs alone."""

SUFFIX = "-repair"
"""The ending that a repair pair adds to the name of its rule."""


def check_repair(repair: str, template: str, rule: str, *, ratings: bool) -> None:
    """Raise UserError for an unknown `repair`, a malformed template, or repair pairs from a rule that reads ratings.

    The template is checked even if `repair` is "none". rule: the name of the rule. ratings: whether the rule reads
    ratings. The responses that such a rule rejects need not be wrong.
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
    """Return the pairs of one problem, with or without their repair pairs, or the repair pairs alone; see `Repair`.

    pairs: the pairs that a rule made. matrix: the verdicts of the problem. template: see `repair_pair`. dropped:
    receives the number of pairs that give no repair pair, since their rejected programs fail no test.
    """
    if repair == "none":
        return list(pairs)
    repairs = [repair_pair(pair, matrix, template) for pair in pairs]
    if missing := repairs.count(None):
        dropped["no repair pair: the rejected program fails no test"] += missing
    made = [pair for pair in repairs if pair is not None]
    return made if repair == "only" else [*pairs, *made]


def repair_pair(pair: Pair, matrix: VerdictMatrix, template: str) -> Pair | None:
    """Return a pair whose prompt asks to correct the rejected program of `pair`, or None if that program fails no test.

    The two answers are those of `pair`. So the model learns the correction, and learns not to repeat the program of the
    prompt.
    matrix: the verdicts of the problem. template: the last message of the new prompt, with {request} (the last message
    of the prompt of `pair`), {program} (the rejected program) and {failure} (the kind of its first failure, in words).
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
