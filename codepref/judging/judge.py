"""A judge model rates responses.

Two passes over the tasks, so that nothing but what is under way is held in memory: the first has every question
answered (see `codepref.servers`), the second reads the answers from the journal and makes judgments of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from codepref.config.endpoint import Endpoint
from codepref.judging.questions import (
    JudgeSettings,
    Reading,
    References,
    ask_again,
    is_again,
    judged,
    questions,
)
from codepref.records import Judgment
from codepref.servers.exchange import Exchange
from codepref.servers.records import Outcome, Request

Tasks = Callable[[], Iterable[Judgment]]
"""Gives the tasks anew at each call: judgments without ratings."""

Progress = Callable[[int, int], None]


def ask_judge(
    tasks: Tasks,
    endpoint: Endpoint,
    exchange: Exchange,
    settings: JudgeSettings,
    *,
    references: References | None = None,
    total: int = 0,
    progress: Progress | None = None,
) -> Counter[str]:
    """Have every question about the tasks answered, the answers kept in the exchange's journal.

    total: how many questions there are, for `progress`. Returns how many questions got no answer, by reason; the same
    call tries them again. Raises what `Exchange.outcomes` raises.
    """
    counts: dict[str, int] = {}  # how many responses the questions under way show, by key
    lost: Counter[str] = Counter()
    done = 0

    def requests() -> Iterator[Request]:
        for task in tasks():
            for question in questions(task, endpoint, settings, references):
                counts[question.request.key] = len(question.order)
                yield question.request

    def again(outcome: Outcome) -> Iterable[Request]:
        count = counts.pop(outcome.request.key)
        if outcome.reply is None or is_again(outcome.request):
            return
        if (second := ask_again(outcome.request, outcome.reply, count, settings)) is not None:
            counts[second.key] = count
            yield second

    for outcome in exchange.outcomes({endpoint.name: requests()}, again):
        done += not is_again(outcome.request)
        if outcome.reply is None:
            lost[outcome.reason] += 1
        if progress:
            progress(done, total)
    return lost


def read_judgments_of(
    tasks: Tasks,
    endpoint: Endpoint,
    exchange: Exchange,
    settings: JudgeSettings,
    *,
    references: References | None = None,
) -> Iterator[tuple[Judgment, list[list[Reading]]]]:
    """Yield each task with its ratings, and all readings, one list a pass; see `questions.judged`."""
    for task in tasks():
        yield judged(task, endpoint, settings, exchange.answer, references)


def count_unjudged(judgments: Iterable[Judgment]) -> Counter[str]:
    """How many responses have no rating, by reason."""
    return Counter(rating.reason for one in judgments for rating in one.ratings if rating.value is None)
