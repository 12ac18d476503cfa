"""Makes the starter's problems: a specification becomes an instruction, a gold solution and true tests."""

from __future__ import annotations

import functools
import random

from codepref.errors import UserError
from codepref.records import Problem, Test
from codepref.starter.corpus import ENTRY_POINTS, assert_line, instruction
from codepref.starter.grammar import PROBES, SPLIT_SIZES, Specification, Split, reference, split_specifications


def load_problems(split: Split, limit: int | None = None) -> list[Problem]:
    """Return the problems of one split in a fixed order, or only the first `limit` of them.

    The starter model was trained on texts about the split "pretrain". "train" is for alignment, "validation" for the
    choice of settings, and "heldout" for the final scores. Apart from equal dicts whose keys are in another order, no
    behaviour is in two splits (see `codepref.starter.grammar`). A problem has the same phrasing and entry point in each
    call. Loading needs no torch and no network. Raises UserError for an unknown split.
    """
    if split != "pretrain" and split not in SPLIT_SIZES:
        raise UserError(f"starter has no split {split!r}; choose one of pretrain, {', '.join(SPLIT_SIZES)}")
    specifications = split_specifications(split)[:limit]
    return [_problem(split, place, specification) for place, specification in enumerate(specifications)]


def _problem(split: Split, place: int, specification: Specification) -> Problem:
    generator = random.Random(f"{split}/{place}")
    entry_point = generator.choice(ENTRY_POINTS)
    task_id = f"starter/{_numbers()[specification.name]}"
    lines = [
        assert_line(entry_point, value, expected)
        for value, expected in zip(PROBES[specification.kind], specification.values, strict=True)
    ]
    return Problem(
        task_id=task_id,
        prompt=instruction(specification, entry_point, generator),
        entry_point=entry_point,
        tests=tuple(Test(task_id, str(number), line) for number, line in enumerate(lines)),
        gold=reference(specification, entry_point, lambda step: 0) + "\n",
        style="instruct",
        meta={"split": split, "steps": [step.name for step in specification.steps], "kind": specification.kind},
    )


@functools.cache
def _numbers() -> dict[str, int]:
    """Return the number of each specification by its name. The numbers are unique over all splits."""
    splits: tuple[Split, ...] = ("heldout", "validation", "train", "pretrain")
    ordered = [specification for split in splits for specification in split_specifications(split)]
    return {specification.name: number for number, specification in enumerate(ordered)}
