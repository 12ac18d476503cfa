"""Reads the errors that servers send in many forms, and decides what an error concerns. Pure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from codepref.config.endpoint import Endpoint

MAX_WORDS = 300
"""The largest number of characters of a server's words in a message."""

Concern = Literal["key", "credit", "model", "address", "busy", "request"]
"""What an error concerns: all calls ("key", "credit", "model", "address"), the moment ("busy"), or one request."""

_TEXT_KEYS = ("message", "msg", "detail", "error", "errors", "details", "error_message", "errorMessage", "error_msg")
_MORE_TEXT_KEYS = ("error_description", "description", "status_msg", "reason", "title", "base_resp", "fault", "text")
_NESTED_KEYS = ("metadata", "raw", "innererror", "inner_error", "cause")
_CODE_KEYS = ("code", "type", "status", "error_code", "status_code", "statusCode")

_STATUS_OF_CODE = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "resource_exhausted": 429,
    "overloaded_error": 529,
    "server_error": 500,
    "internal_server_error": 500,
    "api_error": 500,
    "unavailable": 503,
    "timeout_error": 504,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "unauthenticated": 401,
    "permission_denied": 403,
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "badrequesterror": 400,
    "insufficient_quota": 402,
    "model_not_found": 404,
}
"""The HTTP status that an error code means, for errors in the body of an answer with status 200."""

