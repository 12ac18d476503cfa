"""Makes the calls to servers. Each endpoint has a queue of requests and one or several workers.

A call that failed for a temporary reason is repeated, up to the endpoint's `retries`. A call begins only if its highest
cost fits into the budget. Every attempt is written to the journal.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from codepref.config.endpoint import Endpoint
from codepref.servers.backoff import delay
from codepref.servers.client import Client
from codepref.servers.journal import Journal
from codepref.servers.lanes import Job, Lane, pause_note
from codepref.servers.pricing import Budget, cost_of, max_cost
from codepref.servers.records import Attempt, Request
from codepref.servers.server import Server, servers_of

MAX_GIVEN_UP = 20
"""When an endpoint has given no answer to this number of requests in a row, no further call to any server begins.

Rejected requests count only before the endpoint's first answer, and only if the prompt alone is not the cause.
"""

MAX_REJECTED_IN_A_ROW = 200
"""When an endpoint has rejected this number of requests in a row, no further call to any server begins."""

MAX_PAUSE = 600.0
"""The longest pause of a server in seconds. If the server asks for a longer one, calls begin again after this time."""

NOTED_PAUSE = 20.0
"""If a server asks for a pause of at least this number of seconds, and no pause is running, the user gets a message."""

MAX_CHANGES = 12
"""The largest number of times that one request is tried again at once with changed fields."""

MAX_REJECTED = 3
"""No further call begins if an endpoint that has answered nothing in this run rejects a request, and at least this
number of its requests were given up.

