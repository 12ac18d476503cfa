"""Simulates pairs of models, and measures how often the gate promotes the second model of a pair.

The gate is a test at a level of 2.5%: it should promote at most that share of models whose true pass@1 is exactly one
point lower. Each figure comes from many pairs of models on new problems, with ten answers a problem, through the same
comparison and decision as in a run.

Worse models: the base model always solves every problem, and either few problems lose much or more problems lose
little; these are the hardest shapes for an interval. Equal models: most problems are solved always or never, the others
by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common.results import log
from codepref.evaluation.comparison import compare_values
from codepref.evaluation.estimators import wilson_interval
from codepref.evaluation.gate import decide

Rates = npt.NDArray[np.float64]
"""True pass@1 of each problem."""
Row = dict[str, Any]
ANSWERS = 10
"""Answers a problem."""
PROBLEMS = (164, 480, 1000)


def worse(random: np.random.Generator, problems: int, share: float, loss: float) -> tuple[Rates, Rates]:
    """Rates before and after: a random `share` of problems loses `loss`."""
    before = np.ones(problems)
    return before, before - loss * (random.random(problems) < share)


def equal(random: np.random.Generator, problems: int, chance: float) -> tuple[Rates, Rates]:
    """Rates before and after, which are the same. For a share `chance` of problems they lie between 0 and 1."""
    certain = (random.random(problems) < 0.6).astype(float)
    rates = np.where(random.random(problems) < chance, random.beta(2, 2, problems), certain)
    return rates, rates


SHAPES: dict[str, Callable[[np.random.Generator, int], tuple[Rates, Rates]]] = {
    "1% of problems lose 1.0": partial(worse, share=0.01, loss=1.0),
    "2% lose 0.5": partial(worse, share=0.02, loss=0.5),
    "5% lose 0.2": partial(worse, share=0.05, loss=0.2),
    "10% lose 0.1": partial(worse, share=0.1, loss=0.1),
    "equal, 5% of problems by chance": partial(equal, chance=0.05),
    "equal, 30% of problems by chance": partial(equal, chance=0.3),
}


def promoted(random: np.random.Generator, before: Rates, after: Rates) -> bool:
    """Whether the gate promotes the second model after `ANSWERS` answers a problem of each model."""
    base, aligned = (random.binomial(ANSWERS, rates) / ANSWERS for rates in (before, after))
    return decide([asdict(compare_values("pass@1", base, aligned))], figures=["pass@1"]).promoted


def measure(repeats: int, seed: int) -> list[Row]:
    """The share of pairs that is promoted, with its 95% interval: one row a shape and number of problems.

    repeats: pairs of models a row.
    """
    rows: list[Row] = []
    for problems in PROBLEMS:
        for name, shape in SHAPES.items():
            random = np.random.default_rng([seed, len(rows)])
            share = sum(promoted(random, *shape(random, problems)) for _ in range(repeats)) / repeats
            low, high = wilson_interval(share, repeats)
            rows.append({"models": name, "problems": problems, "promoted": share, "low": low, "high": high})
            log(str(rows[-1]))
    return rows


def table(rows: list[Row], repeats: int) -> str:
    """Markdown: a line a shape, a column a number of problems."""
    cells = {}
    for row in rows:
        share, low, high = (100 * row[name] for name in ("promoted", "low", "high"))
        cells[row["models"], row["problems"]] = f"{share:.1f}% [{low:.1f}, {high:.1f}]"
    lines = [
        "# What the gate promotes at its margin",
        "",
        f"`python -m benchmarks.gate margin`: the share that the gate promotes of {repeats:,} simulated pairs of",
        f"models, with {ANSWERS} answers a problem, and its 95% interval. In the first four lines the second model is",
        "one point worse (the gate should promote at most 2.5%); in the last two lines it is just as good.",
        "",
        "| Models | " + " | ".join(f"{problems:,} problems" for problems in PROBLEMS) + " |",
        "|---" * (1 + len(PROBLEMS)) + "|",
    ]
    lines += [f"| {name} | " + " | ".join(cells[name, problems] for problems in PROBLEMS) + " |" for name in SHAPES]
    return "\n".join(lines) + "\n"