_CREDIT_CODES = {"insufficient_quota", "billing_hard_limit_reached", "access_terminated", "billing_not_active"} | {
    "insufficient_balance", "insufficient_credits", "exceeded_current_quota_error", "account_deactivated"
}  # fmt: skip
_MODEL_CODES = {"model_not_found", "model_not_available", "model_decommissioned", "deploymentnotfound"} | {
    "invalid_model", "unknown_model", "model_not_supported", "model_terms_required"
}  # fmt: skip
_CREDIT = re.compile(
    r"insufficient[ _-](?:account )?(?:balance|credits?|funds)|credit balance|out of credits|no credits|"
    r"not enough credits?|account .{0,30}(?:suspended|deactivated|in arrears|overdue)|"
    r"(?:purchase|buy|add) .{0,12}credits"
)
_HELD_BACK = re.compile(
    r"moderat|content[ _-]?(?:filter|policy|management)|responsible ?ai|safety|flagged|harmful|guardrail|inappropriate|"
    r"prohibited|usage polic|violat|sensitive|inspection|jailbreak|held back|blocked"
)
_KEY = re.compile(
    r"api[ _-]?key|\bkeys?\b|\btoken\b|credential|unauthori[sz]ed|authenticat|permission|subscription|"
    r"\b(?:region|country|territory)\b|not allowed to|no access|not have access"
)
_TOO_LONG = re.compile(
    r"context|too long|too many tokens|prompt is|input length|maximum .{0,20}length|reads .{0,30}most|token limit"
)
_SCOPE = re.compile(r"scope|permission|list models|not allowed|restricted")
_NO_MODEL = re.compile(
    r"\bmodels?\b.{0,80}(?:not exist|not found|n.t exist|no such|not available|unavailable|not served|not loaded|"
    r"decommission|deprecat|retired|try pulling)|"
    r"(?:no such|unknown|invalid|not find|unsupported|unrecogni[sz]ed|no|not serve) (?:the )?model\b"
)
_MODEL_OF_400 = re.compile(
    r"^(?:\W*\w*error\W*)?(?:no such|unknown|invalid) model|model not exist|model does not exist|invalid model name"
)
_PASSING = re.compile(
    r"rate[ _-]?limit|throttl|overload|too many requests|temporar|try again|timed? ?out|service unavailable|"
    r"internal (?:server )?error"
)
_TRY_AGAIN = re.compile(
    r"(?:try again|retry|wait)\D{0,20}?"
    r"((?:\d+(?:\.\d+)?\s*(?:ms|milliseconds?|s|sec(?:ond)?s?|m|min(?:ute)?s?|h|hours?)(?![a-z])\s*)+)"
)


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error that a server sends in place of an answer, or a reply that cannot be read as an answer.

    Attributes:
    status: the HTTP status, or the status that an error in the body of an answer names; 0 if there is none.
    words: the server's words in one line, or words of codepref if the server sent none.
    codes: the codes and types of the error, in lower case.
    fields: the names of fields of the request that the error names apart from its words.
    retry_after: the delay in seconds that the server asks for, or None.
    in_answer: whether the error came with the status 200, so that the server may have billed the call.
    """

    status: int
    words: str
    codes: frozenset[str] = frozenset()
    fields: tuple[str, ...] = ()
    retry_after: float | None = None
    in_answer: bool = False


def read_error(body: bytes | str | Any, status: int = 0, *, in_answer: bool = False) -> ServerError:
    """Return the error in the body of an HTTP answer, or in a part of it that was parsed already.

    status: the HTTP status. With 0, the result has the highest status from 400 to 599 that a code in the body is or
    means, or 0.
    """
    document = _parsed(body)
    words = _one_line(" ".join(dict.fromkeys(_words(document)))) or (f"status {status}" if status else "")
    codes = frozenset(str(code).strip().lower() for code in _values(document, _CODE_KEYS) if str(code).strip())
    if not status:
        numbers = [int(code) for code in codes if code.isdigit() and 400 <= int(code) < 600]
        status = max([*numbers, *(_STATUS_OF_CODE.get(code, 0) for code in codes)], default=0)
    delays = [delay for text in _values(document, ("retryDelay", "retry_after")) if (delay := _seconds(str(text)))]
    if not delays and (found := _TRY_AGAIN.search(words.lower())):
        delays = [delay] if (delay := _seconds(found[1])) else []
    return ServerError(status, words, codes, tuple(_fields(document)), max(delays, default=None), in_answer)


def concern_of(error: ServerError, model: str, *, answered: bool) -> Concern:
    """Return what an error concerns.

    model: the model's name in the request. answered: whether the server has answered an earlier call of this run. If
    so, the address and the model are right, and an error with the status 403 does not concern the key.
    """
    words, status, codes = error.words.lower(), error.status, error.codes
    if status == 401:
        return "key"
    if status == 402 or codes & _CREDIT_CODES or (status < 500 and _CREDIT.search(words)):
        return "credit"
    if status in (408, 409, 425, 429, 499) or status >= 500:
        return "busy" if status != 501 or answered else "address"
    if is_held_back(error):
        return "request"
    if status == 403:
        return "key" if _KEY.search(words) and not answered else "request"
    named = model.lower() in words
    if codes & _MODEL_CODES or (_MODEL_OF_400.search(words) and (named or status == 404)):
        return "busy" if answered else "model"
    if status in (404, 405, 410, 415) or 0 < status < 400:
        if _NO_MODEL.search(words) and ("model" in words or named):
            return "busy" if answered else "model"
        return "busy" if answered else "address"
    return "busy" if _PASSING.search(words) or not status else "request"


def is_held_back(error: ServerError) -> bool:
    """Return whether an error seems to say that the prompt is against the rules of the server."""
    return any(_HELD_BACK.search(text) for text in (error.words.lower(), *error.codes))


def is_too_long(error: ServerError) -> bool:
    """Return whether an error seems to say that the prompt, alone or with the answer, has too many tokens."""
    return _TOO_LONG.search(error.words.lower()) is not None or "context_length_exceeded" in error.codes


def is_missing_scope(error: ServerError) -> bool:
    """Return whether an error seems to say only that a key may not list the models."""
    return _SCOPE.search(error.words.lower()) is not None


def fatal_text(
    concern: Concern, error: ServerError, endpoint: Endpoint, place: str, models: Sequence[str], *, has_key: bool
) -> str:
    """Return the message about an error that concerns all calls. models: the server's list of models, if known."""
    if concern == "key":
        state = "is refused" if has_key else "is not set, but the server needs a key"
        return f"{place} answers {error.status}. The key in {endpoint.api_key_env} {state} ({error.words})"
    if concern == "credit":
        return f"the account has no credit or is not active ({error.words})"
    known = f". It has {', '.join(models[:5])}{' and others' if len(models) > 5 else ''}"
    known = known if models and endpoint.model not in models else ""
    if concern == "model":
        return f"{place} has no model {endpoint.model!r} ({error.words}){known}"
    return (
        f"{place} has no model {endpoint.model!r}, or is not the address of the API, which usually ends in /v1 "
        f"({error.words}){known}. Correct base_url or the model"
    )


