"""Draws parts of a matrix of verdicts, and measures the pairs that rules choose from them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.pairs.sources import Measured, Setting, Source
from codepref.evaluation.calibration import expected_calibration_error
from codepref.execution.execute import read_verdicts
from codepref.pairing.hygiene import count_in_share
from codepref.pairing.pair import pair
from codepref.pairing.rules import RULES
from codepref.pairing.rules.base import RuleInput
from codepref.problems.statements import read_statements

SHARES = (0.2, 0.3)
"""The shares of all problems and draws at which precision is measured."""


class Answer(NamedTuple):
    """What a rule chose from one draw: the confidence of the pair, or -1 for no pair, and whether the pair is right."""

    confidence: float
    right: bool


NO_PAIR = Answer(-1.0, False)


def draws_of(source: Source, setting: Setting) -> Iterator[tuple[RuleInput, npt.NDArray[np.bool_]] | None]:
    """Yield the draws of each problem, problem by problem. A draw says which of its solutions are right.

    The draws are the same in each call. For a problem that is None in `source.problems`, each draw is None.
    """
    generator = np.random.default_rng(0)
    for problem in source.problems:
        for _ in range(setting[2]):
            yield _draw(problem, setting, generator, replace=source.replace) if problem else None


def _draw(
    problem: Measured, setting: Setting, generator: np.random.Generator, *, replace: bool
) -> tuple[RuleInput, npt.NDArray[np.bool_]]:
    """Draw J solutions, and K tests with replacement.

    The chance of a test is proportional to how often the model wrote it. A test that is drawn twice has weight 2.
    replace: whether the solutions are drawn with replacement. Otherwise no more are drawn than there are.
    """
    verdicts, (solutions, tests, _) = problem.verdicts, setting
    count = len(verdicts.passed_ST)
    rows = generator.choice(count, solutions if replace else min(solutions, count), replace=replace)
    share_T = verdicts.weight_T / verdicts.weight_T.sum()
    columns, counts = np.unique(generator.choice(len(share_T), tests, p=share_T), return_counts=True)
    part = verdicts.part(rows, columns, weight_T=counts, seed=int(generator.integers(2**62)))
    return part, problem.right_S[rows]


def answers_of(source: Source, rule: str, setting: Setting) -> list[Answer]:
    """Return what a rule chooses for each problem and draw, problem by problem."""
    answers = []
    for drawn in draws_of(source, setting):
        candidates = RULES.load(rule).choose(drawn[0]).candidates if drawn else ()
        if drawn and candidates:
            right = bool(drawn[1][candidates[0].chosen] and not drawn[1][candidates[0].rejected])
            answers.append(Answer(candidates[0].confidence, right))
        else:
            answers.append(NO_PAIR)
    return answers


def measured(source: Source, rules: Sequence[str]) -> dict[str, Any]:
    """Return the number of problems of a source, and the figures of each rule in each of its settings."""
    result: dict[str, Any] = {"problems": len(source.problems)}
    for setting in source.settings:
        rows = {rule: figures(answers_of(source, rule, setting), draws=setting[2]) for rule in rules}
        result[f"{setting[0]}x{setting[1]}"] = {"possible": possible(source, setting), "rules": rows}
    return result


def possible(source: Source, setting: Setting) -> float:
    """Return the share of draws that hold a right and a wrong solution. A right pair can be made only from these."""
    return float(
        np.mean([drawn is not None and len(set(drawn[1].tolist())) == 2 for drawn in draws_of(source, setting)])
    )


def figures(answers: Sequence[Answer], draws: int) -> dict[str, Any]:
    """Return the number of pairs, the share that is right, their calibration error, its floor, and the precisions.

    There is a precision for each of SHARES: [value, low, high], with a 95% bootstrap interval over problems. The floor
    is that of `calibration_floor`. draws: the number of answers that belong to one problem.
    """
    confidence = np.array([answer.confidence for answer in answers])
    right = np.array([answer.right for answer in answers])
    paired = confidence >= 0
    error = expected_calibration_error(confidence[paired], right[paired])
    generator = np.random.default_rng(0)
    problems = np.arange(len(answers)).reshape(-1, draws)
    samples = [problems[generator.integers(len(problems), size=len(problems))].ravel() for _ in range(1000)]
    result: dict[str, Any] = {"pairs": int(paired.sum()), "right": float(right[paired].mean()), "ece": error}
    result["ece floor"] = calibration_floor(confidence.reshape(-1, draws))
    for share in SHARES:
        resampled = [precision(confidence[rows], right[rows], share) for rows in samples]
        low, high = np.quantile(resampled, [0.025, 0.975])
        result[f"at {share:.0%}"] = [precision(confidence, right, share), float(low), float(high)]
    return result


def calibration_floor(confidence_PD: npt.NDArray[np.float64]) -> float:
    """Return the calibration error to expect of a calibrated confidence with this number of problems.

    confidence_PD: one row for each problem, one column for each draw, -1 for no pair. The result is the mean of 200
    simulations, in which the chance that a pair is right is its confidence. One random number decides all draws of a
    problem, since they share the problem's solutions. So the draws of a problem are as dependent as can be.
    """
    generator = np.random.default_rng(0)
    paired = confidence_PD >= 0
    errors = [
        expected_calibration_error(
            confidence_PD[paired], (generator.random((len(confidence_PD), 1)) < confidence_PD)[paired]
        )
        for _ in range(200)
    ]
    return float(np.mean(errors))


def precision(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], share: float) -> float:
    """Return the share of right pairs among the most confident `share` of all answers. A seeded draw breaks ties."""
    among_equals = np.random.default_rng(0).random(len(confidence))
    kept = np.lexsort((among_equals, -confidence))[: count_in_share(share, len(confidence))]
    return float(right[kept].mean())


def selection_seconds(out: Path, rule: str) -> float:
    """Return the seconds that it takes to read all verdicts in `out`/own and to choose pairs from them by `rule`."""
    problems = read_statements(out / "own")
    start = time.perf_counter()
    pair(read_verdicts(out / "own"), problems, rule=rule)
    return time.perf_counter() - start
