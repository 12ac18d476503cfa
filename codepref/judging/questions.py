"""Writes the questions to a judge about a task, and makes a judgment from the judge's answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from codepref.config.endpoint import Endpoint
from codepref.judging.messages import again_messages, grading_messages, rating_messages, ratings_schema
from codepref.judging.parsing import Parsed, parse_ratings
from codepref.records import InstructionResponses, Judgment, Message, Rating
from codepref.servers.records import Reply, Request
from codepref.storage.hashing import content_hash

T = TypeVar("T")

NO_ANSWER = "the judge gave no answer"
"""The reason why a response is unjudged if the server gave no answer to its question."""

AnswerTo = Callable[[str], Reply | None]
"""A function from the key of a request to the reply, or to None if there is no reply."""

References = Callable[[str], str]
"""A function from a task_id to the reference answer beside which a response is graded, as in CODAL-Bench."""


@dataclass(frozen=True)
class JudgeSettings:
    """Settings of the questions to a judge.

    Attributes:
    mode: "together" shows all responses of a problem in one question, as CodeUltraFeedback does. "single" asks one
        question about each response.
    second_pass: whether to ask again with the responses in reversed order.
    repeats: how often the questions of the first pass are asked in total. A number above 1 shows whether the judge
        repeats its ratings.
    temperature, max_tokens: the decoding of the judge's answers.
    low, high: the ends of the scale on which ratings are accepted. They must fit the prompts, which ask for ratings
        from 1 to 5, or for grades from 1 to 10 beside a reference.
    seed: the seed of the order in which the responses are shown and of the names of their tags.
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
    """One question to a judge.

    Attributes:
    order: the positions in the task of the responses that the question shows, in the order in which it shows them.
    request: the request that asks the question.
    """

    order: tuple[int, ...]
    request: Request


@dataclass(frozen=True)
class Reading:
    """What a judge's answer to one question says. The keys are the positions of responses in the task.

    Attributes:
    values: the ratings.
    rationales: the judge's explanations.
    reasons: why a response of the question has no value.
    asked_again: whether the first answer was incomplete and the judge also answered the repeated question.
    """

    values: dict[int, int]
    rationales: dict[int, str]
    reasons: dict[int, str]
    asked_again: bool = False


def questions(
    task: InstructionResponses, endpoint: Endpoint, settings: JudgeSettings, references: References | None = None
) -> Iterator[Question]:
    """Yield all questions about one task: the first pass, a second pass if wanted, and repeats of the first pass.

    The second pass reverses the order. In mode "single" or with `references`, a pass has one question for each
    response. Otherwise a pass is one question about all responses. A task without responses has no questions.
    """
    if not task.responses:
        return
    order = list(range(len(task.responses)))
    # the task_id is a part of the seed, so that the order does not depend on the other tasks
    random.Random(f"{settings.seed}/{task.task_id}/order").shuffle(order)
    first: list[tuple[int, ...]] = [tuple(order)] if shows_all(settings, references) else [(place,) for place in order]
    reversed_pass = [tuple(reversed(places)) for places in first]
    passes = [first, *[reversed_pass] * settings.second_pass, *[first] * (settings.repeats - 1)]
    for number, places_of_pass in enumerate(passes):
        for places in places_of_pass:
            messages = _messages(task, places, settings, references)
            yield Question(places, _request(task, messages, len(places), number, endpoint, settings))


def read_judgment(
    task: InstructionResponses,
    endpoint: Endpoint,
    settings: JudgeSettings,
    answer: AnswerTo,
    references: References | None = None,
) -> tuple[Judgment, list[list[Reading]]]:
    """Return the judgment of a task, and for each pass a list with one reading for each question.

    The ratings come from the first pass. A response without a readable rating is unjudged, with a reason. With
    `settings.second_pass`, `Rating.second` is the value of the second pass.
    """
    task_questions = list(questions(task, endpoint, settings, references))
    width = 1 if shows_all(settings, references) else max(1, len(task.responses))
    readings = [_read(question, answer, settings) for question in task_questions]
    passes = [readings[start : start + width] for start in range(0, len(readings), width)]
    first = passes[0] if passes else []
    second = passes[1] if settings.second_pass and len(passes) > 1 else []
    judgment = Judgment(
        task_id=task.task_id,
        instruction=task.instruction.whole,
        preference=task.preference,
        responses=task.responses,
        ratings=tuple(_rating(task, place, first, second) for place in range(len(task.responses))),
        judge=endpoint.name,
        order=tuple(
            task.responses[place].response_id for question in task_questions[:width] for place in question.order
        ),
        low=settings.low,
        high=settings.high,
    )
    return judgment, passes


