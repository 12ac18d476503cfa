"""The jobs of one endpoint, and the messages about its servers."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

from codepref.config.endpoint import Endpoint
from codepref.servers.fields import Changes
from codepref.servers.records import Attempt, Request
from codepref.servers.server import Server


@dataclass(slots=True)
class Job:
    """A request in the queue.

    Attributes:
    request: the request.
    failed: the number of retries that the request has used up.
    changes: the changes of fields that are on trial, or None.
    changed: the number of times that the request was tried again with changed fields.
    """

    request: Request
    failed: int = 0
    changes: Changes | None = None
    changed: int = 0


@dataclass
class Lane:
    """The calls to one endpoint. Its servers take jobs from one queue, so that a faster server makes more calls.

    Attributes:
    servers: the servers of the endpoint.
    queue: the waiting jobs.
    workers: the tasks that take jobs from the queue.
    busy: the workers that are in a call.
    given_up: the number of requests that were given up since the last answer. Some rejected ones do not count (see
        `codepref.servers.caller.MAX_GIVEN_UP`).
    rejected: the number of requests that were rejected since the last answer.
    answers: the number of answers in this run.
    examples: the first reason of each form. Reasons that differ only in numbers or ids have the same form.
    """

    endpoint: Endpoint
    servers: list[Server]
    queue: asyncio.Queue[Job] = field(default_factory=asyncio.Queue)
    workers: list[asyncio.Task[None]] = field(default_factory=list)
    busy: set[asyncio.Task[Any]] = field(default_factory=set)
    given_up: int = 0
    rejected: int = 0
    answers: int = 0
    examples: dict[str, str] = field(default_factory=dict)

    def reason(self, attempt: Attempt) -> str:
        """Return the reason why a request is given up. See `examples`."""
        text = f"{attempt.reason}: {attempt.words}" if attempt.words else attempt.reason
        return self.examples.setdefault(re.sub(r"[0-9a-fA-F-]{8,}|\d+", "#", text), text)

    def other_answers(self, server: Server) -> bool:
        """Return whether another server of the endpoint has had no fault since its last answer or the start."""
        return any(other.faults == 0 for other in self.servers if other is not server)


def pause_note(name: str, attempt: Attempt, pause: float) -> str:
    """Return the message about a pause that a server asks for. pause: the seconds until the next call."""
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
