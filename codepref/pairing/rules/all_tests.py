"""The rule `all-tests`: it pairs solutions that pass all true tests with solutions that fail at least one. Pure."""

from __future__ import annotations

import numpy as np

from codepref.pairing.rules.base import Candidate, Choice, PairingRule, RuleInput


def all_tests(verdicts: RuleInput, *, max_pairs: int = 4) -> Choice:
    """Pair solutions that pass every test with solutions that fail at least one.

    "Aligning CodeLLMs with Direct Preference Optimization" (arXiv 2410.18585) calls a solution positive if it passes
    all tests of its problem, and negative if it fails one. codepref decides how these solutions are paired. This
    rule proposes up to `max_pairs` pairs. It draws them with the seed, so that each solution is used as rarely as
    possible. Of solutions with equal normal forms, only the first is used. The confidence is 1, since the tests are
    taken to be right. A solution with a cell that did not run can be rejected if it failed another test, and is
    otherwise not used.
    """
    if verdicts.passed_ST.shape[1] == 0:
        return Choice(reason="no tests")
    first_of_form: dict[str, int] = {}
    for row, form in enumerate(verdicts.form_S):
        first_of_form.setdefault(form, row)
    distinct = np.array(sorted(first_of_form.values()), dtype=np.int64)
    passing = distinct[verdicts.passed_ST[distinct].all(axis=1)]
    failing = distinct[verdicts.failed_ST[distinct].any(axis=1)]
    if len(passing) == 0:
        return Choice(reason="no solution passes all tests")
    if len(failing) == 0:
        return Choice(reason="no solution fails a test")
    generator = np.random.default_rng(verdicts.seed)
    passing, failing = generator.permutation(passing), generator.permutation(failing)
    # Each step takes the next passing and the next failing solution. Both lists start again at their ends, so the same
    # pairs would return after lcm(lengths) steps. Each such lap therefore shifts the failing solutions by one more.
    count = min(max_pairs, len(passing) * len(failing))
    candidates = []
    for step in range(count):
        lap = step // np.lcm(len(passing), len(failing))
        chosen, rejected = passing[step % len(passing)], failing[(step + lap) % len(failing)]
        share_passed = float(verdicts.passed_ST[rejected].mean())
        candidates.append(Candidate(int(chosen), int(rejected), 1.0, evidence={"rejected_pass_share": share_passed}))
    return Choice(tuple(candidates))


RULE = PairingRule(all_tests, tests="true")