def ask_again(request: Request, reply: Reply, count: int, settings: JudgeSettings) -> Request | None:
    """Return the request that repeats a question after an incomplete answer, or None if it should not be repeated.

    A complete answer rates every response that the question shows. If an answer reached the token limit before its
    first word, the question is not repeated, since the second answer would probably reach the limit too.
    count: the number of responses that the question shows.
    """
    parsed = parse_ratings(reply.text, count, settings.low, settings.high)
    if not parsed.complaint or (reply.finish == "length" and not reply.text.strip()):
        return None
    messages = again_messages(request.messages, reply.text, parsed.complaint, settings.low, settings.high)
    return replace(request, key=f"{request.key}-again", messages=messages)


def is_again(request: Request) -> bool:
    """Return whether a request repeats a question."""
    return request.key.endswith("-again")


def shows_all(settings: JudgeSettings, references: References | None) -> bool:
    """Return whether one question shows all responses of a task."""
    return settings.mode == "together" and references is None


def _messages(
    task: InstructionResponses, places: Sequence[int], settings: JudgeSettings, references: References | None
) -> list[Message]:
    texts = [task.responses[place].text for place in places]
    seed = f"{settings.seed}/{task.task_id}"
    if references is None:
        return rating_messages(task.instruction.whole, task.preference, texts, seed)
    return grading_messages(task.instruction.whole, task.preference, references(task.task_id), texts[0], seed)


def _request(
    task: InstructionResponses,
    messages: list[Message],
    count: int,
    number: int,
    endpoint: Endpoint,
    settings: JudgeSettings,
) -> Request:
    """Return the request of one question. number: the number of the pass. It makes the keys of repeats differ."""
    spec = (endpoint.model, endpoint.base_url, messages, settings.temperature, settings.max_tokens)
    return Request(
        key=content_hash("judge", task.task_id, number, *spec),
        endpoint=endpoint.name,
        messages=messages,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        schema=ratings_schema(count, settings.low, settings.high),
    )


def _read(question: Question, answer: AnswerTo, settings: JudgeSettings) -> Reading:
    """Read the answer to a question.

    If the judge also answered the repeated question, this second answer counts in two cases. It rates more responses
    than the first answer, or the first answer has no complete set of ratings or several sets that differ.
    """
    count = len(question.order)
    reply = answer(question.request.key)
    if reply is None:
        return Reading({}, {}, dict.fromkeys(question.order, NO_ANSWER))
    parsed = _parse(reply, count, settings)
    asked_again = False
    if parsed.complaint and (second := answer(f"{question.request.key}-again")) is not None:
        asked_again = True
        other = _parse(second, count, settings)
        if len(other.values) > len(parsed.values) or not parsed.rationales:
            parsed = other
    return _by_place(parsed, question.order, asked_again)


def _parse(reply: Reply, count: int, settings: JudgeSettings) -> Parsed:
    """Read an answer. If it holds no rating and was cut or ended early, this is the reason for each response."""
    parsed = parse_ratings(reply.text, count, settings.low, settings.high)
    if parsed.values or reply.finish == "stop":
        return parsed
    limit = f"the judge's answer was cut at max_new_tokens ({settings.max_tokens:,})"
    reason = limit if reply.finish == "length" else f"the judge's answer ended early ({reply.finish})"
    return replace(parsed, reasons=dict.fromkeys(parsed.reasons, reason))


def _by_place(parsed: Parsed, order: Sequence[int], asked_again: bool) -> Reading:
    """Return the reading of an answer. The labels in the question become positions in the task."""
    place = dict(enumerate(order, start=1))
    return Reading(
        {place[label]: value for label, value in parsed.values.items()},
        {place[label]: text for label, text in parsed.rationales.items()},
        {place[label]: reason for label, reason in parsed.reasons.items()},
        asked_again,
    )


def _rating(task: InstructionResponses, place: int, first: Sequence[Reading], second: Sequence[Reading]) -> Rating:
    value = _entry((reading.values for reading in first), place)
    reason = _entry((reading.reasons for reading in first), place) or "the judge was not asked"
    return Rating(
        response_id=task.responses[place].response_id,
        value=value,
        rationale=_entry((reading.rationales for reading in first), place) or "",
        reason="" if value is not None else reason,
        second=_entry((reading.values for reading in second), place),
    )


def _entry(entries: Iterable[Mapping[int, T]], place: int) -> T | None:
    """Return the entry for a position from the first mapping that has one, or None if no mapping has one."""
    return next((mapping[place] for mapping in entries if place in mapping), None)
