"""What a judge said, summed up: how many ratings, of whom, how many could not be read, what the order did. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from codepref.judging.questions import Reading
from codepref.records import Judgment


@dataclass
class JudgeCounts:
    """Fed one judgment at a time, so that nothing else has to be kept.

    ratings: how often each value was given. unjudged: responses without a rating, by reason. asked_again: questions
    that needed a second answer. totals: sum and number of ratings a model. second: responses with a rating in the
    second pass too, and of them those with another one.
    """

    problems: int = 0
    responses: int = 0
    asked_again: int = 0
    ratings: Counter[int] = field(default_factory=Counter)
    unjudged: Counter[str] = field(default_factory=Counter)
    totals: dict[str, tuple[int, int]] = field(default_factory=dict)
    seen_twice: int = 0
    changed: int = 0

    def add(self, judgment: Judgment, passes: Sequence[Sequence[Reading]] = ()) -> None:
        """Count one problem."""
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
                self.seen_twice += 1
                self.changed += rating.second != rating.value

    def counting(self, judged: Iterable[tuple[Judgment, Sequence[Sequence[Reading]]]]) -> Iterator[Judgment]:
        """Pass judgments on, counting them."""
        for judgment, passes in judged:
            self.add(judgment, passes)
            yield judgment

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        found: dict[str, Any] = {
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
        if self.seen_twice:
            found["second_pass"] = {"rated_twice": self.seen_twice, "changed": self.changed}
        return found
