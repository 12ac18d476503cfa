"""Passing solutions against failing ones, by tests that are known to be right (arXiv 2410.18585). Pure."""

from __future__ import annotations

import numpy as np

from codepref.pairing.rules import Candidate, Choice, RuleInput


def all_tests(given: RuleInput, *, max_pairs: int = 4) -> Choice:
    """Pair solutions that pass every test with solutions that were seen to fail one.

    "Aligning CodeLLMs with DPO" (arXiv 2410.18585) calls a solution positive when it passes all tests of its problem
    and negative when it fails. Ours to choose: several pairs a problem up to `max_pairs`, drawn with the seed so that
    each solution is used as seldom as possible, and answers of one normal form counted as one; confidence 1, since the
    tests are taken to be true. A solution with a cell that was neither passed nor seen to fail is used only if
    another cell failed.
    """
    if given.passed_ST.shape[1] == 0:
        return Choice(reason="no tests")
    first_of_form: dict[str, int] = {}
    for row, form in enumerate(given.form_S):
        first_of_form.setdefault(form, row)
    distinct = np.array(sorted(first_of_form.values()), dtype=np.int64)
    passing = distinct[given.passed_ST[distinct].all(axis=1)]
    failing = distinct[given.failed_ST[distinct].any(axis=1)]
    if len(passing) == 0:
        return Choice(reason="no solution passes all tests")
    if len(failing) == 0:
        return Choice(reason="no solution fails a test")
    generator = np.random.default_rng(given.seed)
    passing, failing = generator.permutation(passing), generator.permutation(failing)
    # Walking both cycles side by side reaches every combination once each lcm steps; the offset moves on to the rest.
    count = min(max_pairs, len(passing) * len(failing))
    candidates = []
    for step in range(count):
        lap = step // np.lcm(len(passing), len(failing))
        chosen, rejected = passing[step % len(passing)], failing[(step + lap) % len(failing)]
        share_passed = float(given.passed_ST[rejected].mean())
        candidates.append(Candidate(int(chosen), int(rejected), 1.0, evidence={"rejected_pass_share": share_passed}))
    return Choice(tuple(candidates))
