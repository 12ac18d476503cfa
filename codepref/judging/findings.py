"""What ruff and radon report about a program, as plain records. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule of ruff that a program breaks.

    code: the rule's code. message: ruff's message for the first place. count: the number of places.
    """

    code: str
    message: str
    count: int


@dataclass(frozen=True, slots=True)
class Lint:
    """ruff's results for a program. reformatted: the share of lines that `ruff format` would change, in [0, 1]."""

    findings: tuple[Finding, ...] = ()
    reformatted: float = 0.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """radon's metrics of a program.

    cyclomatic: McCabe's complexity of the most complex function, 1 without any branch (McCabe 1976). volume,
    difficulty: Halstead's figures of the whole program (Halstead 1977); the volume is in bits.
    """

    cyclomatic: int = 1
    volume: float = 0.0
    difficulty: float = 0.0
