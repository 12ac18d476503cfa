"""Simulates pairs of models, and measures how often the gate promotes the second model of a pair.

The gate is a test at a level of 2.5%. If second models have a true pass@1 that is one point lower on average, the gate
should promote at most 2.5% of them. Each figure comes from many pairs of models. For each pair, new problems are drawn,
and each model gives ten answers to each problem. The comparison and the decision are those of a run.

Worse models: the first model always solves every problem. The second model loses much on few problems, or little on
more problems. The intervals of comparisons often miss such a loss. Equal models: both solve most problems always or
never, and the other problems by chance.
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
"""The true pass@1 of a model on each problem."""
Row = dict[str, Any]
ANSWERS = 10
"""The number of answers to each problem."""
PROBLEMS = (164, 480, 1000)


def worse(random: np.random.Generator, problems: int, share: float, loss: float) -> tuple[Rates, Rates]:
    """Return the rates of both models. The second rate of a problem is lower by `loss` with a chance of `share`."""
    before = np.ones(problems)
    return before, before - loss * (random.random(problems) < share)


def equal(random: np.random.Generator, problems: int, chance: float) -> tuple[Rates, Rates]:
    """Return the rates of both models, which are equal.

    With a chance of `chance`, the rate of a problem lies between 0 and 1. Otherwise it is 0 or 1.
    """
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
    """Draw ANSWERS answers of both models to each problem, and return whether the gate promotes the second model."""
    base, aligned = (random.binomial(ANSWERS, rates) / ANSWERS for rates in (before, after))
    return decide([asdict(compare_values("pass@1", base, aligned))], figures=["pass@1"]).promoted


def measure(repeats: int, seed: int) -> list[Row]:
    """Return one row for each shape and number of problems.

    A row has the share of second models that the gate promotes, and the 95% interval of this share.

    repeats: the number of pairs of models for each row.
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
    """Return a Markdown document with one line for each shape and one column for each number of problems."""
    cells = {}
    for row in rows:
        share, low, high = (100 * row[name] for name in ("promoted", "low", "high"))
        cells[row["models"], row["problems"]] = f"{share:.1f}% [{low:.1f}, {high:.1f}]"
    lines = [
        "# What the gate promotes at its margin",
        "",
        "The figures come from `python -m benchmarks.gate margin`. Each is the share of second models that the gate",
        f"promotes, of {repeats:,} simulated pairs of models with {ANSWERS} answers a problem, with its 95% interval.",
        "In the first four lines the second model is one point worse on average, and the gate should promote at most",
        '2.5%. "2% lose 0.5" means that the true pass@1 of a problem falls by 0.5 with a chance of 2%. In the last two',
        "lines the second model is as good as the first.",
        "",
        "| Models | " + " | ".join(f"{problems:,} problems" for problems in PROBLEMS) + " |",
        "|---" * (1 + len(PROBLEMS)) + "|",
    ]
    lines += [f"| {name} | " + " | ".join(cells[name, problems] for problems in PROBLEMS) + " |" for name in SHAPES]
    return "\n".join(lines) + "\n"
