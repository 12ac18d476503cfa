"""Asks a judge model about all tasks and reads its answers.

The tasks are read three times: to count the questions, to get the judge's answers into the journal (see
`codepref.servers`), and to make judgments from these answers. No list of all tasks is kept, so a long file of JSON
lines need not fit into memory.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codepref.config.endpoint import Endpoint
from codepref.config.pool import Member
from codepref.errors import UserError
from codepref.judging.questions import (
    JudgeSettings,
    Reading,
    References,
    ask_again,
    is_again,
    questions,
    read_judgment,
)
from codepref.preferences import PREFERENCES, check_preferences
from codepref.records import InstructionResponses, Judgment
from codepref.sampling.responses_file import iter_responses
from codepref.servers.artifacts import progress_with_costs
from codepref.servers.exchange import Exchange, Log, check_endpoints
from codepref.servers.ledger import Ledger
from codepref.servers.records import Request, RequestResult
from codepref.storage.progress import ProgressLine

ResponseSource = str | Path | Sequence[InstructionResponses] | Sequence[Judgment]
"""A file or hub data set of responses or judgments, or a sequence of such records. Their ratings are ignored."""

Tasks = Callable[[], Iterable[InstructionResponses]]
"""A function that returns the tasks. Each call begins at the first task."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class JudgeRun:
    """A judge's answers about all tasks. It can be used while the journal is open.

    Attributes:
    judgments: yields each task's judgment with all readings, one list for each pass. It can be consumed once.
    missing: the number of requests without an answer, by reason. A repeated question is a request of its own.
    refused: the numbers of those missing answers that the server refuses for good, by reason.
    ledger: the attempts, tokens and dollars of all calls.
    settings: the settings of the questions.
    """

    judgments: Iterator[tuple[Judgment, list[list[Reading]]]]
    ledger: Ledger
    missing: Mapping[str, int]
    settings: JudgeSettings
    refused: Mapping[str, int] = field(default_factory=dict)


def load_tasks(source: ResponseSource) -> Tasks:
    """Return a function that returns the tasks of `source`. Each call reads a file or hub data set again."""
    if isinstance(source, str | Path):
        return lambda: iter_responses(source)
    tasks = [record.unrated() if isinstance(record, Judgment) else record for record in source]
    return lambda: tasks


@contextlib.contextmanager
def judge_run(
    tasks: Tasks,
    member: Member,
    folder: Path,
    settings: JudgeSettings,
    *,
    references: References | None = None,
    budget: float | None = None,
    progress: ProgressLine | None = None,
    log: Log = lambda text: None,
) -> Iterator[JudgeRun]:
    """Get the answers to all questions about the tasks, and yield a JudgeRun while the journal in `folder` is open.

    member: the judge. references: gives the reference answer of each task if responses are graded beside one. budget:
    the limit in dollars for all calls with this journal together. Raises UserError for mistakes in the judge's endpoint
    or the budget, for tasks without a known preference, and if there is no response to judge. Raises the errors of
    `Exchange` and the errors of reading the tasks.
    """
    endpoint = member.endpoint()
    check_endpoints([endpoint], budget)
    total = _count_questions(tasks, endpoint, settings, references)
    report = progress_with_costs(progress)
    with Exchange([endpoint], folder, budget=budget, log=log) as exchange:
        report_done = (lambda done, total: report(done, total, exchange.ledger)) if report else None
        missing, refused = _ask(tasks, endpoint, exchange, settings, references, total, report_done)
        judgments = (read_judgment(task, endpoint, settings, exchange.answer, references) for task in tasks())
        yield JudgeRun(judgments, exchange.ledger, missing, settings, refused)


def _ask(
    tasks: Tasks,
    endpoint: Endpoint,
    exchange: Exchange,
    settings: JudgeSettings,
    references: References | None,
    total: int,
    progress: Progress | None,
) -> tuple[Counter[str], Counter[str]]:
    """Get the answers to the questions into the journal.

    Return the number of unanswered requests by reason, and the number of those that the server refuses for good.
    """
    counts: dict[str, int] = {}  # key of each running question -> the number of responses that it shows
    missing: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    done = 0

    def requests() -> Iterator[Request]:
        for task in tasks():
            for question in questions(task, endpoint, settings, references):
                counts[question.request.key] = len(question.order)
                yield question.request

    def follow_up(result: RequestResult) -> Iterable[Request]:
        count = counts.pop(result.request.key)
        if result.reply is None or is_again(result.request):
            return
        if (second := ask_again(result.request, result.reply, count, settings)) is not None:
            counts[second.key] = count
            yield second

    for result in exchange.results({endpoint.name: requests()}, follow_up):
        done += not is_again(result.request)
        if result.reply is None:
            missing[result.reason] += 1
            refused[result.reason] += result.rejected
        if progress:
            progress(done, total)
    return missing, +refused


def _count_questions(tasks: Tasks, endpoint: Endpoint, settings: JudgeSettings, references: References | None) -> int:
    """Return the number of questions. Raises UserError for an unknown preference, or if there is no response at all."""
    total = empty = 0
    unknown: list[InstructionResponses] = []
    for task in tasks():
        empty += not task.responses
        if task.preference in PREFERENCES:
            total += sum(1 for _ in questions(task, endpoint, settings, references))
        else:
            unknown.append(InstructionResponses(task.instruction, ()))
    check_preferences(unknown)
    if not total:
        raise UserError(f"there is no response to judge. None of the {empty} instructions has a response")
    return total
