"""Verdicts -> pairs: asks a rule for each problem, drops what must not be trained on, and counts it."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from codepref.config.templates import SOLUTION_TEMPLATE, check_template
from codepref.errors import UserError
from codepref.pairing.agreement import agreement
from codepref.pairing.all_tests import all_tests
from codepref.pairing.b4 import b4
from codepref.pairing.codet import codet
from codepref.pairing.dstc import dstc, dstc_code
from codepref.pairing.hygiene import diverse, sides, unfit
from codepref.pairing.max_pass import max_pass
from codepref.pairing.rules import LATE, RAISED, Candidate, Choice, Ints, Rule, RuleInput
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
    VerdictMatrix,
)
from codepref.sampling.probes import parent_of
from codepref.sampling.prompts import request_messages

RULES: Mapping[str, Callable[..., Choice]] = {
    "all-tests": all_tests,
    "max-pass": max_pass,
    "dstc": dstc,
    "dstc-code": dstc_code,
    "codet": codet,
    "b4": b4,
    "agreement": agreement,
}
SEVERAL = ("all-tests", "agreement")
"""Rules that propose up to `max_pairs_per_problem` pairs at once; of the others' draws no more are kept."""


@dataclass(frozen=True)
class PairSet:
    """Pairs, and why problems and candidates gave none: `dropped` maps a reason to its count."""

    pairs: list[Pair] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)

    def to_dataset(self) -> Any:
        """The pairs as a `datasets.Dataset` in the columns of a pairs file."""
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
    template: str = SOLUTION_TEMPLATE,
    fence: bool = True,
    allow_shared: bool = False,
    seed: int = 0,
) -> PairSet:
    """Select preference pairs from verdicts.

    rule: a key of RULES. max_pairs_per_problem: what a problem weighs at most, with every rule; see
    `codepref.pairing.hygiene.diverse`. draws: with a rule that makes one pair, pairs a problem; above 1 each comes from
    its own random half of the solutions and tests. min_confidence: pairs below are dropped. max_share: keep the pairs
    of that share of problems only, the surest. max_length_ratio: pairs with a side more than so many times as long as
    the other, in characters, are dropped; 0 for no limit. fence: answers stand in a ```python block. allow_shared: let
    verdicts of solutions that ran in one process with their tests ground a pair. Solutions with an infrastructure
    failure are left out before any rule sees them. Returns pairs in the order of `verdicts`.
    Raises UserError for an unknown rule and for verdicts of a task that `problems` does not hold.
    """
    if rule not in RULES:
        raise UserError(f"unknown rule {rule!r}; known: {', '.join(RULES)}")
    for name, value in (("max_pairs_per_problem", max_pairs_per_problem), ("draws", draws)):
        if value < 1:
            raise UserError(f"{name} must be at least 1, not {value}")
    if not 0 < max_share <= 1:
        raise UserError(f"max_share must be above 0 and at most 1, not {max_share}")
    if max_length_ratio and not max_length_ratio >= 1:
        raise UserError(f"max_length_ratio must be 0 (no limit) or at least 1, not {max_length_ratio}")
    check_template(template)
    by_task = {problem.task_id: problem for problem in problems}
    dropped: Counter[str] = Counter()
    pairs: list[Pair] = []
    count = 0
    for matrix in verdicts:
        count += 1
        if matrix.task_id not in by_task:
            raise UserError(f"verdicts of task {matrix.task_id!r}, which is not among the problems: another file?")
        usable = _usable(matrix, allow_shared=allow_shared, dropped=dropped)
        prompt = request_messages(by_task[matrix.task_id], template)
        made: dict[tuple[str, str], Pair] = {}
        for candidate in _candidates(usable, rule, max_pairs_per_problem, draws, seed, dropped):
            proposal = _write(usable, candidate, prompt, rule, fence)
            if reason := unfit(proposal, made, min_confidence, max_length_ratio):
                dropped[reason] += 1
            else:
                made[sides(proposal)] = proposal
        kept = diverse(made, max_pairs_per_problem)
        if lost := len(made) - len(kept):
            dropped["pair dropped: above max_pairs_per_problem"] += lost
        pairs += kept
    pairs = surest(pairs, math.floor(max_share * count), dropped)
    return PairSet(pairs, dict(sorted(dropped.items())))


