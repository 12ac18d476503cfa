"""Packages that take far longer to import than a process takes to fork. A zygote loads them once for its children."""

from __future__ import annotations

import contextlib
import os
import re
import sys

from .parked import park

PACKAGES = ("PIL", "bs4", "matplotlib", "networkx", "numpy", "pandas", "requests", "scipy", "sklearn", "sympy")
"""Top-level packages only. A submodule that one solution loads must not be loaded for the next solution."""

SUBMODULES = {"matplotlib": "matplotlib.pyplot"}
"""Submodules by the name of their package. Their import takes long, and most programs with the package need them.

`preload` parks them (see `parked`).
"""

# Blanks match within one line only. If they could match across lines, the time would be quadratic in their number.
_IMPORTS = re.compile(rf"^[ \t\f]*(?:import|from)[ \t\f]+({'|'.join(PACKAGES)})\b", re.MULTILINE)

_parked: set[str] = set()


def imported(source: str) -> frozenset[str]:
    """Return the members of PACKAGES that a program seems to import.

    A wrong guess costs time. If a program imports numpy in a way that this function does not see, numpy's random
    numbers may also lack a fixed seed.
    """
    return frozenset(_IMPORTS.findall(source))


def preload(names: list[str]) -> None:
    """Import those of `names` that can be imported, and fix the seeds of random numbers.

    This runs code of the packages.
    """
    register = os.register_at_fork
    # This keeps `random` from registering a function that takes a new seed from the system in every child.
    os.register_at_fork = lambda **_: None
    for name in names:
        with contextlib.suppress(Exception):  # the solution gets the error when it imports the package itself
            __import__(name)
            if name in SUBMODULES and SUBMODULES[name] not in _parked:
                _parked.add(SUBMODULES[name])
                park(SUBMODULES[name])
    os.register_at_fork = register
    seed()


def seed() -> None:
    """Seed `random` and numpy's random numbers, if they are loaded, so that every child gets the same numbers."""
    if "random" in sys.modules:
        sys.modules["random"].seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
