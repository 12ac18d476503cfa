"""How often the gate promotes a model that is worse by the whole margin, and one that is just as good, by simulation.

    python benchmarks/gate_margin.py --out gate_margin.json

The gate is a test at 2.5%: of models whose true pass@1 is exactly one point lower it should promote at most that share.
Each figure is of `--repeats` pairs of models on fresh problems, ten answers a problem, through the run's own comparison
and decision. Worse models: the base solves every problem for sure, and a few problems lose much or more lose little,
the hardest shapes for an interval. Equal models: most problems are solved always or never, the others by chance.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from codepref.evaluation.comparison import compare_values
from codepref.evaluation.estimators import wilson_interval
from codepref.evaluation.gate import decide
from codepref.storage.files import write_json, write_text

Rates = npt.NDArray[np.float64]
Row = dict[str, Any]
ANSWERS = 10
PROBLEMS = (164, 480, 1000)


def worse(random: np.random.Generator, problems: int, share: float, loss: float) -> tuple[Rates, Rates]:
    """True pass@1 a problem before and after, worse by `share` * `loss` in the mean."""
    before = np.ones(problems)
    return before, before - loss * (random.random(problems) < share)


def equal(random: np.random.Generator, problems: int, chance: float) -> tuple[Rates, Rates]:
    """True pass@1 a problem before and after, the same; a share `chance` of them neither 0 nor 1."""
    sure = (random.random(problems) < 0.6).astype(float)
    rates = np.where(random.random(problems) < chance, random.beta(2, 2, problems), sure)
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
    """Whether the gate promotes after `ANSWERS` answers a problem of each model."""
    base, aligned = (random.binomial(ANSWERS, rates) / ANSWERS for rates in (before, after))
    return decide([asdict(compare_values("pass@1", base, aligned))], figures=["pass@1"]).promoted


def measure(repeats: int, seed: int) -> list[Row]:
    """A row a shape and number of problems, with the share promoted and its 95% interval."""
    rows: list[Row] = []
    for problems in PROBLEMS:
        for name, shape in SHAPES.items():
            random = np.random.default_rng([seed, len(rows)])
            share = sum(promoted(random, *shape(random, problems)) for _ in range(repeats)) / repeats
            low, high = wilson_interval(share, repeats)
            rows.append({"models": name, "problems": problems, "promoted": share, "low": low, "high": high})
            print(rows[-1], flush=True)
    return rows


def table(rows: list[Row], repeats: int) -> str:
    """Markdown: a line a shape, a column a number of problems."""
    cells = {
        (
            row["models"],
            row["problems"],
        ): f"{100 * row['promoted']:.1f}% [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
        for row in rows
    }
    lines = [
        "# What the gate promotes at its margin",
        "",
        f"`python benchmarks/gate_margin.py`: share promoted of {repeats:,} simulated pairs of models, {ANSWERS}",
        "answers a problem, with its 95% interval. The first four kinds are one point worse in truth (nominal:",
        "at most 2.5%), the last two just as good.",
        "",
        "| Models | " + " | ".join(f"{problems:,} problems" for problems in PROBLEMS) + " |",
        "|---" * (1 + len(PROBLEMS)) + "|",
    ]
    lines += [f"| {name} | " + " | ".join(cells[name, problems] for problems in PROBLEMS) + " |" for name in SHAPES]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the rows, and the table beside them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = measure(given.repeats, given.seed)
    write_json(given.out, {"repeats": given.repeats, "seed": given.seed, "answers": ANSWERS, "rows": rows})
    write_text(given.out.with_suffix(".md"), table(rows, given.repeats))


if __name__ == "__main__":
    main()
