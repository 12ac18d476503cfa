"""Lets a pool of models answer instructions. A few models are drawn for each instruction.

This follows CodeUltraFeedback (arXiv 2403.09032, section 2.2). There, 4 of 14 models answer each instruction. Each
instruction has one preference, and the system prompt asks for this preference in one of ten phrasings. Each drawn model
answers once, at temperature 0.8 and top_p 0.8.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codepref.chat import FOLDED, KEPT, about
from codepref.config.pool import Member
from codepref.errors import UserError
from codepref.preferences import PREFERENCES, load_preference
from codepref.records import Instruction, InstructionResponses, Message, Response
from codepref.sampling.engines import Answer, Ask, Decoding, Engine, model_fingerprint, open_engine
from codepref.sampling.engines.base import Preparable
from codepref.servers.artifacts import LedgerProgress
from codepref.servers.exchange import Exchange, Log
from codepref.servers.journal import JOURNAL, Answers, Journal, read_journal
from codepref.servers.ledger import Ledger
from codepref.servers.records import Reply, Request, RequestResult
from codepref.storage.hashing import content_hash

Instructions = Callable[[], Iterable[Instruction]]
"""A function that returns the instructions. Each call begins at the first instruction."""


@dataclass(frozen=True)
class PoolSettings:
    """Settings of the requests to a pool.

    Attributes:
    per_problem: the number of models that are drawn for each instruction. If the pool is smaller, all models answer.
    principles: whether the prompt asks for the preference.
    temperature, top_p, max_tokens: the decoding.
    batch_size: the largest number of answers that a local model generates at once.
    seed: the seed of the draws and of the answers.
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
    """Counts of a pool's responses.

    Attributes:
    problems: the number of instructions.
    responses: the number of responses.
    cut: the number of responses that the token limit cut off.
    empty: the number of responses that are empty or white space.
    unfinished: the number of responses that ended for another reason than their own end or the token limit, for example
        because a filter of the server stopped them.
    """

    problems: int = 0
    responses: int = 0
    cut: int = 0
    empty: int = 0
    unfinished: int = 0


@dataclass(frozen=True)
class PoolRequest:
    """The request to one member of the pool about one instruction.

    Attributes:
    member: the label of the member.
    principle: the sentence in the prompt that asks for the preference, or "".
    request: the request.
    """

    member: str
    principle: str
    request: Request


def pool_requests(
    instruction: Instruction,
    members: Sequence[Member],
    settings: PoolSettings,
    prints: Mapping[str, str] | None = None,
) -> list[PoolRequest]:
    """Draw the models that answer an instruction, and return one request for each.

    prints: what `fingerprints` returns. The keys of requests depend on it, so that a changed model answers again. The
    draw depends on the task_id, the pool and the settings, and not on the other instructions.
    """
    generator = random.Random(f"{settings.seed}/{instruction.task_id}/pool")
    drawn = generator.sample(list(members), min(settings.per_problem, len(members)))
    requests = []
    for member in drawn:
        principle = ""
        if settings.principles and instruction.preference in PREFERENCES:
            principle = generator.choice(load_preference(instruction.preference).principles)
        messages: list[Message] = [{"role": "user", "content": instruction.text}]
        system = "\n\n".join(text for text in (instruction.system, principle) if text)
        if system and member.system:
            messages.insert(0, {"role": "system", "content": system})
        elif system:
            messages[0]["content"] = f"{system}\n\n{instruction.text}"
        spec = (member.model, member.base_url, messages, settings.temperature, settings.top_p, settings.max_tokens)
        own = [prints[member.label]] if prints and member.label in prints else []
        request = Request(
            key=content_hash("pool", instruction.task_id, member.label, settings.seed, *spec, *own),
            endpoint=member.label,
            messages=messages,
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_tokens=settings.max_tokens,
            seed=int(content_hash(settings.seed, instruction.task_id, member.label)[:7], 16),
        )
        requests.append(PoolRequest(member.label, principle, request))
    return requests


def fingerprints(members: Sequence[Member]) -> dict[str, str]:
    """Return the fingerprints of the models of this machine, by the member's label. Members on servers have none.

    Raises what `model_fingerprint` raises.
    """
    return {member.label: model_fingerprint(member.model) for member in members if not member.base_url}


