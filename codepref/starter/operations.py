"""The operations of the starter's grammar: small operations on lists, strings, words, dicts and numbers.

An operation turns a value of one kind into a value of the same or another kind. It has phrases (descriptions for
instructions) and forms (Python expressions with equal behaviour). `data/operations.tsv` lists the operations of each
pair of kinds from common to rare. It lists the phrases and forms of an operation from common to rare too. The corpus
uses common operations, phrases and forms more often than rare ones.
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
    """One step of a program, from a value of the kind `source` to a value of the kind `target`.

    Attributes: in `forms`, `@` stands for the variable that holds the value. `rank` is the operation's place
    among the operations with the same source and target, from 0 for the most common one.
    """

    name: str
    source: Kind
    target: Kind
    phrases: tuple[str, ...]
    forms: tuple[str, ...]
    rank: int


@functools.cache
def load_operations() -> tuple[Operation, ...]:
    """Return all operations, in the order of the table."""
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
