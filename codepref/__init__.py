"""codepref aligns code language models by preference learning, and says honestly whether it helped.

This package offers the functions behind the commands by name, and loads each when it is first used:

- load_problems, sample, execute, execute_into, pair, audit, train, evaluate and compare, from `codepref.api`;
- respond, judge, judge_by_rubric, calibrate_judge and grade, from `codepref.feedback`;
- run and demo, from `codepref.runs.run`;
- push, from `codepref.hub.push`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from codepref.api import audit, compare, evaluate, execute, execute_into, load_problems, pair, sample, train
    from codepref.feedback import calibrate_judge, grade, judge, judge_by_rubric, respond
    from codepref.hub.push import push
    from codepref.runs.run import demo, run

_HOMES = {
    **dict.fromkeys(
        ("load_problems", "sample", "execute", "execute_into", "pair", "audit", "train", "evaluate", "compare"),
        "codepref.api",
    ),
    **dict.fromkeys(("respond", "judge", "judge_by_rubric", "calibrate_judge", "grade"), "codepref.feedback"),
    **dict.fromkeys(("run", "demo"), "codepref.runs.run"),
    "push": "codepref.hub.push",
}

__all__ = [
    "__version__",
    "audit",
    "calibrate_judge",
    "compare",
    "demo",
    "evaluate",
    "execute",
    "execute_into",
    "grade",
    "judge",
    "judge_by_rubric",
    "load_problems",
    "pair",
    "push",
    "respond",
    "run",
    "sample",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'codepref' has no attribute {name!r}")
