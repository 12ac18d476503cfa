"""Counts a judge's ratings by value and by model, the unjudged responses, and the changes in the second pass. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from codepref.judging.questions import Reading
from codepref.records import Judgment


@dataclass
class JudgeCounts:
    """Counts of a judge's ratings.

    The judgments need not all be in memory, since `add` counts one at a time.

    Attributes:
    problems, responses: how many were counted, judged or not.
    asked_again: the number of questions that were asked a second time and answered again.
    ratings: the number of responses by rating.
    unjudged: the number of responses without a rating, by reason.
    totals: for each model, the sum and the number of the ratings of its responses.
    rated_twice: the number of responses with a rating in the first and in the second pass.
    changed: the number of responses whose two ratings differ.
    """

    problems: int = 0
    responses: int = 0
    asked_again: int = 0
    ratings: Counter[int] = field(default_factory=Counter)
    unjudged: Counter[str] = field(default_factory=Counter)
    totals: dict[str, tuple[int, int]] = field(default_factory=dict)
    rated_twice: int = 0
    changed: int = 0

    def add(self, judgment: Judgment, passes: Sequence[Sequence[Reading]] = ()) -> None:
        """Count one problem. passes: the readings of the judge's answers, one list for each pass."""
        self.problems += 1
        self.responses += len(judgment.responses)
        self.asked_again += sum(reading.asked_again for readings in passes for reading in readings)
        for response, rating in zip(judgment.responses, judgment.ratings, strict=True):
            if rating.value is None:
                self.unjudged[rating.reason] += 1
                continue
            self.ratings[rating.value] += 1
            total, count = self.totals.get(response.model, (0, 0))
            self.totals[response.model] = (total + rating.value, count + 1)
            if rating.second is not None:
                self.rated_twice += 1
                self.changed += rating.second != rating.value

    def counting(self, results: Iterable[tuple[Judgment, Sequence[Sequence[Reading]]]]) -> Iterator[Judgment]:
        """Yield the judgments, and count each one before it is yielded."""
        for judgment, passes in results:
            self.add(judgment, passes)
            yield judgment

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as a JSON object. It holds "second_pass" only if responses were rated twice."""
        counts: dict[str, Any] = {
            "problems": self.problems,
            "responses": self.responses,
            "rated": self.ratings.total(),
            "unjudged": dict(sorted(self.unjudged.items())),
            "asked_again": self.asked_again,
            "ratings": {str(value): self.ratings[value] for value in sorted(self.ratings)},
            "mean_rating": {
                model: {"mean": round(total / count, 4), "n": count}
                for model, (total, count) in sorted(self.totals.items())
            },
        }
        if self.rated_twice:
            counts["second_pass"] = {"rated_twice": self.rated_twice, "changed": self.changed}
        return counts
