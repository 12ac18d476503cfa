"""Runs self-written tests, draws parts of the matrix of their verdicts, and measures the pairs that rules choose."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codepref.evaluation.calibration import expected_calibration_error
from codepref.execution.execute import execute, read_verdicts
from codepref.execution.limits import Limits
from codepref.pairing.hygiene import count_in_share
from codepref.pairing.pair import pair, rule_input
from codepref.pairing.rules import RULES
from codepref.pairing.rules.base import RuleInput
from codepref.problems.load import load_problems
from codepref.problems.statements import read_statements
from codepref.sampling.answers import load_solutions, load_tests
from codepref.sampling.probes import with_probes

SHARES = (0.2, 0.3)
"""The shares of all problems and draws at which precision is measured."""
SETTINGS = ((10, 50, 20), (100, 100, 4))
"""The measured settings: J solutions, K tests, and the number of draws for each problem."""
ASSERTS_PER_COMPLETION = 5
PROBES = 60
TEST_SECONDS = 0.1
TRUE_SECONDS = 10.0
"""The limit `cpu_seconds` for the true tests. It is high, so that a correct but slow solution passes."""


@dataclass(frozen=True)
class Measured:
    """One problem: the verdicts of the tests that the model wrote, and which solutions pass the true tests."""

    verdicts: RuleInput
    right_S: npt.NDArray[np.bool_]


class Answer(NamedTuple):
    """What a rule chose from one draw: the confidence of the pair, or -1 for no pair, and whether the pair is right."""

    confidence: float
    right: bool


def execute_all(data: Path, out: Path) -> list[Measured | None]:
    """Run all solutions against the self-written and the true tests. A problem without self-written tests is None."""
    problems = load_problems(data / "codegen16b" / "problems.jsonl.gz")
    solutions = load_solutions(data / "codegen16b" / "solutions.jsonl.gz", problems)
    tests = load_tests(data / "codegen16b" / "tests.jsonl.gz", problems, per_completion=ASSERTS_PER_COMPLETION).tests
    probed = with_probes(problems, tests, PROBES)
    own = execute(problems, solutions, probed, limits=Limits(TEST_SECONDS), out=out / "own")
    known = {problem.task_id for problem in problems}
    true_problems = [p for p in load_problems(data / "evalplus" / "HumanEvalPlus.jsonl.gz") if p.task_id in known]
    true = execute(true_problems, solutions, limits=Limits(TRUE_SECONDS), out=out / "true")
    right = {matrix.task_id: np.array([v.correct is True for v in matrix.verdicts]) for matrix in true}
    measured: list[Measured | None] = []
    for matrix in own:
        verdicts = rule_input(matrix, 0)
        measured.append(Measured(verdicts, right[matrix.task_id]) if verdicts.weight_T.sum() else None)
    return measured


def draw(
    verdicts: RuleInput, solutions: int, tests: int, generator: np.random.Generator
) -> tuple[RuleInput, npt.NDArray[np.intp]]:
    """Draw solutions and tests with replacement. Return this part of the matrix, and the rows of the drawn solutions.

    The chance of a test is proportional to how often the model wrote it. A test that is drawn twice has weight 2.
    """
    rows = generator.choice(len(verdicts.passed_ST), solutions)
    share_T = verdicts.weight_T / verdicts.weight_T.sum()
    columns, counts = np.unique(generator.choice(len(share_T), tests, p=share_T), return_counts=True)
    return verdicts.part(rows, columns, weight_T=counts, seed=int(generator.integers(2**62))), rows


def answers_of(problems: Sequence[Measured | None], rule: str, setting: tuple[int, int, int]) -> Iterator[Answer]:
    """Yield what a rule chooses for each problem and draw, problem by problem. All rules get the same draws."""
    solutions, tests, draws = setting
    generator = np.random.default_rng(0)
    for problem in problems:
        for _ in range(draws):
            if problem is None:
                yield Answer(-1.0, False)
                continue
            part, rows = draw(problem.verdicts, solutions, tests, generator)
            candidates = RULES.load(rule).choose(part).candidates
            if not candidates:
                yield Answer(-1.0, False)
                continue
            chosen, rejected = rows[candidates[0].chosen], rows[candidates[0].rejected]
            yield Answer(candidates[0].confidence, bool(problem.right_S[chosen] and not problem.right_S[rejected]))


def figures(answers: Sequence[Answer], draws: int) -> dict[str, Any]:
    """Return the number of pairs, the share that is right, their calibration error, and the precisions at SHARES.

    A precision is [value, low, high], with a 95% bootstrap interval over problems. draws: the number of answers that
    belong to one problem.
    """
    confidence = np.array([answer.confidence for answer in answers])
    right = np.array([answer.right for answer in answers])
    paired = confidence >= 0
    error = expected_calibration_error(confidence[paired], right[paired])
    generator = np.random.default_rng(0)
    problems = np.arange(len(answers)).reshape(-1, draws)
    samples = [problems[generator.integers(len(problems), size=len(problems))].ravel() for _ in range(1000)]
    result: dict[str, Any] = {"pairs": int(paired.sum()), "right": float(right[paired].mean()), "ece": error}
    for share in SHARES:
        resampled = [precision(confidence[rows], right[rows], share) for rows in samples]
        low, high = np.quantile(resampled, [0.025, 0.975])
        result[f"at {share:.0%}"] = [precision(confidence, right, share), float(low), float(high)]
    return result


def precision(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], share: float) -> float:
    """Return the share of right pairs among the most confident `share` of all answers. A seeded draw breaks ties."""
    among_equals = np.random.default_rng(0).random(len(confidence))
    kept = np.lexsort((among_equals, -confidence))[: count_in_share(share, len(confidence))]
    return float(right[kept].mean())


def selection_seconds(out: Path, rule: str) -> float:
    """Return the seconds that it takes to read the verdicts of the whole matrix and to choose pairs from them."""
    problems = read_statements(out / "own")
    start = time.perf_counter()
    pair(read_verdicts(out / "own"), problems, rule=rule)
    return time.perf_counter() - start