def ask_pool(
    instructions: Instructions,
    members: Sequence[Member],
    folder: Path,
    settings: PoolSettings,
    *,
    total: int = 0,
    budget: float | None = None,
    dtype: str = "auto",
    device: str = "auto",
    log: Log = lambda text: None,
    progress: LedgerProgress | None = None,
) -> tuple[Ledger, Counter[str], Counter[str]]:
    """Ask the pool for all answers, and write them into the journal in `folder`.

    No server is asked for an answer that the journal holds already.
    total: the number of instructions. dtype, device: for local models. log: called with messages for the user.
    progress: called with the number of finished requests, the number of all requests, and the ledger. For the answers
    of local models, it gets an empty ledger.
    Returns the ledger, the number of missing answers by model and reason, and, by the same names, how many of them a
    server refuses for good. The same call asks for the missing answers again. Raises the errors of `Exchange`, and
    UserError or MachineError if a local model fails. After an error the journal keeps the answers that arrived before
    it.
    """
    missing: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    prints = fingerprints(members)
    done, wanted = 0, total * min(settings.per_problem, len(members))

    def requests(label: str) -> Iterator[Request]:
        for instruction in instructions():
            drawn = pool_requests(instruction, members, settings, prints)
            yield from (one.request for one in drawn if one.member == label)

    def count(result: RequestResult, ledger: Ledger) -> None:
        nonlocal done
        done += 1
        if result.reply is None:
            reason = f"{result.request.endpoint}: {result.reason}"
            missing[reason] += 1
            refused[reason] += result.rejected
        if progress:
            progress(done, wanted, ledger)

    remote = [member.endpoint() for member in members if member.base_url]
    ledger = Ledger()
    if remote:
        with Exchange(remote, folder, budget=budget, log=log) as exchange:
            for result in exchange.results({endpoint.name: requests(endpoint.name) for endpoint in remote}):
                count(result, exchange.ledger)
    for member in members:
        if not member.base_url:
            for result in _answer_locally(member, list(requests(member.label)), folder, settings, dtype, device, log):
                count(result, ledger)
    ledger, _ = read_journal(folder / JOURNAL)
    return ledger, missing, +refused


def collect_responses(
    instructions: Instructions, members: Sequence[Member], folder: Path, settings: PoolSettings, counts: PoolCounts
) -> Iterator[InstructionResponses]:
    """Yield each instruction with its responses from the journal, and add them to `counts`.

    A request without an answer in the journal gives no response.
    """
    _, spans = read_journal(folder / JOURNAL)
    prints = fingerprints(members)
    answers = Answers(folder / JOURNAL)
    try:
        for instruction in instructions():
            responses: list[Response] = []
            for one in pool_requests(instruction, members, settings, prints):
                if one.request.key not in spans:
                    continue
                reply = answers.read(spans[one.request.key])
                finished = reply.finish == "stop"
                counts.cut += reply.finish == "length"
                counts.unfinished += not finished and reply.finish != "length"
                counts.empty += not reply.text.strip()
                number = len(responses)
                responses.append(Response(instruction.task_id, number, one.member, reply.text, finished, one.principle))
            counts.problems += 1
            counts.responses += len(responses)
            yield InstructionResponses(instruction, tuple(responses))
    finally:
        answers.close()


def _answer_locally(
    member: Member,
    requests: Sequence[Request],
    folder: Path,
    settings: PoolSettings,
    dtype: str,
    device: str,
    log: Log,
) -> Iterator[RequestResult]:
    """Write the answers of a local model to the journal. Yield a result with an empty reply for each request.

    With an engine that uses `ask_seed`, the seed of an answer depends only on its key and on `settings.seed`. A resumed
    run then uses the same seeds as an uninterrupted run.
    """
    journal = Journal(folder / JOURNAL)
    journal.lock(wait=True)
    try:
        _, spans = read_journal(folder / JOURNAL)
        pending = []
        for request in requests:
            if request.key in spans:
                yield RequestResult(request, Reply(""), cached=True)
            else:
                pending.append(request)
        if not pending:
            return
        engine = open_engine(member.model, dtype=dtype, device=device)
        if isinstance(engine, Preparable):
            engine.prepare(batch_size=settings.batch_size, folder=None, on_tokens=lambda number: None)
        decoding = Decoding(settings.temperature, settings.top_p, settings.max_tokens)
        if getattr(engine, "moves_system", False) and any(one.messages[0]["role"] == "system" for one in pending):
            log(f"{member.label}: {FOLDED.removesuffix(KEPT)}")
        pending.sort(key=lambda request: (-_length(engine, member, request), request.key))
        asks = [Ask(request.key, "solutions", 0, request.messages) for request in pending]
        answers = engine.answers(asks, decoding, settings.seed)
        while (one := _next_answer(answers, pending)) is not None:
            place, answer = one
            _record(journal, member, pending[place], answer.text, answer.finished)
            yield RequestResult(pending[place], Reply(""), cached=False)
    finally:
        journal.close()


def _next_answer(answers: Iterator[tuple[int, Answer]], requests: Sequence[Request]) -> tuple[int, Answer] | None:
    """Return the next answer, or None after the last one.

    If the engine raises UserError, its message names a prompt by the key of its request. The UserError that is raised
    here has the beginning of the prompt in place of the key.
    """
    try:
        return next(answers, None)
    except UserError as error:
        texts = list(error.problems)
        for request in requests:
            texts = [text.replace(request.key, _start(request)) for text in texts]
        raise UserError(*texts) from error


def _length(engine: Engine, member: Member, request: Request) -> int:
    with about(f"{member.label}, {_start(request)}"):
        return engine.prompt_length(request.messages)


def _start(request: Request) -> str:
    """Return the beginning of a prompt, for messages."""
    return repr(" ".join(request.messages[-1]["content"].split())[:60])


def _record(journal: Journal, member: Member, request: Request, text: str, finished: bool) -> None:
    """Write a local answer to the journal as a call that cost nothing."""
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
    """Raise UserError if a local member names an unknown engine, or a folder that holds no model.

    Hub names are not looked up. For an engine other than Transformers, raises the errors of `open_engine`.
    """
    for member in members:
        if not member.base_url:
            model_fingerprint(member.model)
