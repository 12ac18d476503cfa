"""Functions for notebooks and scripts. Most do the work of the command of the same name.

The package `codepref` offers these functions too, as `codepref.load_problems`, `codepref.sample` and so on.
"""

from codepref.api.evaluation import audit, compare, evaluate
from codepref.api.execution import execute, execute_into, speed
from codepref.api.exporting import export
from codepref.api.inputs import Pairs, Problems, Progress, Solutions, Tests, Verdicts, load_problems
from codepref.api.inspecting import inspect
from codepref.api.pairing import pair
from codepref.api.sampling import sample
from codepref.api.serving import serve
from codepref.api.training import train

__all__ = [
    "Pairs",
    "Problems",
    "Progress",
    "Solutions",
    "Tests",
    "Verdicts",
    "audit",
    "compare",
    "evaluate",
    "execute",
    "execute_into",
    "export",
    "inspect",
    "load_problems",
    "pair",
    "sample",
    "serve",
    "speed",
    "train",
]
