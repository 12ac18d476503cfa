"""Splits the problems by a seed. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.real_model.settings import HELDOUT, SPLIT_SEED, VALIDATION, Sizes
from codepref.errors import UserError
from codepref.problems.contamination import overlaps, problem_text
from codepref.records import Problem


@dataclass(frozen=True)
class Split:
    """The problems by their use.

    heldout: the held-out problems of both sets. contaminated: the ids of problems that are left out of `train` because
    they contain a held-out problem.
    """

    train: list[Problem]
    validation: list[Problem]
    heldout: list[Problem]
    contaminated: list[str]


def split(mbpp: Sequence[Problem], humaneval: Sequence[Problem], sizes: Sizes, seed: int = SPLIT_SEED) -> Split:
    """Split MBPP+ into training, validation and held-out problems, and add HumanEval+ to the held-out ones.

    The ids of the problems and the seed decide the part of each problem, so the order of the files has no influence. A
    limit in `sizes` takes the first problems of a part, and never moves a problem to another part. Training problems
    that contain a held-out problem are left out, whatever the limits are. Raises UserError if no training problem
    remains.
    """
    mixed = shuffled(mbpp, seed)
    validation, heldout, train = mixed[:VALIDATION], mixed[VALIDATION:][:HELDOUT], mixed[VALIDATION + HELDOUT :]
    second = shuffled(humaneval, seed)
    found = {one.name for one in overlaps(map(problem_text, train), [*heldout, *second])}
    clean = [problem for problem in train if problem.task_id not in found]
    if not clean:
        raise UserError(f"MBPP+ must hold more than {VALIDATION + HELDOUT} problems that contain no held-out problem")
    return Split(
        clean[: sizes.train or None],
        validation[: sizes.validation or None],
        [*heldout[: sizes.heldout or None], *second[: sizes.heldout or None]],
        sorted(found),
    )


def shuffled(problems: Sequence[Problem], seed: int) -> list[Problem]:
    """Return the problems in an order that only their ids and the seed decide."""
    ordered = sorted(problems, key=lambda problem: problem.task_id)
    random.Random(seed).shuffle(ordered)
    return ordered