def _parsed(body: Any) -> Any:
    if not isinstance(body, bytes | str):
        return body
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _plain(text)


def _plain(text: str) -> str:
    """Return a text unchanged. For a page in HTML, return words with its title, or with its text if it has no title."""
    if "<html" not in text[:1000].lower() and "<!doctype" not in text[:1000].lower():
        return text
    title = re.search(r"<title[^>]*>(.*?)</title>", text[:20_000], re.DOTALL | re.IGNORECASE)
    shown = title[1] if title and title[1].strip() else re.sub(r"<[^<>]*>", " ", text[:20_000])
    return f"a page in HTML: {html.unescape(shown)}"


def _words(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > 8:
        return
    if isinstance(value, str):
        inner = _inner(value)
        if inner is None:
            yield value
        else:
            yield from list(_words(inner, depth + 1)) or [value]
    elif isinstance(value, list):
        for entry in value[:10]:
            yield from _words(entry, depth + 1)
    elif isinstance(value, Mapping):
        if isinstance(value.get("msg"), str) and isinstance(value.get("loc"), list):
            yield f"{'.'.join(map(str, value['loc']))}: {value['msg']}"
            return
        for key in (*_TEXT_KEYS, *_MORE_TEXT_KEYS):
            if found := list(_words(value.get(key), depth + 1)):
                yield from found
                break
        for key in _NESTED_KEYS:
            yield from _words(value.get(key), depth + 1)


def _inner(text: str) -> Any:
    """Return the list or object that a text holds as JSON. Return None if the text holds neither, or an empty one.

    A server sends such a text, for example, when it passes on the error of a server behind it.
    """
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        inner = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return inner if isinstance(inner, dict | list) and inner else None


def _values(value: Any, names: tuple[str, ...], depth: int = 0) -> Iterator[Any]:
    """Yield the texts and numbers under the keys `names` of a document and of the errors nested in it."""
    if depth > 8:
        return
    if isinstance(value, str):
        if depth and (inner := _inner(value)) is not None:
            yield from _values(inner, names, depth + 1)
    elif isinstance(value, list):
        for entry in value[:10]:
            yield from _values(entry, names, depth + 1)
    elif isinstance(value, Mapping):
        for key in names:
            if isinstance(value.get(key), str | int | float) and not isinstance(value.get(key), bool):
                yield value[key]
        for key in (*_TEXT_KEYS, *_MORE_TEXT_KEYS, *_NESTED_KEYS):
            yield from _values(value.get(key), names, depth + 1)


def _fields(value: Any) -> Iterator[str]:
    """Yield the names in `param`, `parameter`, `field` and `loc` (FastAPI) of an error. Not all are names of fields."""
    for name in _values(value, ("param", "parameter", "field")):
        yield str(name)
    yield from _locations(value)


def _locations(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > 8:
        return
    if isinstance(value, list):
        for entry in value[:10]:
            yield from _locations(entry, depth + 1)
    elif isinstance(value, Mapping):
        location = value.get("loc")
        if isinstance(location, list) and "msg" in value:
            # such as ["body", "ChatCompletionRequest", "seed", "int"]
            yield from (part for part in location if isinstance(part, str) and part != "body")
            return
        for key in (*_TEXT_KEYS, *_MORE_TEXT_KEYS, *_NESTED_KEYS):
            yield from _locations(value.get(key), depth + 1)


def _seconds(text: str) -> float | None:
    """Return the seconds that a text such as "34s", "1m30s" or "250 ms" means, or None."""
    total, found = 0.0, False
    for number, unit in re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.lower()):
        scale = 0.001 if unit.startswith(("ms", "milli")) else {"": 1, "s": 1, "m": 60, "h": 3600}.get(unit[:1])
        if scale is None:
            return None
        total, found = total + float(number) * scale, True
    return total if found else None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_WORDS]
