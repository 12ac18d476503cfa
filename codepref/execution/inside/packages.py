"""Packages that a solution imports and that cost far more than a fork: loaded once by a zygote of their own."""

from __future__ import annotations

import contextlib
import os
import re
import sys

PACKAGES = ("PIL", "bs4", "matplotlib", "networkx", "numpy", "pandas", "requests", "scipy", "sklearn", "sympy")
"""Top-level packages alone: a submodule that one solution loads must not be there for the next one."""

# blanks of one line alone: across lines the search takes the square of their number
_IMPORTS = re.compile(rf"^[ \t\f]*(?:import|from)[ \t\f]+({'|'.join(PACKAGES)})\b", re.MULTILINE)


def imported(source: str) -> frozenset[str]:
    """Which of PACKAGES a program seems to import: no promise, a wrong guess costs time alone."""
    return frozenset(_IMPORTS.findall(source))


def preload(names: list[str]) -> None:
    """Import what is installed of `names`, and fix the seeds of randomness. Trusted code of the environment runs."""
    register = os.register_at_fork
    # `random` would otherwise reseed itself from the system in every child
    os.register_at_fork = lambda **_: None
    for name in names:
        with contextlib.suppress(Exception):  # missing or broken: the solution will be told when it imports it itself
            __import__(name)
    os.register_at_fork = register
    seed()


def seed() -> None:
    """The same random numbers in every child."""
    if "random" in sys.modules:
        sys.modules["random"].seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
