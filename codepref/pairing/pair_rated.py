"""Judgments -> pairs: calls a rating rule for each problem, and drops and counts the pairs that must not be kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from codepref.config.templates import SOLUTION_TEMPLATE, check_template
from codepref.errors import UserError
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
    template: str = SOLUTION_TEMPLATE,
    allow_shared: bool = False,
    seed: int = 0,
) -> PairSet:
    """Select preference pairs from ratings. The answers are the responses as they were written and rated.

    Args:
        judgments: one for each problem.
        verdicts: results of true tests, joined by solution_id = response_id. None if there are none. A rule that needs
            true tests makes no pair for a problem without verdicts.
        problems: where the prompts come from.
        rule: a name in `codepref.pairing.rules.RULES` of a rule that reads ratings.
        margin: the least distance between both sides, in points of the judge's scale. It applies to the judge's score
            where there is one, else to the rating.
        correctness_pairs: for `tests-then-rating`: also pair passing with failing responses.
        max_pairs_per_problem, min_confidence, max_share, max_length_ratio, template, allow_shared, seed: as in
            `codepref.pairing.pair.pair`. Two answers are equal only if their texts are.

    Unjudged responses and responses that were cut at the token limit are left out and counted.
    Raises UserError for an unknown rule, options out of bounds, missing verdicts, and for judgments of a task that is
    not among `problems`.
    """
    chosen_rule = load_rule(rule)
    _check(rule, chosen_rule, margin, verdicts)
    limits = PairLimits(max_pairs_per_problem, min_confidence, max_share, max_length_ratio)
    check_template(template)
    options = {"margin": margin, "max_pairs": max_pairs_per_problem, "correctness_pairs": correctness_pairs}
    by_task = {problem.task_id: problem for problem in problems}
    verdict_of = {matrix.task_id: {v.solution_id: v for v in matrix.verdicts} for matrix in verdicts or ()}
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
        usable, tested = _usable(judgment, dropped), verdict_of.get(judgment.task_id, {})
        ratings = _rule_input(usable, tested, allow_shared, seed)
        choice = chosen_rule.choose(ratings, **chosen_rule.options(options))
        dropped.update([choice.reason] if choice.reason else [])
        prompt = request_messages(by_task[judgment.task_id], template)
        proposals = [_write(usable, tested, candidate, prompt, rule) for candidate in choice.candidates]
        pairs += keep_pairs(proposals, limits, dropped, sides_as_written)
    pairs = top_confidence(pairs, count_in_share(max_share, count), dropped)
    return PairSet(pairs, dict(sorted(dropped.items())))


def _check(name: str, rule: PairingRule, margin: float, verdicts: object) -> None:
    if not rule.ratings:
        raise UserError(f"rule {name!r} does not read ratings: choose a rule like `rated`, or give verdicts alone")
    if rule.tests != "none" and verdicts is None:
        raise UserError(f"rule {name!r} needs verdicts of true tests beside the judgments")
    if not margin > 0:
        raise UserError(f"margin must be above 0, not {margin}: a tie is no preference")


def _usable(judgment: Judgment, dropped: Counter[str]) -> Judgment:
    """The judgment without unjudged and cut responses, which are counted in `dropped`."""
    kept = []
    for response, rating in zip(judgment.responses, judgment.ratings, strict=True):
        if rating.value is None:
            dropped["response left out: unjudged"] += 1
        elif not response.finished:
            dropped["response left out: cut at the token limit"] += 1
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
    """The judge's score if there is one, else the rating, or the mean of both passes if there were two."""
    if rating.value is None:
        return None
    if rating.score is not None:
        return rating.score
    return rating.value if rating.second is None else (rating.value + rating.second) / 2


def _correct(verdict: Verdict | None, allow_shared: bool) -> bool | None:
    """Whether a response passes its true tests. None if it is unknown or if the verdict may not be used."""
    if verdict is None or (verdict.isolation == "shared" and not allow_shared):
        return None
    return verdict.correct


def _write(
    judgment: Judgment, tested: Mapping[int, Verdict], candidate: Candidate, prompt: Sequence[Message], rule: str
) -> Pair:
    """The pair of a candidate, with the texts of the two answers and the evidence."""
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
