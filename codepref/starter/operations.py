"""The operations of the starter's grammar: small operations on lists, strings, words, dicts and numbers.

An operation turns a value of one kind into a value of the same or another kind. It has phrases (descriptions for
instructions) and forms (Python expressions with equal behaviour). `data/operations.tsv` lists the operations of each
pair of kinds from common to rare, and the phrases and forms of an operation in the same order. The corpus uses common
ones more often, as people do, so the model knows the first ones well and the last ones badly.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

Kind = Literal["list", "string", "words", "dict", "number"]

VARIABLES: dict[Kind, str] = {"list": "xs", "string": "s", "words": "ws", "dict": "d", "number": "n"}
_TABLE = Path(__file__).parent / "data" / "operations.tsv"


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a program. In `forms`, `@` is the variable that holds the value.

    rank: the place among the operations with the same source and target kind, from 0 (common) to rare.
    """

    name: str
    source: Kind
    target: Kind
    phrases: tuple[str, ...]
    forms: tuple[str, ...]
    rank: int


@functools.cache
def load_operations() -> tuple[Operation, ...]:
    """All operations, in the order of the table."""
    operations: list[Operation] = []
    seen: dict[tuple[str, str], int] = {}
    for line in _TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        name, source, target, phrases, forms = line.split("\t")
        rank = seen[source, target] = seen.get((source, target), -1) + 1
        operations.append(
            Operation(
                name,
                cast(Kind, source),
                cast(Kind, target),
                tuple(phrases.split(" ; ")),
                tuple(forms.split(" ; ")),
                rank,
            )
        )
    return tuple(operations)
