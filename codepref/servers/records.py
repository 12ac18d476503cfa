"""What a server is, what is asked of it, and what came of one attempt. Plain data that crosses a pipe as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from codepref.records import Message


@dataclass(frozen=True, slots=True)
class Request:
    """One answer wanted. `key` names it for good: a request whose key was answered is never sent again.

    schema: JSON schema that the answer should follow, or None. seed: sent to the server, which may heed it.
    """

    key: str
    endpoint: str
    messages: Sequence[Message]
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    seed: int | None = None
    schema: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, read back by `Request(**...)`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered. finish: "stop", "length" (cut at max_tokens), "content_filter", or the server's own word.

    estimated: the server told no token counts, and these are upper bounds.
    """

    text: str
    finish: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one HTTP call.

    kind: "answered"; "fault" (may go well next time); "rejected" (the server will not answer this request); "fatal"
    (no request to this server can go well: wrong key, unknown model). reason: the fault's short name ("429", "timeout",
    "cut", "malformed", "connect"), or what the server said. retry_after: seconds that the server asked to wait.
    doubt: the server may have answered, and billed, without our getting it. unschemed: it refuses JSON schemas.
    """

    kind: Literal["answered", "fault", "rejected", "fatal"]
    reply: Reply | None = None
    reason: str = ""
    retry_after: float | None = None
    doubt: bool = False
    unschemed: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended: with a reply, or without one and the reason. known: answered by an earlier run."""

    request: Request
    reply: Reply | None = None
    reason: str = ""
    known: bool = False


@dataclass(slots=True)
class Account:
    """What one model was asked and what it cost, over all runs that share a journal.

    attempts: HTTP calls. answered: of them, with a usable answer. faults: the others by kind, "rejected" too. unknown:
    calls that were under way when a process died. dollars: what the answers cost; at_most: dollars more that timed-out,
    cut and unknown calls may have cost. seconds: the calls' own time, summed.
    """

    attempts: int = 0
    answered: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    unknown: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    estimated: int = 0
    dollars: float = 0.0
    at_most: float = 0.0
    seconds: float = 0.0