def rule_input(matrix: VerdictMatrix, seed: int) -> RuleInput:
    """What a rule sees of a matrix (S solutions, T tests). Probes are no tests: of them only the answers are seen."""
    count_A = np.array([test.count for test in matrix.tests], dtype=np.int64)
    is_test_A = count_A > 0
    places = {test.test_id: at for at, test in enumerate(test for test in matrix.tests if test.count)}
    parents = [places.get(parent_of(test) or test.test_id, -1) for test in matrix.tests]
    codes_ST = matrix.codes_ST[:, is_test_A]
    passed_ST = np.equal(codes_ST, PASS)
    not_run_ST = np.isin(codes_ST, [INFRASTRUCTURE, SKIPPED])
    forms = {text: normal_form(text) for text in {verdict.solution for verdict in matrix.verdicts}}
    return RuleInput(
        passed_ST=passed_ST,
        failed_ST=~passed_ST & ~not_run_ST,
        weight_T=count_A[is_test_A],
        form_S=tuple(forms[verdict.solution] for verdict in matrix.verdicts),
        seed=seed,
        answers_SA=_answers(matrix),
        test_A=np.array(parents, dtype=np.int64),
        is_test_A=is_test_A,
    )


def _answers(matrix: VerdictMatrix) -> Ints:
    """Array (S, A): see RuleInput. Where the answer is not known, whether the test was passed stands in for it."""
    codes_SA, digests_SA = matrix.codes_ST, matrix.answer_digests_ST.astype(np.int64)
    known_SA = np.where(digests_SA > 0, digests_SA + 1, codes_SA == PASS)
    raised_SA = np.isin(codes_SA, [ERROR, MEMORY, FORBIDDEN])
    late_SA = np.isin(codes_SA, [TIMEOUT, SKIPPED, INFRASTRUCTURE])
    return np.where(raised_SA, RAISED, np.where(late_SA, LATE, known_SA))


def surest(pairs: list[Pair], problems: int, dropped: Counter[str]) -> list[Pair]:
    """The pairs of so many problems, those of the highest confidence, in the order that they had."""
    best: dict[str, float] = {}
    for one in pairs:
        best[one.task_id] = max(best.get(one.task_id, 0.0), one.confidence)
    kept = set(sorted(best, key=lambda task: -best[task])[:problems])
    if lost := sum(one.task_id not in kept for one in pairs):
        dropped["pair dropped: above max_share of the problems"] += lost
    return [one for one in pairs if one.task_id in kept]


def _candidates(
    matrix: VerdictMatrix, rule: str, max_pairs: int, draws: int, seed: int, dropped: Counter[str]
) -> list[Candidate]:
    task_seed = int.from_bytes(hashlib.sha256(f"{seed}:{matrix.task_id}".encode()).digest()[:8], "big")
    given = rule_input(matrix, task_seed)
    if rule in SEVERAL:
        choices = [RULES[rule](given, max_pairs=max_pairs)]
    else:
        choices = [_draw(given, RULES[rule], number, draws) for number in range(draws)]
    found = [candidate for choice in choices for candidate in choice.candidates]
    if not found:
        dropped[choices[0].reason] += 1
    return found


def _draw(given: RuleInput, rule: Rule, number: int, draws: int) -> Choice:
    """The rule on everything (a single draw), or on its own random half of the solutions and tests."""
    if draws == 1:
        return rule(given)
    generator = np.random.default_rng([given.seed, number])
    solutions, tests = given.passed_ST.shape
    rows = np.sort(generator.permutation(solutions)[: max(2, (solutions + 1) // 2)])
    columns = np.sort(generator.permutation(tests)[: max(1, (tests + 1) // 2)])
    choice = rule(given.part(rows, columns, seed=int(generator.integers(2**62))))
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


def _usable(matrix: VerdictMatrix, *, allow_shared: bool, dropped: Counter[str]) -> VerdictMatrix:
    """Only rows on which a pair may rest."""
    kept = []
    for verdict in matrix.verdicts:
        if INFRASTRUCTURE in verdict.codes:
            dropped["solution left out: infrastructure failure"] += 1
        elif verdict.isolation == "shared" and not allow_shared:
            dropped["solution left out: shared a process with its tests"] += 1
        elif not verdict.solution.strip():
            dropped["solution left out: no code in the answer"] += 1
        else:
            kept.append(verdict)
    return replace(matrix, verdicts=tuple(kept))


def _write(matrix: VerdictMatrix, candidate: Candidate, prompt: list[Message], rule: str, fence: bool) -> Pair:
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
