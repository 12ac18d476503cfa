"""A judge's ratings of a model's answers: a file of means by problem, figures, paired comparisons.

Values are shares of the scale, so that they can be compared with pass@1: 0 is the lowest rating, 1 the highest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.evaluation.comparison import Comparison, compare_values
from codepref.evaluation.estimators import score
from codepref.records import Score
from codepref.storage.files import read_json, write_json

FORMAT = "codepref ratings 1"
FILE = "ratings.json"


@dataclass(frozen=True, slots=True)
class ProblemRatings:
    """The mean ratings of one problem's `n` answers, by preference. Each is a share of the scale, in [0, 1]."""

    task_id: str
    n: int
    by_preference: Mapping[str, float]

    @property
    def mean(self) -> float:
        """The mean over preferences, with equal weights."""
        return sum(self.by_preference.values()) / len(self.by_preference)


@dataclass(frozen=True, slots=True)
class Ratings:
    """The ratings by one judge of one model's answers. label: the model's name in tables."""

    label: str
    judge: str
    problems: tuple[ProblemRatings, ...]

    def figures(self) -> dict[str, list[float]]:
        """Name of each figure -> its value for each problem.

        "JUDGE score" is the mean over preferences. "JUDGE PREFERENCE" is one preference; a single one is left out.
        """
        preferences = list(self.problems[0].by_preference) if self.problems else []
        values = {f"{self.judge} score": [row.mean for row in self.problems]}
        for name in preferences if len(preferences) > 1 else []:
            values[f"{self.judge} {name}"] = [row.by_preference[name] for row in self.problems]
        return values


def summarise_ratings(ratings: Ratings, *, seed: int = 0) -> list[Score]:
    """The judge's figures with 95% intervals over problems. The list is empty if nothing was rated."""
    samples = [row.n for row in ratings.problems]
    return [score(name, values, samples, seed=seed) for name, values in ratings.figures().items() if values]


def compare_ratings(a: Ratings, b: Ratings, *, seed: int = 0) -> list[Comparison]:
    """Compare b (aligned) with a (base), paired by problem.

    Raises UserError if judges, preferences or problems differ.
    """
    other = {row.task_id: row for row in b.problems}
    if a.judge != b.judge or not a.problems or set(other) != {row.task_id for row in a.problems}:
        raise UserError(
            f"{a.label or 'the first'} and {b.label or 'the second'} cannot be compared: a paired comparison needs the "
            "same judge and the same problems. Evaluate both in the same way."
        )
    ordered = Ratings(b.label, b.judge, tuple(other[row.task_id] for row in a.problems))
    before, after = a.figures(), ordered.figures()
    if set(before) != set(after):
        raise UserError(f"the preferences differ: {', '.join(before)} on one side and {', '.join(after)} on the other")
    return [compare_values(name, before[name], after[name], seed=seed) for name in before]


def write_ratings(ratings: Ratings, directory: Path, *, seed: int = 0) -> Path:
    """Write the figures, and one row for each problem, into `directory`/ratings.json. Returns its path."""
    document = {
        "format": FORMAT,
        "label": ratings.label,
        "judge": ratings.judge,
        "scale": "shares: 0 is the lowest rating, 1 the highest",
        "scores": [asdict(figure) for figure in summarise_ratings(ratings, seed=seed)],
        "problems": [{**asdict(row), "mean": row.mean} for row in ratings.problems],
    }
    write_json(directory / FILE, document)
    return directory / FILE


def read_ratings(directory: Path) -> Ratings:
    """Read `directory`/ratings.json. Raises UserError if it is missing or malformed."""
    document: Any = read_json(directory / FILE)
    try:
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}")
        rows = [
            ProblemRatings(str(row["task_id"]), int(row["n"]), dict(row["by_preference"]))
            for row in document["problems"]
        ]
        return Ratings(str(document["label"]), str(document["judge"]), tuple(rows))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{directory / FILE}: not a file of ratings ({type(error).__name__}: {error})") from None


def ratings_from_scores(
    scored: Sequence[tuple[str, Mapping[str, float]]], *, judge: str, label: str = "", low: float = 1, high: float = 5
) -> Ratings:
    """Mean ratings by problem.

    scored: (task_id, score by preference) for each rated answer, on a scale from `low` to `high`.
    """
    by_task: dict[str, list[Mapping[str, float]]] = {}
    for task_id, scores in scored:
        by_task.setdefault(task_id, []).append(scores)
    rows = []
    for task_id, answers in by_task.items():
        means = {name: sum((one[name] - low) / (high - low) for one in answers) / len(answers) for name in answers[0]}
        rows.append(ProblemRatings(task_id, len(answers), means))
    return Ratings(label, judge, tuple(rows))
