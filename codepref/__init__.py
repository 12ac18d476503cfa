"""codepref aligns code language models by preference learning, and measures whether the models got better.

This package offers functions for scripts. Most do the work of the command of the same name. Each function is loaded
when it is first used:

- load_problems, inspect, sample, execute, execute_into, pair, audit, export, train, evaluate, compare, serve and speed,
  from `codepref.api`;
- respond, from `codepref.sampling.respond`;
- judge and judge_by_rubric, from `codepref.judging.judge`;
- calibrate_judge and grade, from the modules of these names in `codepref.evaluation`;
- run and demo, from `codepref.runs.run`;
- push, from `codepref.hub.push`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from codepref.api import (
        audit,
        compare,
        evaluate,
        execute,
        execute_into,
        export,
        inspect,
        load_problems,
        pair,
        sample,
        serve,
        speed,
        train,
    )
    from codepref.evaluation.calibrate_judge import calibrate_judge
    from codepref.evaluation.grade import grade
    from codepref.hub.push import push
    from codepref.judging.judge import judge, judge_by_rubric
    from codepref.runs.run import demo, run
    from codepref.sampling.respond import respond

_HOMES = {
    **dict.fromkeys(
        (
            "load_problems",
            "inspect",
            "sample",
            "execute",
            "execute_into",
            "pair",
            "audit",
            "export",
            "train",
            "evaluate",
            "compare",
            "serve",
            "speed",
        ),
        "codepref.api",
    ),
    "respond": "codepref.sampling.respond",
    **dict.fromkeys(("judge", "judge_by_rubric"), "codepref.judging.judge"),
    "calibrate_judge": "codepref.evaluation.calibrate_judge",
    "grade": "codepref.evaluation.grade",
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
    "export",
    "grade",
    "inspect",
    "judge",
    "judge_by_rubric",
    "load_problems",
    "pair",
    "push",
    "respond",
    "run",
    "sample",
    "serve",
    "speed",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'codepref' has no attribute {name!r}")
