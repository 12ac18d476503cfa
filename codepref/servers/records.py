"""Requests to servers, replies, and the account of a model. Plain data that crosses a pipe as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from codepref.records import Message


@dataclass(frozen=True, slots=True)
class Request:
    """A request for one answer of one model.

    key: identifies the request in the journal. A request whose key has an answer there is never sent again.
    endpoint: the endpoint's name. seed: passed on to the server, which may ignore it.
    schema: the JSON schema that the answer should follow, or None.
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
        """The request as plain JSON. `Request(**...)` reads it back."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer.

    finish: "stop", "length" (the answer reached max_tokens), "content_filter", or another reason that the server gives.
    estimated: the server sent no token counts, so that tokens_in and tokens_out are upper bounds.
    """

    text: str
    finish: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one HTTP call.

    kind: "answered"; "fault" (another attempt may succeed); "rejected" (the server will not answer this request);
    "fatal" (the server will answer no request, because of a wrong key or an unknown model).
    reason: a fault's short name ("429", "timeout", "cut", "malformed", "connect"), or the server's message.
    retry_after: the delay in seconds that the server asked for.
    maybe_billed: the server may have answered and billed, although no answer arrived.
    schema_rejected: the server refused the JSON schema.
    """

    kind: Literal["answered", "fault", "rejected", "fatal"]
    reply: Reply | None = None
    reason: str = ""
    retry_after: float | None = None
    maybe_billed: bool = False
    schema_rejected: bool = False


@dataclass(frozen=True, slots=True)
class RequestResult:
    """The final result of a request: a reply, or None and the reason. cached: the reply comes from the journal."""

    request: Request
    reply: Reply | None = None
    reason: str = ""
    cached: bool = False


@dataclass(slots=True)
class Account:
    """The calls to one model and their cost, over all runs that share a journal.

    attempts: HTTP calls. answered: those with a usable answer. faults: the others by kind, including "rejected".
    unknown: calls that were running when a process died. estimated: answers without token counts from the server.
    dollars: the cost of the answers. at_most: the highest possible cost of calls that timed out, were cut off, or are
    unknown. seconds: the duration of all calls, summed.
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
