"""Which questions a judge is asked about a task, and what its answers come to. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from codepref.config.endpoint import Endpoint
from codepref.errors import UserError
from codepref.judging.parsing import Parsed, parse_ratings
from codepref.judging.prompts import again_messages, grading_messages, rating_messages, ratings_schema
from codepref.preferences import BY_KEY
from codepref.records import Judgment, Message, Rating
from codepref.servers.records import Reply, Request
from codepref.storage.hashing import content_hash

AnswerTo = Callable[[str], Reply | None]
"""key -> what it was answered."""

References = Callable[[str], str]
"""task_id -> reference answer, for grades beside one (CODAL-Bench)."""


@dataclass(frozen=True)
class JudgeSettings:
    """How a judge is asked.

    mode: all responses of a problem "together", as published, or each "single". second_pass: ask again with the
    responses in reversed order. repeats: how often each question is asked in all (above 1 to see whether a judge agrees
    with itself). temperature, max_tokens: of its answers. low, high: the scale. seed: of the order of responses.
    """

    mode: Literal["together", "single"] = "together"
    second_pass: bool = False
    repeats: int = 1
    temperature: float = 0.0
    max_tokens: int = 1024
    low: int = 1
    high: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Question:
    """One prompt for a judge: which responses it shows, in which order, and the request that carries it."""

    order: tuple[int, ...]
    request: Request


@dataclass(frozen=True)
class Reading:
    """What became of one question: values and rationales by place among the task's responses, reasons for the rest."""

    values: dict[int, int]
    rationales: dict[int, str]
    reasons: dict[int, str]
    asked_again: bool = False


def questions(
    task: Judgment, endpoint: Endpoint, settings: JudgeSettings, references: References | None = None
) -> Iterator[Question]:
    """All questions about one task, pass by pass: the first, the reversed one, then repeats of the first.

    A pass is one question about all responses, or one question a response (`single`, and beside a reference).
    """
    if not task.responses:
        return
    order = list(range(len(task.responses)))
    # its own seed for each task: the order does not depend on which other tasks there are
    random.Random(f"{settings.seed}/{task.task_id}/order").shuffle(order)
    whole: list[tuple[int, ...]] = [tuple(order)] if together(settings, references) else [(place,) for place in order]
    backwards = [tuple(reversed(places)) for places in whole]
    passes = [whole, *[backwards] * settings.second_pass, *[whole] * (settings.repeats - 1)]
    for number, places_of_pass in enumerate(passes):
        for places in places_of_pass:
            messages = _messages(task, places, settings, references)
            yield Question(places, _request(task, messages, len(places), number, endpoint, settings))


def judged(
    task: Judgment, endpoint: Endpoint, settings: JudgeSettings, answer: AnswerTo, references: References | None = None
) -> tuple[Judgment, list[list[Reading]]]:
    """A task with its ratings, and all readings, one list a pass.

    A response without a readable rating is unjudged and says why. `second` is the value of the second pass.
    """
    asked = list(questions(task, endpoint, settings, references))
    width = 1 if together(settings, references) else max(1, len(task.responses))
    read = [_read(question, answer, settings) for question in asked]
    passes = [read[start : start + width] for start in range(0, len(read), width)]
    first = passes[0] if passes else []
    second = passes[1] if settings.second_pass and len(passes) > 1 else []
    rated = replace(
        task,
        ratings=tuple(_rating(task, place, first, second) for place in range(len(task.responses))),
        judge=endpoint.name,
        order=tuple(task.responses[place].response_id for question in asked[:width] for place in question.order),
        low=settings.low,
        high=settings.high,
    )
    return rated, passes


def ask_again(request: Request, reply: Reply, count: int, settings: JudgeSettings) -> Request | None:
    """The one further request when an answer cannot be used whole, or None when it can."""
    parsed = parse_ratings(reply.text, count, settings.low, settings.high)
    if not parsed.complaint:
        return None
    messages = again_messages(request.messages, reply.text, parsed.complaint, settings.low, settings.high)
    return replace(request, key=f"{request.key}-again", messages=messages)


def is_again(request: Request) -> bool:
    """Whether a request is the second one about its question."""
    return request.key.endswith("-again")


def check_tasks(tasks: Iterable[Judgment]) -> None:
    """Raise UserError for tasks that no judge could be asked about; before the first paid call."""
    bare = [task.task_id for task in tasks if task.preference not in BY_KEY]
    if bare:
        raise UserError(
            f"{len(bare)} problems have no preference that is known ({', '.join(bare[:3])}, ...): give each one of "
            f"{', '.join(BY_KEY)} in the column `preference`"
        )


def together(settings: JudgeSettings, references: References | None) -> bool:
    """Whether one question shows all responses of a task."""
    return settings.mode == "together" and references is None


def _messages(
    task: Judgment,
    places: Sequence[int],
    settings: JudgeSettings,
    references: References | None,
) -> list[Message]:
    texts = [task.responses[place].text for place in places]
    seed = f"{settings.seed}/{task.task_id}"
    if references is None:
        return rating_messages(task.instruction, task.preference, texts, seed)
    return grading_messages(task.instruction, task.preference, references(task.task_id), texts[0], seed)


def _request(
    task: Judgment,
    messages: list[Message],
    count: int,
    number: int,
    endpoint: Endpoint,
    settings: JudgeSettings,
) -> Request:
    asked = (endpoint.model, endpoint.base_url, messages, settings.temperature, settings.max_tokens)
    return Request(
        key=content_hash("judge", task.task_id, number, *asked),
        endpoint=endpoint.name,
        messages=messages,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        schema=ratings_schema(count, settings.low, settings.high),
    )


def _read(question: Question, answer: AnswerTo, settings: JudgeSettings) -> Reading:
    """The better of the two answers to a question: the second where the first was not whole, if that says more."""
    count = len(question.order)
    reply = answer(question.request.key)
    if reply is None:
        lost = dict.fromkeys(question.order, "the judge gave no answer")
        return Reading({}, {}, lost)
    parsed = parse_ratings(reply.text, count, settings.low, settings.high)
    asked_again = False
    if parsed.complaint and (second := answer(f"{question.request.key}-again")) is not None:
        asked_again = True
        other = parse_ratings(second.text, count, settings.low, settings.high)
        if len(other.values) > len(parsed.values) or not parsed.rationales:
            parsed = other
    return _placed(parsed, question.order, asked_again)


def _placed(parsed: Parsed, order: Sequence[int], asked_again: bool) -> Reading:
    place = dict(enumerate(order, start=1))
    return Reading(
        {place[label]: value for label, value in parsed.values.items()},
        {place[label]: text for label, text in parsed.rationales.items()},
        {place[label]: reason for label, reason in parsed.reasons.items()},
        asked_again,
    )


def _rating(task: Judgment, place: int, first: Sequence[Reading], second: Sequence[Reading]) -> Rating:
    def found(readings: Sequence[Reading], name: str) -> object:
        return next((kept[place] for one in readings if place in (kept := getattr(one, name))), None)

    value, other = found(first, "values"), found(second, "values")
    reason = "" if value is not None else str(found(first, "reasons") or "the judge was not asked")
    return Rating(
        response_id=task.responses[place].response_id,
        value=value if isinstance(value, int) else None,
        rationale=str(found(first, "rationales") or ""),
        reason=reason,
        second=other if isinstance(other, int) else None,
    )
