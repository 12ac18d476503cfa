"""Judgments (and verdicts) -> pairs: asks a rating rule for each problem, drops what must not be trained on."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from codepref.config.templates import SOLUTION_TEMPLATE, check_template
from codepref.errors import UserError
from codepref.pairing.hygiene import Sides, diverse, sides_as_written, unfit
from codepref.pairing.pair import PairSet, surest
from codepref.pairing.rated import RATED, TESTS_THEN_RATING, RatedInput, correct_then_rated, rated
from codepref.pairing.rules import Candidate
from codepref.records import (
    INFRASTRUCTURE,
    PASS,
    SKIPPED,
    Judgment,
    Message,
    Pair,
    Problem,
    Rating,
    Verdict,
    VerdictMatrix,
)
from codepref.sampling.prompts import request_messages

RATING_RULES = (RATED, TESTS_THEN_RATING)


def pair_rated(
    judgments: Iterable[Judgment],
    verdicts: Iterable[VerdictMatrix] | None,
    problems: Iterable[Problem],
    *,
    rule: str = RATED,
    margin: float = 1,
    correctness_pairs: bool = False,
    max_pairs_per_problem: int = 4,
    min_confidence: float = 0.0,
    max_share: float = 1.0,
    max_length_ratio: float = 0.0,
    template: str = SOLUTION_TEMPLATE,
    allow_shared: bool = False,
    seed: int = 0,
) -> PairSet:
    """Select preference pairs from ratings; answers are the responses as they were written, since so they were rated.

    rule: one of RATING_RULES; `tests-then-rating` needs verdicts of true tests, joined by solution_id = response_id,
    and without tests a problem gives no pair. margin: points that the two sides are apart at least, by the judge's
    score where it tells one that is finer than its ratings. The other arguments are those of
    `codepref.pairing.pair.pair`, but that answers count as the same only where their texts are.
    Unjudged responses and those that were cut at the token limit are left out and counted; so are problems that the
    judgments do not hold.
    Raises UserError for an unknown rule, missing verdicts, and for judgments of a task that `problems` does not hold.
    """
    _check(rule, margin, max_pairs_per_problem, verdicts)
    check_template(template)
    by_task = {problem.task_id: problem for problem in problems}
    known = {matrix.task_id: {v.solution_id: v for v in matrix.verdicts} for matrix in verdicts or ()}
    dropped: Counter[str] = Counter()
    pairs: list[Pair] = []
    count = 0
    for judgment in judgments:
        count += 1
        if judgment.task_id not in by_task:
            raise UserError(f"judgments of task {judgment.task_id!r}, which is not among the problems: another file?")
        if margin > judgment.high - judgment.low:
            raise UserError(
                f"margin {margin:g} does not fit the ratings of task {judgment.task_id!r}, which lie between "
                f"{judgment.low} and {judgment.high}"
            )
        usable, mine = _usable(judgment, dropped), known.get(judgment.task_id, {})
        given = _given(usable, mine, allow_shared, seed)
        if rule == RATED:
            choice = rated(given, margin=margin, max_pairs=max_pairs_per_problem)
        else:
            choice = correct_then_rated(
                given, margin=margin, max_pairs=max_pairs_per_problem, correctness_pairs=correctness_pairs
            )
        dropped.update([choice.reason] if choice.reason else [])
        prompt = request_messages(by_task[judgment.task_id], template)
        proposals = [_write(usable, mine, candidate, prompt, rule) for candidate in choice.candidates]
        pairs += _kept(proposals, max_pairs_per_problem, min_confidence, max_length_ratio, dropped)
    pairs = surest(pairs, math.floor(max_share * count), dropped)
    return PairSet(pairs, dict(sorted(dropped.items())))


def _kept(
    proposals: Sequence[Pair], most: int, min_confidence: float, max_length_ratio: float, dropped: Counter[str]
) -> list[Pair]:
    """What may be trained on of one problem's proposals."""
    made: dict[Sides, Pair] = {}
    for proposal in proposals:
        if reason := unfit(proposal, made, min_confidence, max_length_ratio, sides_as_written):
            dropped[reason] += 1
        else:
            made[sides_as_written(proposal)] = proposal
    kept = diverse(made, most)
    if lost := len(made) - len(kept):
        dropped["pair dropped: above max_pairs_per_problem"] += lost
    return kept


