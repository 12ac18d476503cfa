"""A pool of models answers instructions: a few models drawn a problem, each asked with a phrasing of its preference.

After CodeUltraFeedback (arXiv 2403.09032, section 2.2): 4 of 14 models a problem, one preference a problem, one of ten
phrasings of its principle in the system prompt, one answer each at temperature 0.8 and top_p 0.8.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from codepref.config.pool import Member
from codepref.preferences import BY_KEY
from codepref.records import Judgment, Message, Response
from codepref.sampling.engines import Ask, Decoding, model_fingerprint, open_engine
from codepref.servers.exchange import Exchange, Say
from codepref.servers.journal import JOURNAL, Answers, Journal, read_journal
from codepref.servers.ledger import Ledger
from codepref.servers.records import Outcome, Reply, Request
from codepref.storage.hashing import content_hash

Tasks = Callable[[], Iterable[Judgment]]
"""Gives the instructions anew at each call: judgments without responses."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PoolSettings:
    """How a pool is asked. per_problem: models drawn a problem, at most all; principles: whether to ask for the
    preference in a system prompt; batch_size: answers that a local model writes at once. The rest is decoding.
    """

    per_problem: int = 4
    principles: bool = True
    temperature: float = 0.8
    top_p: float = 0.8
    max_tokens: int = 1024
    batch_size: int = 32
    seed: int = 0


@dataclass
class PoolCounts:
    """What a pool did. missing: answers that are owed, by model and reason; the same call tries them again."""

    problems: int = 0
    responses: int = 0
    cut: int = 0
    empty: int = 0
    missing: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Wanted:
    """One answer of one model to one task."""

    member: str
    principle: str
    request: Request


def wanted(task: Judgment, members: Sequence[Member], settings: PoolSettings) -> list[Wanted]:
    """Who answers a task, and with which words they are asked. Depends on task, pool and seed alone."""
    generator = random.Random(f"{settings.seed}/{task.task_id}/pool")
    drawn = generator.sample(list(members), min(settings.per_problem, len(members)))
    found = []
    for member in drawn:
        preference = BY_KEY.get(task.preference)
        principle = generator.choice(preference.principles) if settings.principles and preference else ""
        messages: list[Message] = [{"role": "user", "content": task.instruction}]
        if principle and member.system:
            messages.insert(0, {"role": "system", "content": principle})
        elif principle:
            messages[0]["content"] = f"{principle}\n\n{task.instruction}"
        asked = (member.model, member.base_url, messages, settings.temperature, settings.top_p, settings.max_tokens)
        request = Request(
            key=content_hash("pool", task.task_id, member.label, settings.seed, *asked),
            endpoint=member.label,
            messages=messages,
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_tokens=settings.max_tokens,
            seed=int(content_hash(settings.seed, task.task_id, member.label)[:7], 16),
        )
        found.append(Wanted(member.label, principle, request))
    return found


def ask_pool(
    tasks: Tasks,
    members: Sequence[Member],
    folder: Path,
    settings: PoolSettings,
    *,
    total: int = 0,
    budget: float | None = None,
    dtype: str = "auto",
    device: str = "auto",
    say: Say = lambda text: None,
    watch: Callable[[int, int, Ledger], None] | None = None,
) -> tuple[Ledger, Counter[str]]:
    """Have every wanted answer written into the journal in `folder`; what is there already is not asked for again.

    total: how many tasks there are. watch: called with (answered, wanted in all, ledger). Returns the ledger and what
    is missing, by model and reason.
    Raises UserError, GateError or InfrastructureError as `Exchange.outcomes` does; what was answered is kept.
    """
    missing: Counter[str] = Counter()
    answered, owed = 0, total * min(settings.per_problem, len(members))

    def requests(label: str) -> Iterator[Request]:
        for task in tasks():
            yield from (one.request for one in wanted(task, members, settings) if one.member == label)

    def note(outcome: Outcome) -> None:
        nonlocal answered
        answered += 1
        if outcome.reply is None:
            missing[f"{outcome.request.endpoint}: {outcome.reason}"] += 1

    distant = [member.endpoint() for member in members if member.base_url]
    ledger = Ledger()
    if distant:
        with Exchange(distant, folder, budget=budget, say=say) as exchange:
            for outcome in exchange.outcomes({one.name: requests(one.name) for one in distant}):
                note(outcome)
                if watch:
                    watch(answered, owed, exchange.ledger)
    for member in members:
        if not member.base_url:
            for outcome in _answer_here(member, list(requests(member.label)), folder, settings, dtype, device):
                note(outcome)
                if watch:
                    watch(answered, owed, ledger)
    ledger, _ = read_journal(folder / JOURNAL)
    return ledger, missing


def responses(
    tasks: Tasks, members: Sequence[Member], folder: Path, settings: PoolSettings, counts: PoolCounts
) -> Iterator[Judgment]:
    """Yield each task with the responses that the journal holds; a call that failed is no response. Fills `counts`."""
    _, spans = read_journal(folder / JOURNAL)
    answers = Answers(folder / JOURNAL)
    try:
        for task in tasks():
            found: list[Response] = []
            for one in wanted(task, members, settings):
                if one.request.key in spans:
                    reply = answers.read(spans[one.request.key])
                    counts.cut += reply.finish == "length"
                    counts.empty += not reply.text.strip()
                    found.append(
                        Response(
                            task.task_id, len(found), one.member, reply.text, reply.finish != "length", one.principle
                        )
                    )
            counts.problems += 1
            counts.responses += len(found)
            yield replace(task, responses=tuple(found))
    finally:
        answers.close()


def _answer_here(
    member: Member, requests: Sequence[Request], folder: Path, settings: PoolSettings, dtype: str, device: str
) -> Iterator[Outcome]:
    """A local model's answers. Batches are cut over all requests, so that a resumed run draws what a whole one does."""
    journal = Journal(folder / JOURNAL)
    journal.lock(wait=True)
    try:
        _, spans = read_journal(folder / JOURNAL)
        engine = open_engine(member.model, dtype=dtype, device=device)
        decoding = Decoding(settings.temperature, settings.top_p, settings.max_tokens)
        ordered = sorted(requests, key=lambda request: (-engine.prompt_length(request.messages), request.key))
        for start in range(0, len(ordered), settings.batch_size):
            batch = ordered[start : start + settings.batch_size]
            owed = [request for request in batch if request.key not in spans]
            if owed:
                asks = [Ask(request.key, "solutions", 0, request.messages) for request in batch]
                seed = int(content_hash(settings.seed, [request.key for request in batch])[:8], 16)
                for request, answer in zip(batch, engine.answer(asks, decoding, seed), strict=True):
                    if request.key not in spans:
                        _keep(journal, member, request, answer.text, answer.finished)
            for request in batch:
                yield Outcome(request, Reply(""), known=request not in owed)
    finally:
        journal.close()


def _keep(journal: Journal, member: Member, request: Request, text: str, finished: bool) -> None:
    line = {"k": request.key, "e": member.label}
    reply = {
        "text": text,
        "finish": "stop" if finished else "length",
        "tokens_in": 0,
        "tokens_out": 0,
        "estimated": False,
    }
    journal.append(line | {"b": 0.0})
    journal.append(line | {"s": 0.0, "c": 0.0, "a": reply})


def check_local(members: Sequence[Member]) -> None:
    """Raise UserError for local members that cannot be found, before any call is paid for."""
    for member in members:
        if not member.base_url:
            model_fingerprint(member.model)
