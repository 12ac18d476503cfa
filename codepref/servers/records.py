"""Records of requests to servers, of their results, and of the account of a model. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from codepref.records import Message


@dataclass(frozen=True, slots=True)
class Request:
    """A request to one model for one answer, or for several answers to one prompt.

    Attributes:
    key: identifies the request in the journal. If the journal holds an answer to the key, the request is not sent.
    endpoint: the endpoint's name.
    messages: the chat prompt. It is empty if `prompt` is set.
    temperature, top_p, max_tokens: the decoding.
    seed: sent to the server, which may ignore it. None sends no seed.
    schema: the JSON schema that the answer should follow, or None.
    n: the number of answers that the server should draw. It may draw fewer.
    stop: texts that end an answer. The server should leave them out of the answer.
    prompt: the text that the server should continue (API /completions). None asks for a chat answer to `messages`.
    """

    key: str
    endpoint: str
    messages: Sequence[Message]
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    seed: int | None = None
    schema: Mapping[str, Any] | None = None
    n: int = 1
    stop: Sequence[str] = ()
    prompt: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the request as a JSON object. `Request(**...)` makes a request of it again."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer to a request, or its answers if the request asks for several.

    Attributes:
    text: the first answer. It lacks the thoughts that the server sends apart (see `reasoning`).
    finish: "stop" (the answer is finished), "length" (it reached a limit of tokens), "content_filter", or another
        reason that the server gives. An answer that broke off is no Reply.
    tokens_in, tokens_out: the number of tokens in the prompt and in all answers.
    estimated: whether the server did not send both token counts. If so, both are estimated from the bytes of the texts
        (see `codepref.servers.pricing`).
    reasoning: the thoughts of the model, if the server sends them apart from the answer.
    others: the further answers, as objects with "text", "finish" and perhaps "reasoning".
    dropped: the fields of the request that were left out, or sent with another value, because the server refuses them,
        such as "seed".
    model: the name of the model in the server's answer, if it differs from the name in the request.
    """

    text: str
    finish: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    estimated: bool = False
    reasoning: str = ""
    others: Sequence[Mapping[str, str]] = ()
    dropped: Sequence[str] = ()
    model: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the reply as a JSON object. Empty `reasoning`, `others`, `dropped` and `model` are left out.

        `Reply(**...)` makes a reply of it again.
        """
        optional = ("reasoning", "others", "dropped", "model")
        return {name: value for name, value in asdict(self).items() if value or name not in optional}

    def answers(self) -> list[tuple[str, str, str]]:
        """Return (text, finish, reasoning) of each answer."""
        others = [(one["text"], one["finish"], one.get("reasoning", "")) for one in self.others]
        return [(self.text, self.finish, self.reasoning), *others]


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one HTTP call.

    Attributes:
    kind: "answered"; "fault" (another attempt may succeed); "rejected" (the server will not answer this request);
        "fatal" (the server will answer no request, because of a wrong key or address, an unknown model or an
        account without credit).
    reply: the reply of an answered call.
    reason: for a fault, a short name such as "429", "timeout", "cut", "malformed" or "connect". For other failures, a
        message.
    words: for a fault, what the server or the connection said.
    retry_after: the delay in seconds that the server asked for.
    maybe_billed: whether the server may have billed the call although no usable answer arrived.
    prompt_only: whether a rejection concerns this prompt alone, for example because it is too long.
    changes: the changes of fields (see `codepref.servers.fields`) with which to try again at once, because the server
        may have refused the request for a field. It is None if no field seems to be the cause.
    """

    kind: Literal["answered", "fault", "rejected", "fatal"]
    reply: Reply | None = None
    reason: str = ""
    retry_after: float | None = None
    maybe_billed: bool = False
    prompt_only: bool = False
    changes: Mapping[str, tuple[str, Any] | None] | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class RequestResult:
    """The final result of a request.

    Attributes:
    request: the request.
    reply: the reply, or None if the request got none.
    reason: why there is no reply.
    cached: whether the journal held the reply already, so that no call was made.
    rejected: whether the server refuses this request for good, for example because its prompt is too long.
    """

    request: Request
    reply: Reply | None = None
    reason: str = ""
    cached: bool = False
    rejected: bool = False


@dataclass(slots=True)
class Account:
    """The calls to one model and their cost, over all runs that share a journal.

    Attributes:
    attempts: the number of calls.
    answered: the number of calls with a usable answer.
    faults: the number of failed calls by reason, such as "429", "timeout" or "rejected".
    unknown: the number of calls that were running when their process died.
    tokens_in, tokens_out: the tokens of the answered calls, with estimates where the server sent no counts.
    estimated: the number of answers for which the server did not send both token counts.
    dollars: the cost of the answers.
    at_most: the highest possible cost of the calls that may have been billed without a usable answer, such as calls
        that timed out and unknown calls.
    seconds: the sum of the durations of all calls except the unknown ones.
    dropped: the number of answered calls in which a refused field was left out or had another value, by field.
    models: the number of answered calls by the model's name in the answer, where it differs from the name in the call.
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
    dropped: dict[str, int] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)