def _check(rule: str, margin: float, max_pairs: int, verdicts: object) -> None:
    if rule not in RATING_RULES:
        raise UserError(f"unknown rule {rule!r} for ratings; known: {', '.join(RATING_RULES)}")
    if rule == TESTS_THEN_RATING and verdicts is None:
        raise UserError(f"rule {rule!r} needs verdicts of true tests beside the judgments")
    if not margin > 0:
        raise UserError(f"margin must be above 0, not {margin}: a tie is no preference")
    if max_pairs < 1:
        raise UserError(f"max_pairs_per_problem must be at least 1, not {max_pairs}")


def _usable(judgment: Judgment, dropped: Counter[str]) -> Judgment:
    """Without what no pair may rest on."""
    kept = []
    for response, rating in zip(judgment.responses, judgment.ratings, strict=True):
        if rating.value is None:
            dropped["response left out: unjudged"] += 1
        elif not response.finished:
            dropped["response left out: cut at the token limit"] += 1
        else:
            kept.append((response, rating))
    return replace(judgment, responses=tuple(r for r, _ in kept), ratings=tuple(r for _, r in kept))


def _given(judgment: Judgment, known: Mapping[int, Verdict], allow_shared: bool, seed: int) -> RatedInput:
    return RatedInput(
        rating_S=tuple(map(_value, judgment.ratings)),
        correct_S=tuple(_correct(known.get(r.response_id), allow_shared) for r in judgment.responses),
        low=judgment.low,
        high=judgment.high,
        seed=int.from_bytes(hashlib.sha256(f"{seed}:{judgment.task_id}".encode()).digest()[:8], "big"),
    )


def _value(rating: Rating) -> float | None:
    """The finer score where the judge tells one; else the rating, or the mean of both looks where there were two."""
    if rating.value is None:
        return None
    if rating.score is not None:
        return rating.score
    return rating.value if rating.second is None else (rating.value + rating.second) / 2


def _correct(verdict: Verdict | None, allow_shared: bool) -> bool | None:
    """Whether a solution passes all its tests; None where nothing may rest on what is known."""
    if verdict is None or not verdict.codes or (verdict.isolation == "shared" and not allow_shared):
        return None
    if INFRASTRUCTURE in verdict.codes:
        return None
    if set(verdict.codes) == {PASS}:
        return True
    return False if set(verdict.codes) - {PASS, SKIPPED} else None


def _write(
    judgment: Judgment, known: Mapping[int, Verdict], candidate: Candidate, prompt: Sequence[Message], rule: str
) -> Pair:
    evidence = {"judge": judgment.judge, "preference": judgment.preference, **candidate.evidence}
    texts, ids = [], []
    for side, row in (("chosen", candidate.chosen), ("rejected", candidate.rejected)):
        response, rating = judgment.responses[row], judgment.ratings[row]
        evidence |= {f"{side}_rating": _value(rating), f"{side}_rationale": rating.rationale}
        evidence |= {f"{side}_model": response.model}
        if verdict := known.get(response.response_id):
            evidence[f"{side}_verdicts"] = verdict.codes
        texts.append(response.text)
        ids.append(response.response_id)
    return Pair(
        task_id=judgment.task_id,
        prompt=prompt,
        chosen=[{"role": "assistant", "content": texts[0]}],
        rejected=[{"role": "assistant", "content": texts[1]}],
        rule=rule,
        confidence=candidate.confidence,
        chosen_id=ids[0],
        rejected_id=ids[1],
        evidence=evidence,
    )
