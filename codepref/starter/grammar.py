"""The starter's grammar. A specification is a chain of one to three operations, and it defines a function's behaviour.

Specifications whose values on all probes of their kind have the same text (`repr`) count as the same behaviour, and
only a shortest one of them is kept. The true tests of a problem check the values on the same probes. Equal dicts whose
keys are in another order have different texts. So several specifications can remain that return equal dicts on all
probes. For seven behaviours, such specifications are in two splits.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from codepref.starter.operations import VARIABLES, Kind, Operation, load_operations

Split = Literal["pretrain", "train", "validation", "heldout"]

SPLIT_SIZES: dict[Split, tuple[int, int, int]] = {
    "heldout": (10, 140, 90),
    "validation": (5, 70, 45),
    "train": (24, 576, 600),
}
"""Problems with one, two and three steps in each split. All other specifications form the split "pretrain"."""

PROBES: dict[Kind, tuple[Any, ...]] = {
    "list": (
        [3, 1, 2],
        [],
        [0],
        [5, -2, 7, 7, 4],
        [-3, -1, -8],
        [6, 6, 1, 9],
        [2, 0, 5, -7, 3, 8],
        [1],
        [4, 12, -9, 0, 0, 5],
        [-6, 10, 3, -4],
        [8, 7, 6, 5],
        [2, 4, 9, 4],
    ),
    "string": (
        "cat",
        "",
        "a",
        "house",
        "banana",
        "level",
        "sky",
        "orange",
        "keep",
        "umbrella",
        "io",
        "feather",
    ),
    "words": (
        ["dog", "apple", "sun"],
        [],
        ["a"],
        ["tree", "ice", "tree", "book"],
        ["moon", "egg", "banana", "ant"],
        ["red", "over", "lamp"],
        ["queen", "up"],
        ["zoo", "yes", "area", "be", "zoo"],
        ["oak", "stone", "pea", "fish"],
        ["water", "gem", "eel"],
        ["ox"],
        ["tiny", "ape", "use", "hill"],
    ),
    "dict": (
        {"cat": 3, "owl": 1},
        {},
        {"a": 2},
        {"tree": 5, "bee": 8, "sea": 2},
        {"ink": 4, "apple": 4},
        {"zoo": 0, "hat": 7, "egg": 1},
        {"moon": 6, "ant": -3},
        {"d": 1, "c": 2, "b": 3, "a": 4},
        {"rain": 9, "up": 3, "nest": 3},
        {"lake": -2, "area": 10},
        {"sun": 5},
        {"pea": 2, "banana": 1, "kite": 6},
    ),
    "number": (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 15),
}
"""The inputs on which behaviours are compared, and from which true tests are made."""

MAX_STEPS = 3
"""Largest number of operations in a specification."""

MAX_VALUE_CHARS = 60
"""Largest number of characters of a value on the probes, in Python's notation."""

MIN_DISTINCT_VALUES = 6
"""Least number of different values that a specification has on the probes."""

_STEP3_SHARE = 0.06
"""Approximate share of the chains of three operations that are considered. They are drawn at random."""


@dataclass(frozen=True, slots=True)
class Specification:
    """A chain of operations, and its values on the probes of its kind."""

    steps: tuple[Operation, ...]
    values: tuple[Any, ...]

    @property
    def kind(self) -> Kind:
        """The kind of value that the function takes."""
        return self.steps[0].source

    @property
    def name(self) -> str:
        """The unique name of the specification."""
        return ".".join(step.name for step in self.steps)


@functools.cache
def step_function(form: str) -> Callable[[Any], Any]:
    """Return a function of one argument that evaluates the expression `form`, in which `@` stands for the argument."""
    function: Callable[[Any], Any] = eval(f"lambda value: {form.replace('@', 'value')}")
    return function


@functools.cache
def load_specifications() -> tuple[Specification, ...]:
    """Return one specification for each behaviour, those with the fewest operations first. The first call is slow."""
    kept: dict[tuple[str, str], Specification] = {}
    for specification in _candidates():
        key = (specification.kind, _signature(specification.values))
        kept.setdefault(key, specification)
    return tuple(kept.values())


@functools.cache
def split_specifications(split: Split) -> tuple[Specification, ...]:
    """Return the specifications of one split, in a fixed order."""
    shuffled = list(load_specifications())
    random.Random(20261120).shuffle(shuffled)
    pools = [[item for item in shuffled if len(item.steps) == steps] for steps in range(1, MAX_STEPS + 1)]
    for name, sizes in SPLIT_SIZES.items():
        taken = [item for pool, size in zip(pools, sizes, strict=True) for item in pool[:size]]
        if name == split:
            random.Random(name).shuffle(taken)
            return tuple(taken)
        pools = [pool[size:] for pool, size in zip(pools, sizes, strict=True)]
    return tuple(itertools.chain(*pools))


def reference(specification: Specification, entry_point: str, form_choice: Callable[[Operation], int]) -> str:
    """Return a program for the specification, with one line for each step after the `def` line.

    `form_choice` returns the index of the form that is used for a step.
    """
    lines = [f"def {entry_point}({VARIABLES[specification.kind]}):"]
    for place, step in enumerate(specification.steps):
        expression = step.forms[form_choice(step)].replace("@", VARIABLES[step.source])
        last = place == len(specification.steps) - 1
        lines.append(f"    return {expression}" if last else f"    {VARIABLES[step.target]} = {expression}")
    return "\n".join(lines)


def run_steps(specification: Specification, value: Any) -> Any:
    """Return the specification's value on one input."""
    for step in specification.steps:
        value = step_function(step.forms[0])(value)
    return value


def _signature(values: tuple[Any, ...]) -> str:
    """Return the values in Python's notation. Equal dicts whose keys are in another order give different texts."""
    return repr(values)


def _candidates() -> Iterator[Specification]:
    """Yield the chains of one and two operations that `_extend` accepts, and a share of those of three operations."""
    by_source: dict[Kind, list[Operation]] = {}
    for operation in load_operations():
        by_source.setdefault(operation.source, []).append(operation)
    generator = random.Random(7)
    level = [Specification((), PROBES[kind]) for kind in PROBES]
    kinds: list[Kind] = list(PROBES)
    for steps in range(1, MAX_STEPS + 1):
        grown: list[Specification] = []
        for kind, specification in zip(kinds, level, strict=True):
            for operation in by_source[kind]:
                if steps == MAX_STEPS and generator.random() > _STEP3_SHARE:
                    continue
                values = _extend(specification.values, operation)
                if values is not None:
                    grown.append(Specification((*specification.steps, operation), values))
        yield from grown
        level = grown
        kinds = [specification.steps[-1].target for specification in level]


def _extend(values: tuple[Any, ...], operation: Operation) -> tuple[Any, ...] | None:
    """Return the values after one more operation, or None if a value is too long or too few values differ."""
    function = step_function(operation.forms[0])
    extended = tuple(map(function, values))
    texts = list(map(repr, extended))
    if max(map(len, texts)) > MAX_VALUE_CHARS or len(set(texts)) < MIN_DISTINCT_VALUES:
        return None
    return extended


def neighbours(specification: Specification) -> Iterator[Specification]:
    """Yield the other specifications that take the same kind of value."""
    return itertools.filterfalse(
        lambda other: other is specification or other.kind != specification.kind, load_specifications()
    )
