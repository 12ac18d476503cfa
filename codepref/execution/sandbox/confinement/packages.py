"""Packages whose import costs far more than a fork. A zygote of their own loads them once."""

from __future__ import annotations

import contextlib
import os
import re
import sys

PACKAGES = ("PIL", "bs4", "matplotlib", "networkx", "numpy", "pandas", "requests", "scipy", "sklearn", "sympy")
"""Top-level packages only: a submodule that one solution loads must not be loaded for the next one."""

# The blanks are those of one line. Across lines the search would take the square of their number.
_IMPORTS = re.compile(rf"^[ \t\f]*(?:import|from)[ \t\f]+({'|'.join(PACKAGES)})\b", re.MULTILINE)


def imported(source: str) -> frozenset[str]:
    """Which of PACKAGES a program seems to import. A wrong guess costs only time."""
    return frozenset(_IMPORTS.findall(source))


def preload(names: list[str]) -> None:
    """Import those of `names` that are installed, and fix the seeds of randomness. Runs the packages' own code."""
    register = os.register_at_fork
    # Otherwise `random` would take a new seed from the system in every child.
    os.register_at_fork = lambda **_: None
    for name in names:
        with contextlib.suppress(Exception):  # the solution gets the error when it imports the package itself
            __import__(name)
    os.register_at_fork = register
    seed()


def seed() -> None:
    """Make the random numbers the same in every child."""
    if "random" in sys.modules:
        sys.modules["random"].seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
