"""Selects pairs from verdicts.

A rule proposes pairs for each problem. Pairs that must not be trained on are dropped and counted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from codepref.config.templates import REPAIR_TEMPLATE, SOLUTION_TEMPLATE, check_template
from codepref.errors import UserError
from codepref.execution.speed import Speeds
from codepref.pairing.balance import balanced, ease_by_tests
from codepref.pairing.hygiene import PairLimits, count_in_share, keep_pairs, top_confidence
from codepref.pairing.repair import Repair, check_repair, with_repairs
from codepref.pairing.rules import load_rule
from codepref.pairing.rules.base import LATE, RAISED, Candidate, Choice, Floats, Ints, PairingRule, RuleInput
from codepref.problems.normalise import normal_form
from codepref.records import (
    ERROR,
    FORBIDDEN,
    INFRASTRUCTURE,
    MEMORY,
    PASS,
    SKIPPED,
    TIMEOUT,
    Message,
    Pair,
    Problem,
    Verdict,
    VerdictMatrix,
)
from codepref.sampling.probes import parent_of
from codepref.sampling.prompts import request_messages


@dataclass(frozen=True)
class PairSet:
    """Selected pairs, and what was not used.

    dropped: reason -> count. Some reasons count problems for which the rule proposed no pair, or no pair by ratings.
    Others count dropped pairs, or solutions or responses that were left out. selected: the number of pairs before they
    were balanced by length and difficulty.
    """

    pairs: list[Pair] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    selected: int = 0

    def to_dataset(self) -> Any:
        """Return the pairs as a `datasets.Dataset` with the columns of a pairs file."""
        from codepref.pairing.artifact import to_dataset

        return to_dataset(self.pairs)


def pair(
    verdicts: Iterable[VerdictMatrix],
    problems: Iterable[Problem],
    *,
    rule: str = "all-tests",
    max_pairs_per_problem: int = 4,
    draws: int = 1,
    min_confidence: float = 0.0,
    max_share: float = 1.0,
    max_length_ratio: float = 0.0,
    max_edit_share: float = 1.0,
    speeds: Speeds | None = None,
    speed_factor: float = 2.0,
    min_cpu_ms: float = 5.0,
    correctness_pairs: bool = False,
    repair: Repair = "none",
    repair_template: str = REPAIR_TEMPLATE,
    balance_length: bool = False,
    max_easy_share: float = 1.0,
    template: str = SOLUTION_TEMPLATE,
    fence: bool = True,
    allow_shared: bool = False,
    seed: int = 0,
) -> PairSet:
    """Select preference pairs from verdicts.

    Args:
        verdicts: one matrix for each problem.
        problems: the problems from which the prompts are made.
        rule: the name of a rule in `codepref.pairing.rules.RULES` that does not read ratings.
        max_pairs_per_problem: the largest number of pairs of a problem, with every rule. See
            `codepref.pairing.hygiene.select_diverse`.
        draws: how often a rule that proposes one pair is called for each problem. If it is above 1, each call gets a
            random half of the solutions and a random half of the tests. The half of the solutions holds at least two
            if there are two. Rules that propose several pairs are called once.
        min_confidence: pairs with a lower confidence are dropped.
        max_share: the largest share of the problems in `verdicts` whose pairs are kept. The problems with the highest
            confidence are kept.
        max_length_ratio: a pair is dropped if one side has more than this many times the characters of the other side.
            0 sets no limit.
        max_edit_share: the rule `near-miss` makes no pair whose edit distance is above this share of the tokens of the
            longer program.
        speeds: the measured CPU times for the rule `speed`, as `codepref.execution.speed.read_speeds` returns them.
        speed_factor, min_cpu_ms: the rule `speed` makes a pair if the rejected solution needs at least `speed_factor`
            times the CPU time of the chosen one, and at least `min_cpu_ms` milliseconds more, in each repeat.
        correctness_pairs: whether the rule `speed` also pairs passing solutions with failing ones.
        repair: "none", "add" or "only". With "add", each pair gives a further pair whose prompt holds the rejected
            program and asks for its correction. With "only", the result holds only these repair pairs.
            `max_pairs_per_problem` does not count them beside the pairs from which they are made.
        repair_template: the user message of a repair pair; see `codepref.pairing.repair.repair_pair`.
        balance_length: whether to drop pairs until the longer answer is chosen as often as it is rejected; see
            `codepref.pairing.balance.balanced`.
        max_easy_share: the largest share of the pairs that belongs to problems which the model mostly solves; see
            `codepref.pairing.balance.balanced`. 1 sets no limit, and 0.5 keeps no more pairs of easy problems than
            of hard ones.
        template: the user message of the prompts; see `codepref.sampling.prompts.request_messages`.
        fence: whether the answers are in a ```python block.
        allow_shared: whether verdicts are used if a test ran in the solution's process.
        seed: the seed of every random choice.

    Returns pairs in the order of `verdicts`. A solution without code is left out. A solution with an infrastructure
    failure is left out too, with one exception: a rule that relies on true tests gets a solution that has failed
    another test, since such a solution is wrong in any case.
    Raises UserError for a rule that is unknown or cannot be loaded, for a rule that reads ratings, for wrong options,
    and for verdicts of a task that is not among `problems`.
    """
    chosen_rule = load_rule(rule)
    if chosen_rule.ratings:
        raise UserError(f"rule {rule!r} chooses by ratings. Call codepref.pairing.select.select_pairs with judgments")
    if draws < 1:
        raise UserError(f"draws must be at least 1, not {draws}")
    limits = PairLimits(max_pairs_per_problem, min_confidence, max_share, max_length_ratio, max_easy_share)
    check_template(template)
    check_repair(repair, repair_template, rule, ratings=False)
    if chosen_rule.speed and speeds is None:
        raise UserError(f"rule {rule!r} needs CPU times. Give the file that `codepref speed` wrote")
    if speeds is not None and not chosen_rule.speed:
        raise UserError(f"rule {rule!r} does not compare CPU times. Leave out the speeds, or choose the rule `speed`")
    if not speed_factor > 1:
        raise UserError(f"speed_factor must be above 1, not {speed_factor}")
    options = {"max_pairs": max_pairs_per_problem, "max_edit_share": max_edit_share, "speed_factor": speed_factor}
    options |= {"min_cpu_ms": min_cpu_ms, "correctness_pairs": correctness_pairs}
    by_task = {problem.task_id: problem for problem in problems}
    dropped: Counter[str] = Counter()
    pairs: list[Pair] = []
    ease: dict[str, float] = {}
    count = 0
    for matrix in verdicts:
        count += 1
        if matrix.task_id not in by_task:
            raise UserError(
                f"the verdicts hold task {matrix.task_id!r}, which is not among the problems. Give the problems of "
                "these verdicts"
            )
        usable = _usable(matrix, chosen_rule, allow_shared=allow_shared, dropped=dropped)
        prompt = request_messages(by_task[matrix.task_id], template)
        verdicts_seen = rule_input(usable, task_seed(seed, matrix.task_id), (speeds or {}).get(matrix.task_id))
        ease[matrix.task_id] = ease_by_tests(verdicts_seen, true_tests=chosen_rule.tests == "true")
        candidates = _candidates(verdicts_seen, chosen_rule, options, draws, dropped)
        proposals = (_write(usable, candidate, prompt, rule, fence) for candidate in candidates)
        kept = keep_pairs(proposals, limits, dropped)
        pairs += with_repairs(kept, usable, repair, repair_template, dropped)
    selected = top_confidence(pairs, count_in_share(max_share, count), dropped)
    pairs = balanced(
        selected, ease, balance_length=balance_length, max_easy_share=max_easy_share, seed=seed, dropped=dropped
    )
    return PairSet(pairs, dict(sorted(dropped.items())), len(selected))


def task_seed(seed: int, task_id: str) -> int:
    """Return the seed for one problem. It is derived from the seed of the call and the problem's task_id."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{task_id}".encode()).digest()[:8], "big")


def rule_input(matrix: VerdictMatrix, seed: int, times: Mapping[int, Sequence[float]] | None = None) -> RuleInput:
    """Return the input of a rule for one matrix. Only arrays with the axis A have entries for probes.

    times: the measured CPU milliseconds by solution_id.
    """
    count_A = np.array([test.count for test in matrix.tests], dtype=np.int64)
    is_test_A = count_A > 0
    index_of = {test.test_id: index for index, test in enumerate(test for test in matrix.tests if test.count)}
    parents = [index_of.get(parent_of(test) or test.test_id, -1) for test in matrix.tests]
    codes_ST = matrix.codes_ST[:, is_test_A]
    passed_ST = np.equal(codes_ST, PASS)
    not_run_ST = np.isin(codes_ST, [INFRASTRUCTURE, SKIPPED])
    forms = {text: normal_form(text) for text in {verdict.solution for verdict in matrix.verdicts}}
    return RuleInput(
        passed_ST=passed_ST,
        failed_ST=~passed_ST & ~not_run_ST,
        weight_T=count_A[is_test_A],
        form_S=tuple(forms[verdict.solution] for verdict in matrix.verdicts),
        program_S=tuple(verdict.solution for verdict in matrix.verdicts),
        seed=seed,
        answers_SA=_answers(matrix),
        test_A=np.array(parents, dtype=np.int64),
        is_test_A=is_test_A,
        cpu_SR=_times(matrix, times or {}),
    )


def _times(matrix: VerdictMatrix, times: Mapping[int, Sequence[float]]) -> Floats:
    """Return the array (S, R) of CPU milliseconds; see RuleInput."""
    repeats = max(map(len, times.values()), default=0)
    missing = [float("nan")] * repeats
    rows = [times.get(verdict.solution_id, missing) for verdict in matrix.verdicts]
    return np.array(rows, dtype=np.float64).reshape(len(rows), repeats)


def _answers(matrix: VerdictMatrix) -> Ints:
    """Return the array (S, A) of answers; see RuleInput.

    A cell with a code other than P and F is RAISED or LATE. Where the digest is unknown, P gives 1 and F gives 0.
    """
    codes_SA, digests_SA = matrix.codes_ST, matrix.answer_digests_ST.astype(np.int64)
    known_SA = np.where(digests_SA > 0, digests_SA + 1, codes_SA == PASS)
    raised_SA = np.isin(codes_SA, [ERROR, MEMORY, FORBIDDEN])
    late_SA = np.isin(codes_SA, [TIMEOUT, SKIPPED, INFRASTRUCTURE])
    return np.where(raised_SA, RAISED, np.where(late_SA, LATE, known_SA))


def _candidates(
    verdicts: RuleInput, rule: PairingRule, options: Mapping[str, Any], draws: int, dropped: Counter[str]
) -> list[Candidate]:
    if rule.several:
        choices = [rule.choose(verdicts, **rule.options(options))]
    else:
        choices = [_draw(verdicts, rule, number, draws) for number in range(draws)]
    candidates = [candidate for choice in choices for candidate in choice.candidates]
    if not candidates:
        dropped[choices[0].reason] += 1
    return candidates


def _draw(verdicts: RuleInput, rule: PairingRule, number: int, draws: int) -> Choice:
    """Return the rule's choice. With several draws, the rule gets a random half of the solutions and of the tests.

    A half is rounded up. The rule gets at least two solutions, if there are so many.
    """
    if draws == 1:
        return rule.choose(verdicts)
    generator = np.random.default_rng([verdicts.seed, number])
    solutions, tests = verdicts.passed_ST.shape
    rows = np.sort(generator.permutation(solutions)[: max(2, (solutions + 1) // 2)])
    columns = np.sort(generator.permutation(tests)[: max(1, (tests + 1) // 2)])
    choice = rule.choose(verdicts.part(rows, columns, seed=int(generator.integers(2**62))))
    whole = tuple(
        replace(
            candidate,
            chosen=int(rows[candidate.chosen]),
            rejected=int(rows[candidate.rejected]),
            chosen_test=None if candidate.chosen_test is None else int(columns[candidate.chosen_test]),
            rejected_test=None if candidate.rejected_test is None else int(columns[candidate.rejected_test]),
        )
        for candidate in choice.candidates
    )
    return Choice(whole, choice.reason)


def _usable(matrix: VerdictMatrix, rule: PairingRule, *, allow_shared: bool, dropped: Counter[str]) -> VerdictMatrix:
    """Return the matrix without the solutions that must not be in a pair. `dropped` counts these solutions."""
    kept = []
    for verdict in matrix.verdicts:
        if _machine_failed(verdict, rule):
            dropped["solution left out: infrastructure failure"] += 1
        elif verdict.isolation == "shared" and not allow_shared:
            dropped["solution left out: shared a process with its tests"] += 1
        elif not verdict.solution.strip():
            dropped["solution left out: no code in the answer"] += 1
        else:
            kept.append(verdict)
    return replace(matrix, verdicts=tuple(kept))


def _machine_failed(verdict: Verdict, rule: PairingRule) -> bool:
    """Return whether an infrastructure failure hides what the rule must know of a solution.

    Rules for true tests must know whether a solution is correct. A solution with a failed test is wrong, whatever the
    missing cell would have been. Other rules use all cells, and a missing cell would distort their results.
    """
    return INFRASTRUCTURE in verdict.codes and not (rule.tests == "true" and verdict.correct is False)


def _write(matrix: VerdictMatrix, candidate: Candidate, prompt: list[Message], rule: str, fence: bool) -> Pair:
    """Return the pair of a candidate, with the texts of the two answers and the evidence."""
    chosen, rejected = matrix.verdicts[candidate.chosen], matrix.verdicts[candidate.rejected]
    evidence = dict(candidate.evidence) | {"chosen_verdicts": chosen.codes, "rejected_verdicts": rejected.codes}
    texts = []
    for side, verdict, test in (
        ("chosen", chosen, candidate.chosen_test),
        ("rejected", rejected, candidate.rejected_test),
    ):
        program = verdict.solution.strip("\n")
        if test is not None:
            evidence[f"{side}_test"] = matrix.tests[test].source
            program += "\n" + matrix.tests[test].source
        texts.append(f"```python\n{program}\n```" if fence else program)
    return Pair(
        task_id=matrix.task_id,
        prompt=prompt,
        chosen=[{"role": "assistant", "content": texts[0]}],
        rejected=[{"role": "assistant", "content": texts[1]}],
        rule=rule,
        confidence=candidate.confidence,
        chosen_id=chosen.solution_id,
        rejected_id=rejected.solution_id,
        evidence=evidence,
    )
