"""The rule `near-miss`: it pairs right programs with wrong programs that differ little from them. Pure."""

from __future__ import annotations

from collections import Counter

import numpy as np

from codepref.pairing.rules.base import Candidate, Choice, PairingRule, RuleInput
from codepref.problems.tokens import code_tokens, edit_distance


def near_miss(verdicts: RuleInput, *, max_pairs: int = 4, max_edit_share: float = 1.0) -> Choice:
    """Pair solutions that pass every test with solutions that fail a test and differ little from them.

    The distance of a pair is the edit distance between the tokens of the two programs as they were written, without
    comments; see `codepref.problems.tokens`. The rule proposes the `max_pairs` pairs with the smallest distances. Among
    equal distances, it prefers programs that are in the fewest pairs so far, and then the seed decides. Programs with
    equal normal forms count as one program. A pair uses those of their texts that are nearest to each other.

    max_edit_share: the largest distance of a pair, as a share of the tokens of the longer program. 1 allows any
    distance.

    The confidence is 1, since the tests are taken to be right. A solution with a cell that did not run can be rejected
    if it failed another test, and is otherwise not used. Target-DPO (arXiv 2503.02783) trains on similar programs too,
    and makes them by repairing a program step by step.
    """
    if verdicts.passed_ST.shape[1] == 0:
        return Choice(reason="no tests")
    passing = np.flatnonzero(verdicts.passed_ST.all(axis=1)).tolist()
    failing = np.flatnonzero(verdicts.failed_ST.any(axis=1)).tolist()
    if not passing:
        return Choice(reason="no solution passes all tests")
    if not failing:
        return Choice(reason="no solution fails a test")
    tokens_S = [code_tokens(text) for text in verdicts.program_S or verdicts.form_S]
    distances = _nearest_texts(verdicts, passing, failing, tokens_S)
    if not distances:
        return Choice(reason="the right and the wrong solutions have the same normal form")
    longer = {pair: max(len(tokens_S[pair[0]]), len(tokens_S[pair[1]]), 1) for pair in distances}
    near = {pair: steps for pair, steps in distances.items() if steps <= max_edit_share * longer[pair]}
    if not near:
        return Choice(reason="no right and wrong solution differ by at most max_edit_share")
    return Choice(
        tuple(
            Candidate(*pair, 1.0, evidence={"edit_distance": near[pair], "edit_share": near[pair] / longer[pair]})
            for pair in _smallest(near, max_pairs, verdicts)
        )
    )


def _nearest_texts(
    verdicts: RuleInput, passing: list[int], failing: list[int], tokens_S: list[tuple[str, ...]]
) -> dict[tuple[int, int], int]:
    """Return a dictionary from the rows of a right and a wrong program to the distance of the two programs.

    Each combination of a right and a wrong normal form has one entry, with the rows of the two nearest texts. A right
    and a wrong program with equal normal forms have no entry.
    """
    known: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = {}
    nearest: dict[tuple[str, str], tuple[int, int, int]] = {}
    for chosen in passing:
        for rejected in failing:
            forms = verdicts.form_S[chosen], verdicts.form_S[rejected]
            if forms[0] == forms[1]:
                continue
            texts = tokens_S[chosen], tokens_S[rejected]
            if texts not in known:
                known[texts] = edit_distance(*texts)
            nearest[forms] = min(nearest.get(forms, (known[texts], chosen, rejected)), (known[texts], chosen, rejected))
    return {(chosen, rejected): steps for steps, chosen, rejected in nearest.values()}


def _smallest(distances: dict[tuple[int, int], int], most: int, verdicts: RuleInput) -> list[tuple[int, int]]:
    """Return at most `most` pairs, those with the smallest distances.

    Among equal distances, pairs whose programs are in the fewest returned pairs come first, and then the seed decides.
    """
    shuffled = np.random.default_rng(verdicts.seed).permutation(len(distances))
    pairs = [list(distances)[at] for at in shuffled]
    uses: Counter[tuple[bool, str]] = Counter()
    kept: list[tuple[int, int]] = []
    while pairs and len(kept) < most:
        sides = {pair: ((True, verdicts.form_S[pair[0]]), (False, verdicts.form_S[pair[1]])) for pair in pairs}
        best = min(pairs, key=lambda pair: (distances[pair], sum(uses[side] for side in sides[pair])))
        pairs.remove(best)
        kept.append(best)
        uses.update(sides[best])
    return kept


RULE = PairingRule(near_miss, tests="true")
