"""Summarises a judge's ratings of a model's answers: means for each problem, the file of means, figures, comparisons.

Values are shares of the rating scale: 0 is the lowest rating and 1 the highest. They have the range of pass@1.
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
    """The mean ratings of one problem's answers.

    n: the number of answers. by_preference: preference -> mean rating as a share of the scale, in [0, 1].
    """

    task_id: str
    n: int
    by_preference: Mapping[str, float]

    @property
    def mean(self) -> float:
        """The mean rating over preferences, with equal weights."""
        return sum(self.by_preference.values()) / len(self.by_preference)


@dataclass(frozen=True, slots=True)
class Ratings:
    """One judge's ratings of one model's answers. label: the name of the model. judge: the name of the judge."""

    label: str
    judge: str
    problems: tuple[ProblemRatings, ...]

    def figures(self) -> dict[str, list[float]]:
        """Return the values of each figure, one value for each problem.

        The figure "JUDGE score" is the mean over preferences. If there are several preferences, each has a figure
        "JUDGE PREFERENCE" too.
        """
        preferences = list(self.problems[0].by_preference) if self.problems else []
        figures = {f"{self.judge} score": [row.mean for row in self.problems]}
        for name in preferences if len(preferences) > 1 else []:
            figures[f"{self.judge} {name}"] = [row.by_preference[name] for row in self.problems]
        return figures


def summarise_ratings(ratings: Ratings, *, seed: int = 0) -> list[Score]:
    """Return the judge's figures with 95% intervals over problems. The list is empty if no answer was rated."""
    samples = [row.n for row in ratings.problems]
    return [score(name, values, samples, seed=seed) for name, values in ratings.figures().items() if values]


def compare_ratings(a: Ratings, b: Ratings, *, seed: int = 0) -> list[Comparison]:
    """Compare the ratings of b (aligned) with those of a (base) by the same judge, paired by problem.

    Raises UserError if the judges, problems or figures of both sides differ, if there are no problems, and if a value
    is outside [0, 1]. With one preference on each side, the figures have the same name even if the preferences differ,
    so such a difference is not found.
    """
    other = {row.task_id: row for row in b.problems}
    if a.judge != b.judge or not a.problems or set(other) != {row.task_id for row in a.problems}:
        raise UserError(
            f"the ratings of {a.label or 'the first model'} and {b.label or 'the second model'} cannot be compared. A "
            "paired comparison needs the same judge and the same problems, and at least one problem. Evaluate both "
            "models in the same way."
        )
    ordered = Ratings(b.label, b.judge, tuple(other[row.task_id] for row in a.problems))
    before, after = a.figures(), ordered.figures()
    if set(before) != set(after):
        raise UserError(
            f"the figures differ: one side has {', '.join(before)}, and the other side has {', '.join(after)}. "
            "Rate both models by the same preferences."
        )
    return [compare_values(name, before[name], after[name], seed=seed) for name in before]


def write_ratings(ratings: Ratings, directory: Path, *, seed: int = 0) -> Path:
    """Write `directory`/ratings.json with every figure and one row for each problem. Return the path of the file."""
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
            raise ValueError(f'"format" must be "{FORMAT}", not {document["format"]!r}')
        rows = [
            ProblemRatings(
                str(row["task_id"]),
                int(row["n"]),
                {str(name): float(mean) for name, mean in dict(row["by_preference"]).items()},
            )
            for row in document["problems"]
        ]
        return Ratings(str(document["label"]), str(document["judge"]), tuple(rows))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{directory / FILE}: not a valid ratings file ({type(error).__name__}: {error})") from None


def ratings_from_scores(
    scored: Sequence[tuple[str, Mapping[str, float]]], *, judge: str, label: str = "", low: float = 1, high: float = 5
) -> Ratings:
    """Return the Ratings of rated answers.

    scored: the task_id of each answer, and its ratings by preference. All answers must have the same preferences. low,
    high: the ends of the rating scale.
    """
    by_task: dict[str, list[Mapping[str, float]]] = {}
    for task_id, scores in scored:
        by_task.setdefault(task_id, []).append(scores)
    rows = []
    for task_id, answers in by_task.items():
        means = {
            name: sum((scores[name] - low) / (high - low) for scores in answers) / len(answers) for name in answers[0]
        }
        rows.append(ProblemRatings(task_id, len(answers), means))
    return Ratings(label, judge, tuple(rows))
