"""The sources of problems, solutions and self-written tests on which pair rules are measured.

A source is one model with one set of problems. Sources share neither the model nor the problems.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from codepref.api.sampling import sample_to_file
from codepref.execution.execute import execute
from codepref.execution.limits import Limits
from codepref.pairing.pair import rule_input
from codepref.pairing.rules.base import RuleInput
from codepref.problems.load import load_problems
from codepref.records import Problem, Solution
from codepref.sampling.answers import load_solutions, load_tests
from codepref.sampling.probes import with_probes
from codepref.storage.files import read_jsonl, write_jsonl

Setting = tuple[int, int, int]
"""J solutions, K tests, and the number of draws for each problem."""

ASSERTS_PER_COMPLETION = 5
PROBES = 60
TEST_SECONDS = 0.1
TRUE_SECONDS = 10.0
"""The limit `cpu_seconds` for the true tests. It is high, so that a correct but slow solution passes."""
STARTER_PROBLEMS = 250
PIECE = 30
"""The number of problems whose answers are in one file, so that an interrupted command repeats little."""


@dataclass(frozen=True)
class Measured:
    """One problem: the verdicts of the tests that the model wrote, and which solutions pass the true tests."""

    verdicts: RuleInput
    right_S: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Source:
    """The problems of one source, with what was measured on them.

    name: the key in the results. problems: the problems that have solutions. None stands for a problem without a
    self-written test or without verdicts of true tests. replace: whether solutions are drawn with replacement.
    """

    name: str
    problems: list[Measured | None]
    settings: tuple[Setting, ...]
    replace: bool = False


def codegen(data: Path, out: Path) -> Source:
    """Return the source of CodeGen-16B's solutions and tests of HumanEval problems, which were published with CodeT.

    The tests of HumanEval+ are the true tests. The verdicts are written to `out`.
    """
    folder = data / "codegen16b"
    problems = load_problems(folder / "problems.jsonl.gz")
    solutions = load_solutions(folder / "solutions.jsonl.gz", problems)
    known = {problem.task_id for problem in problems}
    true = [p for p in load_problems(data / "evalplus" / "HumanEvalPlus.jsonl.gz") if p.task_id in known]
    measured = _measured(problems, true, solutions, folder / "tests.jsonl.gz", out)
    return Source("codegen16b", measured, ((10, 50, 20), (100, 100, 4)), replace=True)


def starter(out: Path) -> Source:
    """Return the source of the starter's answers to problems of its split "train", whose tests are the true tests."""
    problems = load_problems("starter:train", limit=STARTER_PROBLEMS)
    measured = _sampled(problems, "starter", out, {"solutions": 20, "tests": 15}, 160)
    return Source("starter", measured, ((10, 50, 10),))


def mbpp(data: Path, model: Path, limit: int, out: Path) -> Source:
    """Return the source of a model's answers to `limit` problems of MBPP+, which a fixed seed chooses.

    The prompt holds one assert, as published. The tests of MBPP+ are the true tests.
    """
    problems = load_problems(data / "evalplus" / "MbppPlus.jsonl.gz")
    random.Random(0).shuffle(problems)
    measured = _sampled(problems[:limit], str(model), out, {"solutions": 12, "tests": 6}, 256)
    return Source("model", measured, ((10, 30, 10),))


def _sampled(
    problems: Sequence[Problem], model: str, out: Path, counts: dict[str, int], max_new_tokens: int
) -> list[Measured | None]:
    """Sample the answers that `out` lacks, run all solutions, and return what was measured.

    counts: for each kind of answer, the number of answers to each problem.
    """
    for kind, count in counts.items():
        rows = []
        for start in range(0, len(problems), PIECE):
            file = out / "samples" / f"{kind}{start // PIECE:02d}.jsonl"
            if not file.exists():
                piece = list(problems[start : start + PIECE])
                sample_to_file(piece, model, file, kind=kind, n=count, max_new_tokens=max_new_tokens)
            rows += [row for _, row in read_jsonl(file)]
        write_jsonl(out / f"{kind}.jsonl", rows)
    solutions = load_solutions(out / "solutions.jsonl", problems)
    return _measured(problems, problems, solutions, out / "tests.jsonl", out)


def _measured(
    problems: Sequence[Problem], true_problems: Sequence[Problem], solutions: list[Solution], tests: Path, out: Path
) -> list[Measured | None]:
    """Run all solutions against the self-written tests, probes and the true tests. Return the entries of `Source`."""
    written = load_tests(tests, problems, per_completion=ASSERTS_PER_COMPLETION).tests
    probed = with_probes(problems, written, PROBES)
    own = execute(problems, solutions, probed, limits=Limits(TEST_SECONDS), out=out / "own")
    true = execute(true_problems, solutions, limits=Limits(TRUE_SECONDS), out=out / "true")
    right = {matrix.task_id: np.array([verdict.correct is True for verdict in matrix.verdicts]) for matrix in true}
    measured: list[Measured | None] = []
    for matrix in own:
        verdicts = rule_input(matrix, 0)
        usable = verdicts.weight_T.sum() > 0 and matrix.task_id in right
        measured.append(Measured(verdicts, right[matrix.task_id]) if usable else None)
    return measured
