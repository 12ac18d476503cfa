"""Tests of the starter's grammar: its size, its reference programs and tests, and its splits."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pytest

from codepref.errors import UserError
from codepref.records import Problem
from codepref.starter import load_problems
from codepref.starter.corpus import draw_examples, instruction
from codepref.starter.grammar import PROBES, load_specifications, reference, run_steps, split_specifications
from codepref.starter.operations import load_operations

SPLITS = ("heldout", "validation", "train", "pretrain")


def passes(program: str, problem: Problem) -> list[bool]:
    """Return for each test whether the program passes it. The programs are codepref's own, so they need no sandbox."""
    space: dict[str, Any] = {}
    exec(program, space)
    verdicts = []
    for test in problem.tests:
        try:
            exec(test.source, space)
            verdicts.append(True)
        except Exception:  # noqa: BLE001 - any exception is a failed test
            verdicts.append(False)
    return verdicts


def test_specifications_are_distinct_and_numerous() -> None:
    names = [specification.name for specification in load_specifications()]
    assert len(set(names)) == len(names) >= 1500
    assert len(load_problems("heldout")) >= 200
    assert len(load_problems("train")) >= 300
    assert len({step for name in names for step in name.split(".")}) > 100


def test_splits_share_neither_behaviour_nor_task_id() -> None:
    behaviours: dict[tuple[str, str], str] = {}
    for split in SPLITS:
        for specification in split_specifications(split):
            key = (specification.kind, repr(specification.values))
            assert key not in behaviours, (
                f"{specification.name} in {split} behaves like a specification in {behaviours[key]}"
            )
            behaviours[key] = split
    ids = [problem.task_id for split in SPLITS for problem in load_problems(split)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("split", ["heldout", "train"])
def test_every_reference_passes_at_least_eight_tests(split: Any) -> None:
    for problem in load_problems(split):
        assert problem.gold is not None
        assert problem.entry_point in problem.prompt
        assert len(problem.tests) >= 8
        assert all(passes(problem.gold, problem)), problem.task_id


def test_all_forms_of_an_operation_have_the_same_behaviour() -> None:
    """Programs with randomly chosen forms give the same values as those with the first forms."""
    generator = random.Random(3)
    for specification in generator.sample(load_specifications(), 400):
        program = reference(specification, "f", lambda step: generator.randrange(len(step.forms)))
        space: dict[str, Any] = {}
        exec(program, space)
        for value, expected in zip(PROBES[specification.kind], specification.values, strict=True):
            assert space["f"](value) == expected, program
    used = {step.name for specification in load_specifications() for step in specification.steps}
    assert used == {operation.name for operation in load_operations()}


def test_the_tests_of_a_problem_reject_every_other_behaviour() -> None:
    """Run the gold solutions of 300 drawn problems against the tests of 25 drawn problems of the same kinds."""
    problems = random.Random(5).sample(load_problems("heldout"), 25)
    pool = random.Random(6).sample(load_problems("pretrain"), 300)
    for problem in problems:
        others = [other for other in pool if other.meta["kind"] == problem.meta["kind"]]
        verdicts = []
        for other in others:
            program = (other.gold or "").replace(f"def {other.entry_point}(", f"def {problem.entry_point}(")
            verdicts.append(passes(program, problem))
        assert not any(all(line) for line in verdicts), problem.task_id
        assert all(not all(column) for column in zip(*verdicts, strict=True)), problem.task_id


def test_run_steps_agrees_with_the_values_written_into_tests() -> None:
    for specification in split_specifications("heldout")[:50]:
        values = tuple(run_steps(specification, value) for value in PROBES[specification.kind])
        assert values == specification.values


def test_loading_is_the_same_in_another_process() -> None:
    """The two processes have different seeds for hashes of strings."""
    script = (
        "import hashlib; from codepref.starter import load_problems; "
        "print(hashlib.sha256(repr(load_problems('heldout') + load_problems('train')).encode()).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


def test_loading_problems_imports_no_torch() -> None:
    script = (
        "import sys; from codepref.starter import load_problems; load_problems('train'); print('torch' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "False"


def test_a_limit_takes_the_first_problems_and_an_unknown_split_is_refused() -> None:
    assert load_problems("train", 7) == load_problems("train")[:7]
    with pytest.raises(UserError, match="choose one of"):
        load_problems("test")  # type: ignore[arg-type]


def test_one_specification_has_many_phrasings() -> None:
    specification = next(item for item in split_specifications("heldout") if len(item.steps) == 2)
    generator = random.Random(0)
    assert len({instruction(specification, "f", generator) for _ in range(200)}) > 20


def test_the_corpus_contains_no_held_out_problem() -> None:
    heldout = {
        frozenset(instruction(item, "f", random.Random(seed)).split(": ", 1)[1] for seed in range(3))
        for item in split_specifications("heldout")[:5]
    }
    seen = set()
    for example, _ in zip(draw_examples(seed=1, test_share=0.5), range(1500), strict=False):
        seen.add(example.prompt.split(": ", 1)[1])
    assert not any(words & seen for words in heldout)
