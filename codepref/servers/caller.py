"""Makes the calls to servers. Each endpoint has a queue of requests and several workers.

A call that failed for a temporary reason is repeated, up to the endpoint's `retries`. A call begins only if its highest
cost fits into the budget. Every attempt is written to the journal.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from codepref.config.endpoint import Endpoint
from codepref.servers.backoff import delay
from codepref.servers.client import Client
from codepref.servers.fields import Changes
from codepref.servers.journal import Journal
from codepref.servers.pricing import Budget, cost_of, max_cost
from codepref.servers.records import Attempt, Request

MAX_GIVEN_UP = 20
"""When a server has given no answer to this number of requests in a row, no further call to any server begins."""

MAX_REJECTED_IN_A_ROW = 200
"""When a server has rejected this number of requests in a row, no further call to any server begins."""

MAX_PAUSE = 600.0
"""The longest pause in seconds that a server gets. If it asks for a longer one, it is asked again after this time."""

NOTED_PAUSE = 20.0
"""The user is told of a pause of at least this number of seconds."""

MAX_CHANGES = 12
"""How often one request is tried again at once with other fields."""

MAX_REJECTED = 3
"""No further call begins if a server that has answered nothing in this run rejects a request, and at least this number
of its requests were given up.

The rejected request is one of the requests that were given up.
"""

Notify = Callable[[Mapping[str, Any]], None]
"""A function that sends a message to the parent process."""


@dataclass(slots=True)
class Job:
    """A request in the queue.

    Attributes:
    request: the request.
    failed: how many attempts at it have failed. Refusals of a field do not count.
    changes: changes of fields that are on trial.
    changed: how often the request was tried again with other fields.
    """

    request: Request
    failed: int = 0
    changes: Changes | None = None
    changed: int = 0


@dataclass
class Lane:
    """The calls to one endpoint.

    Attributes:
    queue: the waiting jobs.
    workers: the tasks that take jobs from the queue.
    busy: the workers that are in a call.
    quiet_until: the end of the pause that the server asked for, as a value of `time.monotonic`.
    given_up: the number of requests that were given up since the last answer.
    rejected: the number of requests that were rejected since the last answer.
    examples: the first words of each shape of failure, so that failures with other numbers in them count together.
    answers: the number of answers in this run.
    """

    endpoint: Endpoint
    client: Client
    queue: asyncio.Queue[Job] = field(default_factory=asyncio.Queue)
    workers: list[asyncio.Task[None]] = field(default_factory=list)
    busy: set[asyncio.Task[Any]] = field(default_factory=set)
    quiet_until: float = 0.0
    given_up: int = 0
    rejected: int = 0
    answers: int = 0
    examples: dict[str, str] = field(default_factory=dict)

    def reason(self, attempt: Attempt) -> str:
        """Return the reason why a request is given up. Equal reasons with other numbers or ids get the same text."""
        text = f"{attempt.reason}: {attempt.words}" if attempt.words else attempt.reason
        return self.examples.setdefault(re.sub(r"[0-9a-fA-F-]{8,}|\d+", "#", text), text)

    async def wait_until_open(self) -> None:
        """Wait until the pause that the server asked for is over."""
        while (left := self.quiet_until - time.monotonic()) > 0:
            await asyncio.sleep(left)


class Caller:
    """Makes the calls to all endpoints. It writes each attempt to `journal` and reports it through `notify`."""

    def __init__(self, endpoints: list[Endpoint], journal: Journal, budget: Budget, notify: Notify) -> None:
        self.lanes = {endpoint.name: Lane(endpoint, Client(endpoint)) for endpoint in endpoints}
        self.journal, self.budget, self.notify = journal, budget, notify
        self.stopping = False
        self.generator = random.Random()
        self._budget_changed = asyncio.Condition()
        self._check: asyncio.Task[bool] | None = None

    def submit(self, request: Request) -> None:
        """Queue a request. The first request starts the check of all endpoints."""
        lane = self.lanes[request.endpoint]
        lane.queue.put_nowait(Job(request))
        if self._check is None:
            self._check = asyncio.create_task(self._check_endpoints())
        if len(lane.workers) < lane.endpoint.concurrency:
            lane.workers.append(asyncio.create_task(self._work(lane)))

    async def close(self) -> None:
        """Begin no further call, wait for the running calls, and close the connections.

        The journal keeps the answers of the running calls.
        """
        self.stopping = True
        async with self._budget_changed:
            self._budget_changed.notify_all()
        workers = [worker for lane in self.lanes.values() for worker in lane.workers]
        for lane in self.lanes.values():
            for worker in lane.workers:
                if worker not in lane.busy:
                    worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for lane in self.lanes.values():
            await lane.client.close()

    async def _check_endpoints(self) -> bool:
        """Check all endpoints, and return whether no check found a mistake. No worker makes a call before that."""
        reasons = await asyncio.gather(*(lane.client.check() for lane in self.lanes.values()))
        for lane in self.lanes.values():
            for note in lane.client.take_notes():
                self.notify({"note": note})
        if mistakes := [reason for reason in reasons if reason]:
            self._stop("user", *mistakes)
        return not mistakes

    async def _work(self, lane: Lane) -> None:
        worker = asyncio.current_task()
        assert worker is not None
        assert self._check is not None
        if not await self._check:
            return
        while not self.stopping:
            job = await lane.queue.get()
            await lane.wait_until_open()
            highest = max_cost(lane.endpoint, job.request)
            if not await self._reserve(highest):
                return
            lane.busy.add(worker)
            try:
                await self._attempt(lane, job, highest)
            except OSError as error:
                self._stop(
                    "machine",
                    f"cannot write {self.journal.path} ({error.strerror}). Free some space if the disk is full",
                )
            except Exception as error:  # noqa: BLE001 - without a message the other process would wait for ever
                self._give_up(lane, job, Attempt("fault", reason="failed", words=f"{type(error).__name__}: {error}"))
            finally:
                lane.busy.discard(worker)

    async def _reserve(self, highest: float) -> bool:
        """Reserve the highest cost of a call, and return True. Return False if no further call may begin.

        If the call would fit only if the running calls cost less than was reserved for them, wait until they end.
        """
        async with self._budget_changed:
            while not self.stopping:
                if self.budget.fits(highest):
                    self.budget.begin(highest)
                    return True
                if self.budget.never_fits(highest):
                    self._stop("budget")
                    return False
                await self._budget_changed.wait()
        return False

    async def _attempt(self, lane: Lane, job: Job, highest: float) -> None:
        self._record({"k": job.request.key, "e": lane.endpoint.name, "b": highest})
        actual = highest
        try:
            actual = await self._make_call(lane, job, highest)
        finally:
            async with self._budget_changed:
                self.budget.end(highest, actual)
                self._budget_changed.notify_all()

    async def _make_call(self, lane: Lane, job: Job, highest: float) -> float:
        """Make one call, record its result, and return the cost with which it counts. highest: its highest cost."""
        request, endpoint = job.request, lane.endpoint
        begun = time.monotonic()
        attempt = await lane.client.ask(request, job.changes)
        for note in lane.client.take_notes():
            self.notify({"note": note})
        line: dict[str, Any] = {"k": request.key, "e": endpoint.name, "s": round(time.monotonic() - begun, 4)}
        if attempt.reply is not None:
            actual = cost_of(endpoint, attempt.reply)
            reply = attempt.reply.to_json()
            span = self.journal.append(line | {"c": actual, "a": reply})
            # the parent process reads the text from the journal
            without_text = {key: reply[key] for key in ("finish", "tokens_in", "tokens_out", "estimated")}
            self.notify(line | {"c": actual, "a": without_text, "span": span})
            lane.given_up = lane.rejected = 0
            lane.answers += 1
        else:
            actual = highest if attempt.maybe_billed else 0.0
            reason = {"rejected": "rejected", "fatal": "refused"}.get(attempt.kind, attempt.reason)
            self._record(line | {"x": reason, "d": actual})
            self._handle_failure(lane, job, attempt)
        return actual

    def _handle_failure(self, lane: Lane, job: Job, attempt: Attempt) -> None:
        """Handle an attempt without an answer: queue the job again, give its request up, or stop all calls."""
        if attempt.kind == "fatal":
            self._stop("user", attempt.reason)
            return
        if attempt.changes is not None and job.changed < MAX_CHANGES:
            # without a delay, and without using up a retry
            self._queue(lane, Job(job.request, job.failed, attempt.changes, job.changed + 1), 0.0)
        elif attempt.kind == "fault" and job.failed < lane.endpoint.retries:
            self._retry(lane, job, attempt)
        else:
            self._give_up(lane, job, attempt)

    def _give_up(self, lane: Lane, job: Job, attempt: Attempt) -> None:
        """Report that a request gets no answer. Stop all calls if the server gives no answers at all."""
        reason, name, rejected = lane.reason(attempt), lane.endpoint.name, attempt.kind == "rejected"
        self.notify({"given_up": job.request.key, "e": name, "reason": reason, "rejected": rejected})
        lane.rejected += rejected
        # after an answer, a rejected request says nothing about the server, and a held back prompt never does
        lane.given_up += not rejected or not (lane.answers or attempt.prompt_only)
        if rejected and not lane.answers and lane.given_up >= MAX_REJECTED:
            self._stop(
                "user", f"{name}: {lane.given_up} requests got no answer, and the server rejected the last ({reason})"
            )
        elif lane.given_up >= MAX_GIVEN_UP or lane.rejected >= MAX_REJECTED_IN_A_ROW:
            count = max(lane.given_up, lane.rejected)
            self._stop("server", f"{name}: {count} requests in a row got no answer (last failure: {reason})")

    def _retry(self, lane: Lane, job: Job, attempt: Attempt) -> None:
        """Queue a job again after a delay."""
        pause = min(attempt.retry_after or 0.0, MAX_PAUSE)
        wait = delay(job.failed, pause, self.generator)
        until = time.monotonic() + pause
        if pause >= NOTED_PAUSE and until > lane.quiet_until + NOTED_PAUSE / 2:
            self.notify({"note": pause_note(lane.endpoint.name, attempt, pause)})
        if pause:
            lane.quiet_until = max(lane.quiet_until, until)
        self._queue(lane, Job(job.request, job.failed + 1, job.changes, job.changed), wait)

    def _queue(self, lane: Lane, job: Job, wait: float) -> None:
        # a timer puts the job back into the queue, so that the worker is free for other calls during the delay
        asyncio.get_running_loop().call_later(wait, lane.queue.put_nowait, job)

    def _record(self, line: dict[str, Any]) -> None:
        self.journal.append(line)
        self.notify(line)

    def _stop(self, cause: str, *reasons: str) -> None:
        if not self.stopping:
            self.stopping = True
            self.notify({"stop": cause, "reasons": reasons})


def pause_note(name: str, attempt: Attempt, pause: float) -> str:
    """Return the message on a long pause that a server asks for. pause: the seconds until the next call."""
    words = f"{attempt.reason}: {attempt.words}" if attempt.words else attempt.reason
    asked = duration(attempt.retry_after or 0.0)
    text = f"{name}: the server asks to wait {asked} ({words})"
    if attempt.retry_after and attempt.retry_after > pause:
        text += f". The next call is tried in {duration(pause)}"
    return f"{text}. Ctrl-C ends the command, and the same command continues later"


def duration(seconds: float) -> str:
    """Return a number of seconds in words, such as "72 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
