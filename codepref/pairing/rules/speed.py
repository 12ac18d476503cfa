"""The rule `speed`: it pairs a fast right program with a slow right program (arXiv 2406.12502). Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from codepref.pairing.rules.all_tests import all_tests
from codepref.pairing.rules.base import Candidate, Choice, PairingRule, RuleInput


def speed(
    verdicts: RuleInput,
    *,
    max_pairs: int = 4,
    speed_factor: float = 2.0,
    min_cpu_ms: float = 5.0,
    correctness_pairs: bool = False,
) -> Choice:
    """Pair solutions that pass every test. The chosen solution of a pair needs less CPU time than the rejected one.

    Code-Optimise (arXiv 2406.12502) learns from pairs of a quick and a slow solution, and from pairs of a passing and a
    failing one. The limits and the choice of pairs are codepref's. The CPU time was measured several times. In each
    repeat, the rejected solution must need at least `speed_factor` times the CPU time of the chosen one, and at least
    `min_cpu_ms` milliseconds more. So noise makes no pair unless it has the same effect in all repeats.

    The factor of a pair is the smallest ratio of the two CPU times in a repeat. The rule proposes up to `max_pairs`
    pairs. Each further pair has the largest factor among the pairs whose solutions were used least on the same side.
    Solutions with equal normal forms count as one solution. The confidence is 1 - 1 / factor. It sorts pairs and is not
    calibrated.

    correctness_pairs: whether to propose pairs of a passing and a failing solution too, as the rule `all-tests` does.
    If both sorts are possible, at most half of `max_pairs`, rounded up, are pairs by speed. If `max_pairs` is 1, one
    pair of each sort is proposed.
    """
    if verdicts.passed_ST.shape[1] == 0:
        return Choice(reason="no tests")
    if not correctness_pairs:
        return _by_speed(verdicts, speed_factor, min_cpu_ms, max_pairs)
    correct = all_tests(verdicts, max_pairs=max_pairs).candidates
    fast = _by_speed(verdicts, speed_factor, min_cpu_ms, (max_pairs + 1) // 2 if correct else max_pairs)
    correct = correct[: max(1, max_pairs - len(fast.candidates))]
    named = [replace(one, evidence={"ground": "tests", **one.evidence}) for one in correct]
    return Choice((*named, *fast.candidates), fast.reason)


def _by_speed(verdicts: RuleInput, factor: float, min_cpu_ms: float, most: int) -> Choice:
    """Return at most `most` pairs by speed, or the reason why there are none."""
    if not verdicts.cpu_SR.size:
        return Choice(reason="no CPU time was measured")
    measured_S = verdicts.passed_ST.all(axis=1) & ~np.isnan(verdicts.cpu_SR).any(axis=1)
    first_of_form: dict[str, int] = {}
    for row in np.flatnonzero(measured_S).tolist():
        first_of_form.setdefault(verdicts.form_S[row], row)
    rows = list(first_of_form.values())
    if len(rows) < 2:
        return Choice(reason="fewer than two right solutions whose CPU time was measured")
    factors = {
        (fast, slow): ratio
        for fast in rows
        for slow in rows
        if (ratio := _smallest_factor(verdicts.cpu_SR[fast], verdicts.cpu_SR[slow], min_cpu_ms)) >= factor
    }
    if not factors:
        return Choice(reason="no right solution is faster than another by speed_factor and min_cpu_ms in each repeat")
    return Choice(tuple(_candidate(verdicts, pair, factors[pair]) for pair in _in_turn(factors, most)))


def _smallest_factor(fast_R: npt.NDArray[np.float64], slow_R: npt.NDArray[np.float64], min_cpu_ms: float) -> float:
    """Return the smallest ratio slow / fast of a repeat, or 0 if a repeat has a difference below `min_cpu_ms`."""
    if (slow_R - fast_R < min_cpu_ms).any():
        return 0.0
    return float((slow_R / np.maximum(fast_R, 1e-3)).min())


def _in_turn(factors: dict[tuple[int, int], float], most: int) -> list[tuple[int, int]]:
    """Return at most `most` pairs (fast row, slow row).

    Each pair has the largest factor among the remaining pairs whose solutions are in the fewest earlier pairs, on the
    same side.
    """
    remaining = sorted(factors, key=lambda pair: (-factors[pair], pair))
    uses: Counter[tuple[bool, int]] = Counter()
    ordered: list[tuple[int, int]] = []
    while remaining and len(ordered) < most:
        best = min(remaining, key=lambda pair: uses[True, pair[0]] + uses[False, pair[1]])
        remaining.remove(best)
        ordered.append(best)
        uses.update([(True, best[0]), (False, best[1])])
    return ordered


def _candidate(verdicts: RuleInput, pair: tuple[int, int], factor: float) -> Candidate:
    fast, slow = (float(np.median(verdicts.cpu_SR[row])) for row in pair)
    evidence = {"ground": "speed", "chosen_cpu_ms": fast, "rejected_cpu_ms": slow, "speed_factor": factor}
    return Candidate(*pair, 1 - 1 / factor, evidence=evidence)


RULE = PairingRule(speed, tests="true", speed=True)