Requests that were rejected for their prompt alone do not count.
"""

FAULTS_BEFORE_NOTE = 5
"""After this number of faults of one server in a row, the user gets a message."""

NOTE_SECONDS = 60.0
"""The smallest number of seconds between two messages about the faults of one server. Pauses have other messages."""

Notify = Callable[[Mapping[str, Any]], None]
"""A function that sends a message to the parent process."""


class Caller:
    """Makes the calls to all endpoints. It writes each attempt to `journal` and reports it through `notify`.

    only_listed: as in `codepref.servers.exchange.Exchange`.
    """

    def __init__(
        self,
        endpoints: list[Endpoint],
        journal: Journal,
        budget: Budget,
        notify: Notify,
        *,
        only_listed: bool = False,
    ) -> None:
        self.lanes = {endpoint.name: Lane(endpoint, servers_of(endpoint)) for endpoint in endpoints}
        self.journal, self.budget, self.notify = journal, budget, notify
        self.only_listed, self.stopping = only_listed, False
        self.generator = random.Random()
        self._budget_changed = asyncio.Condition()
        self._check: asyncio.Task[bool] | None = None

    def submit(self, request: Request) -> None:
        """Queue a request. The first request starts the check of all endpoints."""
        lane = self.lanes[request.endpoint]
        lane.queue.put_nowait(Job(request))
        if self._check is None:
            self._check = asyncio.create_task(self._check_endpoints())
        if len(lane.workers) < lane.endpoint.concurrency * len(lane.servers):
            server = lane.servers[len(lane.workers) % len(lane.servers)]
            lane.workers.append(asyncio.create_task(self._work(lane, server)))

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
            for server in lane.servers:
                await server.client.close()

    async def _check_endpoints(self) -> bool:
        """Check all endpoints, and return whether no check found a mistake. Workers wait for the result."""
        clients = [server.client for lane in self.lanes.values() for server in lane.servers]
        reasons = await asyncio.gather(*(client.check(only_listed=self.only_listed) for client in clients))
        for client in clients:
            self._pass_notes(client)
        if mistakes := [reason for reason in reasons if reason]:
            self._stop("user", *mistakes)
        return not mistakes

    async def _work(self, lane: Lane, server: Server) -> None:
        worker = asyncio.current_task()
        assert worker is not None
        assert self._check is not None
        if not await self._check:
            return
        while not self.stopping:
            await server.wait_until_open()
            job = await lane.queue.get()
            if server.is_quiet():
                lane.queue.put_nowait(job)
                continue
            await server.room.acquire(job.request.n)
            highest = max_cost(lane.endpoint, job.request)
            if not await self._reserve(highest):
                return
            lane.busy.add(worker)
            try:
                await self._attempt(lane, server, job, highest)
            except OSError as error:
                self._stop(
                    "machine",
                    f"cannot write {self.journal.path} ({error.strerror}). Free some space if the disk is full",
                )
            except Exception as error:  # noqa: BLE001 - without a message the other process would wait for ever
                self._give_up(lane, job, Attempt("fault", reason="failed", words=f"{type(error).__name__}: {error}"))
            finally:
                server.room.release(job.request.n)
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

    async def _attempt(self, lane: Lane, server: Server, job: Job, highest: float) -> None:
        self._record({"k": job.request.key, "e": lane.endpoint.name, "b": highest})
        actual = highest
        try:
            actual = await self._make_call(lane, server, job, highest)
        finally:
            async with self._budget_changed:
                self.budget.end(highest, actual)
                self._budget_changed.notify_all()

    async def _make_call(self, lane: Lane, server: Server, job: Job, highest: float) -> float:
        """Make one call, record its result, and return the cost with which it counts. highest: its highest cost."""
        request, endpoint = job.request, lane.endpoint
        begun = time.monotonic()
        attempt = await server.client.ask(request, job.changes)
        self._pass_notes(server.client)
        line: dict[str, Any] = {"k": request.key, "e": endpoint.name, "s": round(time.monotonic() - begun, 4)}
        if attempt.reply is not None:
            actual = cost_of(endpoint, attempt.reply)
            reply = attempt.reply.to_json()
            span = self.journal.append(line | {"c": actual, "a": reply})
            # the parent process reads the text from the journal
            without_text = {key: value for key, value in reply.items() if key not in ("text", "reasoning", "others")}
            self.notify(line | {"c": actual, "a": without_text, "span": span})
            lane.given_up = lane.rejected = server.faults = 0
            lane.answers += 1
        else:
            actual = highest if attempt.maybe_billed else 0.0
            reason = {"rejected": "rejected", "fatal": "refused"}.get(attempt.kind, attempt.reason)
            self._record(line | {"x": reason, "d": actual})
            self._handle_failure(lane, server, job, attempt)
        return actual

    def _handle_failure(self, lane: Lane, server: Server, job: Job, attempt: Attempt) -> None:
        """Handle an attempt without an answer: queue the job again, give its request up, or stop all calls."""
        if attempt.kind == "fatal":
            self._stop("user", attempt.reason)
            return
        if attempt.changes is not None and job.changed < MAX_CHANGES:
            # this needs no delay and uses up no retry
            self._queue(lane, Job(job.request, job.failed, attempt.changes, job.changed + 1), 0.0)
            return
        if attempt.kind == "fault":
            self._note_fault(lane, server, attempt)
        if attempt.reason == "connect" and lane.other_answers(server):
            lane.queue.put_nowait(job)
        elif attempt.kind == "fault" and job.failed < lane.endpoint.retries:
            self._retry(lane, job, attempt)
        else:
            self._give_up(lane, job, attempt)

    def _give_up(self, lane: Lane, job: Job, attempt: Attempt) -> None:
        """Report that a request gets no answer. Stop all calls if too many requests got none."""
        reason, name, rejected = lane.reason(attempt), lane.endpoint.name, attempt.kind == "rejected"
        self.notify({"given_up": job.request.key, "e": name, "reason": reason, "rejected": rejected})
        lane.rejected += rejected
        # after an answer, a rejection says nothing about the server; a rejection for the prompt alone never does
        lane.given_up += not rejected or not (lane.answers or attempt.prompt_only)
        if rejected and not lane.answers and lane.given_up >= MAX_REJECTED:
            self._stop(
                "user", f"{name}: {lane.given_up} requests got no answer, and the server rejected the last ({reason})"
            )
        elif lane.given_up >= MAX_GIVEN_UP or lane.rejected >= MAX_REJECTED_IN_A_ROW:
            count = max(lane.given_up, lane.rejected)
            self._stop("server", f"{name}: {count} requests in a row got no answer (last failure: {reason})")

    def _note_fault(self, lane: Lane, server: Server, attempt: Attempt) -> None:
        """Count a fault of a server, send messages about it to the user, and pause the server if it asks for a pause.

        If another server of the endpoint has no faults, the server is paused in any case.
        """
        server.faults += 1
        place, pause = f"{lane.endpoint.name} at {server.client.place}", min(attempt.retry_after or 0.0, MAX_PAUSE)
        recent = time.monotonic() - server.noted < NOTE_SECONDS
        if pause >= NOTED_PAUSE and not server.is_quiet():
            self.notify({"note": pause_note(place, attempt, pause)})
        elif attempt.reason == "connect" and not recent:
            server.noted = time.monotonic()
            self.notify({"note": f"{place}: no connection can be made ({attempt.words}). Trying again"})
        elif server.faults >= FAULTS_BEFORE_NOTE and not recent:
            server.noted = time.monotonic()
            text = f"{server.faults} calls in a row got no answer (last failure: {lane.reason(attempt)})"
            self.notify({"note": f"{place}: {text}. Trying again"})
        if lane.other_answers(server):
            pause = delay(server.faults - 1, pause, self.generator)
        if pause:
            server.pause(pause)

    def _pass_notes(self, client: Client) -> None:
        for note in client.take_notes():
            self.notify({"note": note})

    def _retry(self, lane: Lane, job: Job, attempt: Attempt) -> None:
        """Queue a job again after a delay."""
        wait = delay(job.failed, min(attempt.retry_after or 0.0, MAX_PAUSE), self.generator)
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
