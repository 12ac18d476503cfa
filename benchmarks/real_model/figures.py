"""Scores of rows over seeds and held-out sets, and their paired comparisons. Pure.

The problem is the unit: the counts of a problem are summed over the seeds, and intervals are over problems. Two rows
are compared on the seeds that both have. The intervals do not show how much trainings with further seeds would differ.
`by_seed` therefore gives the difference of each seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.real_model.results import read_counts
from benchmarks.real_model.settings import SETS
from codepref.evaluation.comparison import Comparison
from codepref.evaluation.scores import ProblemScore, Scores, compare, summarise
from codepref.records import Score

BOTH = "both sets"
GREEDY, SAMPLED = "pass@1 greedy", "pass@1"


@dataclass(frozen=True)
class Figures:
    """The scores of all rows and seeds. scores: (row, seed) -> scores on all held-out problems."""

    scores: Mapping[tuple[str, int], Scores]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Figures:
        """Read the scores from the results document."""
        heldout = document["heldout"].split()
        return cls({(row["row"], row["seed"]): read_counts(row, heldout) for row in document["rows"]})

    def seeds(self, *rows: str) -> list[int]:
        """Return the seeds that all these rows have."""
        return sorted(set.intersection(*({seed for name, seed in self.scores if name == row} for row in rows)))

    def score(self, row: str, name: str, held: str = BOTH) -> Score | None:
        """Return the figure `name` of a row over all its seeds, or None if the row was not measured on the set."""
        scores = self._pooled(row, self.seeds(row), held)
        return next((one for one in summarise(scores) if one.name == name), None)

    def comparison(self, base: str, row: str, name: str, held: str = BOTH) -> Comparison | None:
        """Return the paired difference `row` - `base` of the figure `name`.

        The result is None if the rows have no common seed, or the set holds no problem.
        """
        seeds = self.seeds(base, row)
        return self._compared(base, row, seeds, name, held) if seeds else None

    def by_seed(self, base: str, row: str, name: str, held: str = BOTH) -> list[float]:
        """Return the difference `row` - `base` of the figure `name` for each common seed."""
        found = [self._compared(base, row, [seed], name, held) for seed in self.seeds(base, row)]
        return [one.difference for one in found if one]

    def _compared(self, base: str, row: str, seeds: Sequence[int], name: str, held: str) -> Comparison | None:
        sides = [self._pooled(one, seeds, held) for one in (base, row)]
        if not sides[0].problems:
            return None
        return next((one for one in compare(*sides) if one.name == name), None)

    def _pooled(self, row: str, seeds: Iterable[int], held: str) -> Scores:
        return pooled(row, [on_set(self.scores[row, seed], held) for seed in seeds])


def on_set(scores: Scores, held: str) -> Scores:
    """Return the scores on one held-out set, or on both sets."""
    start = "" if held == BOTH else SETS[held]
    return Scores(scores.label, tuple(one for one in scores.problems if one.task_id.startswith(start)), scores.ks)


def pooled(label: str, parts: Sequence[Scores]) -> Scores:
    """Return the scores of one row over seeds. The counts of each problem and kind are summed."""
    sums: dict[tuple[str, Any], list[int]] = {}
    for scores in parts:
        for one in scores.problems:
            count = sums.setdefault((one.task_id, one.kind), [0, 0])
            count[0] += one.n
            count[1] += one.correct
    return Scores(
        label, tuple(ProblemScore(task, kind, n, correct) for (task, kind), (n, correct) in sums.items()), (1,)
    )
