"""Selects pairs from judgments.

A rule that reads ratings proposes pairs for each problem. Pairs that must not be trained on are dropped and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from codepref.config.templates import SOLUTION_TEMPLATE, check_template
from codepref.errors import UserError
from codepref.pairing.balance import balanced, ease_by_ratings
from codepref.pairing.hygiene import PairLimits, count_in_share, keep_pairs, sides_as_written, top_confidence
from codepref.pairing.pair import PairSet, task_seed
from codepref.pairing.rules import load_rule
from codepref.pairing.rules.base import Candidate, PairingRule, RatedInput
from codepref.records import Judgment, Message, Pair, Problem, Rating, Verdict, VerdictMatrix
from codepref.sampling.prompts import request_messages


def pair_rated(
    judgments: Iterable[Judgment],
    verdicts: Iterable[VerdictMatrix] | None,
    problems: Iterable[Problem],
    *,
    rule: str = "rated",
    margin: float = 1,
    correctness_pairs: bool = False,
    max_pairs_per_problem: int = 4,
    min_confidence: float = 0.0,
    max_share: float = 1.0,
    max_length_ratio: float = 0.0,
    balance_length: bool = False,
    max_easy_share: float = 1.0,
    template: str = SOLUTION_TEMPLATE,
    allow_shared: bool = False,
    seed: int = 0,
) -> PairSet:
    """Select preference pairs from ratings. The answers of the pairs are the responses as they were written.

    Args:
        judgments: one judgment for each problem.
        verdicts: verdicts of true tests on the responses, in which solution_id is the response_id. None if the
            responses were not tested. `tests-then-rating` makes no pair for a problem without verdicts.
        problems: the problems from which the prompts are made.
        rule: the name of a rule in `codepref.pairing.rules.RULES` that reads ratings.
        margin: the smallest difference between the two sides of a pair by ratings, in points of the judge's scale,
            above 0. The value of a response is its `Rating.score`. Without a score, it is the rating, or the mean of
            the ratings of two passes.
        correctness_pairs: whether `tests-then-rating` also pairs passing responses with failing ones.
        max_pairs_per_problem, min_confidence, max_share, max_length_ratio, balance_length, max_easy_share, template,
            allow_shared, seed: as in `codepref.pairing.pair.pair`.

    Two answers count as equal if their texts are equal apart from white space at their ends. Unjudged responses and
    responses that were cut off, usually at the token limit, are left out and counted.
    Raises UserError for a rule that is unknown or cannot be loaded, for a rule that does not read ratings, for wrong
    options, and for a rule that needs tests if `verdicts` is None. Raises UserError also for a margin above the width
    of the judge's scale, and for judgments of a task that is not among `problems`.
    """
    chosen_rule = load_rule(rule)
    _check(rule, chosen_rule, margin, verdicts)
    limits = PairLimits(max_pairs_per_problem, min_confidence, max_share, max_length_ratio, max_easy_share)
    check_template(template)
    options = {"margin": margin, "max_pairs": max_pairs_per_problem, "correctness_pairs": correctness_pairs}
    by_task = {problem.task_id: problem for problem in problems}
    verdict_of = {matrix.task_id: {v.solution_id: v for v in matrix.verdicts} for matrix in verdicts or ()}
    dropped: Counter[str] = Counter()
    pairs: list[Pair] = []
    ease: dict[str, float] = {}
    count = 0
    for judgment in judgments:
        count += 1
        if judgment.task_id not in by_task:
            raise UserError(
                f"the judgments hold task {judgment.task_id!r}, which is not among the problems. Give the problems of "
                "these judgments"
            )
        if margin > judgment.high - judgment.low:
            raise UserError(
                f"margin {margin:g} does not fit the ratings of task {judgment.task_id!r}, which lie between "
                f"{judgment.low} and {judgment.high}"
            )
        usable, tested = _usable(judgment, dropped), verdict_of.get(judgment.task_id, {})
        ratings = _rule_input(usable, tested, allow_shared, seed)
        ease[judgment.task_id] = ease_by_ratings(ratings)
        choice = chosen_rule.choose(ratings, **chosen_rule.options(options))
        dropped.update([choice.reason] if choice.reason else [])
        prompt = request_messages(by_task[judgment.task_id], template)
        proposals = [_write(usable, tested, candidate, prompt, rule) for candidate in choice.candidates]
        pairs += keep_pairs(proposals, limits, dropped, sides_as_written)
    selected = top_confidence(pairs, count_in_share(max_share, count), dropped)
    pairs = balanced(
        selected, ease, balance_length=balance_length, max_easy_share=max_easy_share, seed=seed, dropped=dropped
    )
    return PairSet(pairs, dict(sorted(dropped.items())), len(selected))


def _check(name: str, rule: PairingRule, margin: float, verdicts: object) -> None:
    if not rule.ratings:
        raise UserError(
            f"rule {name!r} does not read ratings. Choose a rule such as `rated`, or give verdicts and no judgments"
        )
    if rule.tests != "none" and verdicts is None:
        raise UserError(f"rule {name!r} needs verdicts of {rule.tests} tests in addition to the judgments")
    if not margin > 0:
        raise UserError(f"margin must be above 0, not {margin}, since a tie is no preference")


def _usable(judgment: Judgment, dropped: Counter[str]) -> Judgment:
    """Return the judgment without unjudged responses and those that were cut off. `dropped` counts what is left out."""
    kept = []
    for response, rating in zip(judgment.responses, judgment.ratings, strict=True):
        if rating.value is None:
            dropped["response left out: unjudged"] += 1
        elif not response.finished:
            dropped["response left out: cut off, usually at the token limit"] += 1
        else:
            kept.append((response, rating))
    return replace(judgment, responses=tuple(r for r, _ in kept), ratings=tuple(r for _, r in kept))


def _rule_input(judgment: Judgment, tested: Mapping[int, Verdict], allow_shared: bool, seed: int) -> RatedInput:
    return RatedInput(
        rating_S=tuple(map(_value, judgment.ratings)),
        correct_S=tuple(_correct(tested.get(r.response_id), allow_shared) for r in judgment.responses),
        low=judgment.low,
        high=judgment.high,
        seed=task_seed(seed, judgment.task_id),
    )


def _value(rating: Rating) -> float | None:
    """Return the judge's score. Without a score, return the rating, or the mean of the ratings of two passes.

    Return None for an unjudged response.
    """
    if rating.value is None:
        return None
    if rating.score is not None:
        return rating.score
    return rating.value if rating.second is None else (rating.value + rating.second) / 2


def _correct(verdict: Verdict | None, allow_shared: bool) -> bool | None:
    """Return whether a response is correct by true tests, or None if it is unknown or the verdict must not be used."""
    if verdict is None or (verdict.isolation == "shared" and not allow_shared):
        return None
    return verdict.correct


def _write(
    judgment: Judgment, tested: Mapping[int, Verdict], candidate: Candidate, prompt: Sequence[Message], rule: str
) -> Pair:
    """Return the pair of a candidate, with the texts of the two answers and the evidence."""
    evidence = {"judge": judgment.judge, "preference": judgment.preference, **candidate.evidence}
    texts, ids = [], []
    for side, row in (("chosen", candidate.chosen), ("rejected", candidate.rejected)):
        response, rating = judgment.responses[row], judgment.ratings[row]
        evidence |= {f"{side}_rating": _value(rating), f"{side}_rationale": rating.rationale}
        evidence |= {f"{side}_model": response.model}
        if verdict := tested.get(response.response_id):
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
