"""Records of what ruff and radon report about a program. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule of ruff that a program breaks.

    Attributes:
    code: the rule's code, such as "F401". A syntax error has ruff's code "invalid-syntax", or "syntax" if ruff gives
        none.
    message: ruff's message for the first place.
    count: the number of places at which the program breaks the rule.
    """

    code: str
    message: str
    count: int


@dataclass(frozen=True, slots=True)
class Lint:
    """ruff's results for a program.

    Attributes:
    findings: the rules that the program breaks.
    reformatted: the share of lines that `ruff format` would change, in [0, 1]. The kind of quotes does not count.
    """

    findings: tuple[Finding, ...] = ()
    reformatted: float = 0.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """radon's metrics of a program.

    Attributes:
    cyclomatic: the cyclomatic complexity of the most complex function or class (McCabe 1976), and 1 without functions
        and classes.
    volume: the Halstead volume of the whole program, in bits (Halstead 1977), as radon counts it.
    difficulty: the Halstead difficulty of the whole program, as radon counts it.
    """

    cyclomatic: int = 1
    volume: float = 0.0
    difficulty: float = 0.0
