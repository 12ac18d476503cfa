"""What the commands do, for notebooks and scripts: paths, records or `datasets` in, records out.

`import codepref` offers these functions by name: codepref.load_problems, sample, execute, execute_into, pair, audit,
train, evaluate, compare.
"""

from codepref.api.evaluation import audit, compare, evaluate
from codepref.api.execution import execute, execute_into
from codepref.api.inputs import Pairs, Problems, Progress, Solutions, Tests, Verdicts, load_problems
from codepref.api.pairing import pair
from codepref.api.sampling import sample
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
    "load_problems",
    "pair",
    "sample",
    "train",
]
