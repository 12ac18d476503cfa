"""The process that makes the calls: requests on stdin, outcomes on stdout, every attempt in the journal.

It is a process of its own so that nothing paid for is lost: when the one that asked is killed, stdin ends, the calls
under way are waited for and written down, and only then does this one leave. The next run begins where it ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codepref.config.endpoint import Endpoint
from codepref.servers.backoff import delay
from codepref.servers.client import Client
from codepref.servers.journal import Journal
from codepref.servers.pricing import Budget, cost_at_most, cost_of
from codepref.servers.records import Attempt, Request

LONGEST_LINE = 2**28
"""Bytes of one request at most."""

LOST_IN_A_ROW = 20
"""So many requests given up one after another: the server is gone, and going on would only make holes."""

REJECTED_FIRST = 3
"""So many requests rejected before any was answered: it is not the requests."""

SYNC_SECONDS = 1.0

Say = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True)
class Job:
    """A request and how many attempts at it have failed."""

    request: Request
    failed: int = 0


@dataclass
class Lane:
    """One endpoint: what waits for it, who is busy, and until when it asked to be left alone."""

    endpoint: Endpoint
    client: Client
    queue: asyncio.Queue[Job] = field(default_factory=asyncio.Queue)
    workers: list[asyncio.Task[None]] = field(default_factory=list)
    busy: set[asyncio.Task[Any]] = field(default_factory=set)
    quiet_until: float = 0.0
    lost: int = 0
    answers: int = 0

    async def quiet(self) -> None:
        """Wait until the server takes calls again."""
        while (left := self.quiet_until - time.monotonic()) > 0:
            await asyncio.sleep(left)


class Caller:
    """Runs the lanes. `say` tells the asking process; `journal` keeps."""

    def __init__(self, endpoints: list[Endpoint], journal: Journal, budget: Budget, say: Say) -> None:
        self.lanes = {endpoint.name: Lane(endpoint, Client(endpoint)) for endpoint in endpoints}
        self.journal, self.budget, self.say = journal, budget, say
        self.over = False
        self.generator = random.Random()
        self._settled = asyncio.Condition()
        self._checked: asyncio.Task[bool] | None = None

    def take(self, request: Request) -> None:
        """A request came in: into its lane, which begins to work with the first one."""
        lane = self.lanes[request.endpoint]
        lane.queue.put_nowait(Job(request))
        if self._checked is None:
            self._checked = asyncio.create_task(self._check())
        if len(lane.workers) < lane.endpoint.concurrency:
            lane.workers.append(asyncio.create_task(self._work(lane)))

    async def leave(self) -> None:
        """Nothing new; wait for the calls under way and keep their answers."""
        self.over = True
        async with self._settled:
            self._settled.notify_all()
        workers = [worker for lane in self.lanes.values() for worker in lane.workers]
        for lane in self.lanes.values():
            for worker in lane.workers:
                if worker not in lane.busy:
                    worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for lane in self.lanes.values():
            await lane.client.close()

    async def _check(self) -> bool:
        """Before the first paid call: whether every endpoint can be used at all."""
        found = await asyncio.gather(*(lane.client.check() for lane in self.lanes.values()))
        if wrong := [reason for reason in found if reason]:
            self._stop("user", *wrong)
        return not wrong

    async def _work(self, lane: Lane) -> None:
        me = asyncio.current_task()
        assert me is not None
        assert self._checked is not None
        if not await self._checked:
            return
        while not self.over:
            job = await lane.queue.get()
            await lane.quiet()
            most = cost_at_most(lane.endpoint, job.request)
            if not await self._afford(most):
                return
            lane.busy.add(me)
            try:
                await self._attempt(lane, job, most)
            except OSError as error:
                self._stop("machine", f"{self.journal.path}: cannot be written ({error.strerror}). Free some space")
            finally:
                lane.busy.discard(me)

    async def _afford(self, most: float) -> bool:
        """Reserve the highest cost of a call, when need be after others have told theirs. False: no call any more."""
        async with self._settled:
            while not self.over:
                if self.budget.fits(most):
                    self.budget.begin(most)
                    return True
                if self.budget.hopeless(most):
                    self._stop("budget")
                    return False
                await self._settled.wait()
        return False

    async def _attempt(self, lane: Lane, job: Job, most: float) -> None:
        request, endpoint = job.request, lane.endpoint
        self._keep({"k": request.key, "e": endpoint.name, "b": most})
        begun = time.monotonic()
        attempt = await lane.client.ask(request)
        line: dict[str, Any] = {"k": request.key, "e": endpoint.name, "s": round(time.monotonic() - begun, 4)}
        if attempt.reply is not None:
            actual = cost_of(endpoint, attempt.reply)
            told = line | {"c": actual, "a": asdict(attempt.reply)}
            span = self.journal.append(told)
            reply = {key: value for key, value in told["a"].items() if key != "text"}
            self.say(line | {"c": actual, "a": reply, "span": span})
            lane.lost = 0
            lane.answers += 1
        else:
            actual = most if attempt.doubt else 0.0
            reason = "rejected" if attempt.kind == "rejected" else attempt.reason
            self._keep(line | {"x": "refused" if attempt.kind == "fatal" else reason, "d": actual})
            self._fail(lane, job, attempt)
        async with self._settled:
            self.budget.end(most, actual)
            self._settled.notify_all()

    def _fail(self, lane: Lane, job: Job, attempt: Attempt) -> None:
        """After an attempt without an answer: again later, give the request up, or give up altogether."""
        if attempt.kind == "fatal":
            self._stop("user", attempt.reason)
            return
        if attempt.kind == "fault" and (attempt.unschemed or job.failed < lane.endpoint.retries):
            wait = delay(job.failed, attempt.retry_after, self.generator) if not attempt.unschemed else 0.0
            if attempt.retry_after and not attempt.unschemed:
                lane.quiet_until = max(lane.quiet_until, time.monotonic() + attempt.retry_after)
            again = Job(job.request, job.failed + (not attempt.unschemed))
            # back into the queue, not asleep here: a call that waits must not keep a place that another could use
            asyncio.get_running_loop().call_later(wait, lane.queue.put_nowait, again)
            return
        self.say({"lost": job.request.key, "e": lane.endpoint.name, "reason": attempt.reason})
        lane.lost += 1
        if attempt.kind == "rejected" and not lane.answers and lane.lost >= REJECTED_FIRST:
            self._stop("user", f"{lane.endpoint.name}: its server rejects every request: {attempt.reason}")
        elif lane.lost >= LOST_IN_A_ROW:
            self._stop(
                "server",
                f"{lane.endpoint.name}: {lane.lost} requests in a row got no answer (the last: {attempt.reason})",
            )

    def _keep(self, line: dict[str, Any]) -> None:
        self.journal.append(line)
        self.say(line)

    def _stop(self, why: str, *reasons: str) -> None:
        if not self.over:
            self.over = True
            self.say({"stop": why, "reasons": reasons})


async def serve(journal: Journal, setup: Mapping[str, Any], reader: asyncio.StreamReader, say: Say) -> None:
    """Take the journal, tell so, take requests until stdin ends, and leave."""
    if not await _take(journal, setup, say):
        return
    say({"locked": True})
    spent = json.loads(await reader.readline() or b'{"spent": 0}')["spent"]
    endpoints = [Endpoint(**fields) for fields in setup["endpoints"]]
    caller = Caller(endpoints, journal, Budget(setup["budget"], spent), say)
    syncing = asyncio.create_task(_sync(journal))
    while line := await reader.readline():
        caller.take(Request(**json.loads(line)))
    await caller.leave()
    syncing.cancel()


async def _take(journal: Journal, setup: Mapping[str, Any], say: Say) -> bool:
    """The journal for this process alone: at once, or when the last calls of a run that was killed are written down."""
    holder = journal.path.with_suffix(".pid")
    if not journal.lock(wait=False):
        asking = holder.read_text() if holder.exists() else ""
        if asking.isdigit() and Path(f"/proc/{asking}").exists():
            say({"stop": "user", "reasons": [f"{journal.path.parent}: another codepref (process {asking}) is at work"]})
            return False
        say({"waiting": True})
        await asyncio.get_running_loop().run_in_executor(None, lambda: journal.lock(wait=True))
    holder.write_text(str(setup["asking"]))
    return True


async def _sync(journal: Journal) -> None:
    while True:
        await asyncio.sleep(SYNC_SECONDS)
        with contextlib.suppress(OSError):  # a full disk is told by the next append
            await asyncio.get_running_loop().run_in_executor(None, journal.sync)


async def main() -> None:
    """Speak over stdin and stdout."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    out, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(os.dup(1), "wb"))

    def say(line: Mapping[str, Any]) -> None:
        if not out.is_closing():  # whoever asked may be gone
            out.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    setup = json.loads(await reader.readline() or b"{}")
    if not setup:
        return
    journal = Journal(Path(setup["journal"]))
    try:
        await serve(journal, setup, reader, say)
    finally:
        journal.close()
        out.close()


if __name__ == "__main__":
    asyncio.run(main())
