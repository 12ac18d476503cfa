"""Reads the bodies of answers in the forms in which servers send them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from codepref.servers.pricing import max_prompt_tokens
from codepref.servers.records import Reply, Request
from codepref.servers.refusals import ServerError, read_error

_ENDS = {"stop", "eos", "eos_token", "end_turn", "end_of_turn", "stop_sequence", "stop_token", "stop_word"} | {
    "complete", "completed", "done", "finished", "finish", "end", "end_of_text", "success"
}  # fmt: skip
_CUT = {"length", "max_tokens", "max_output_tokens", "max_new_tokens", "max_completion_tokens", "token_limit"} | {
    "model_length", "max_length", "context_length", "model_context_window_exceeded", "limit"
}  # fmt: skip
_FILTERED = {"content_filter", "content-filter", "contentfilter", "safety", "refusal", "recitation", "blocklist"} | {
    "prohibited_content", "spii", "sensitive", "guardrail_intervened", "moderation", "image_safety", "language"
}  # fmt: skip
_BROKEN = {"error", "abort", "aborted", "cancelled", "canceled", "insufficient_system_resource", "network_error"} | {
    "timeout", "time_limit", "interrupted", "failed", "failure", "malformed_response", "malformed_function_call",
    "model_error", "internal_error", "server_error", "preempted", "disconnected", "unavailable", "overloaded",
}  # fmt: skip
_FINE = {0, 200, "0", "200", "success", "ok"}
"""Codes in the object `error` of an answer which say that there is no error."""


class _BrokenError(Exception):
    """The body holds an error in place of an answer, or no answer that can be read."""

    def __init__(self, error: ServerError) -> None:
        super().__init__(error.words)
        self.error = error


def read_answer(body: bytes, request: Request, model: str = "") -> Reply | ServerError:
    """Return the reply in the body of an answer with status 200, or the error that the body holds in its place.

    If the body holds fewer than `request.n` answers, or some of them broke off, the reply has the whole ones. If one or
    both of the token counts are missing, the reply has estimates of both, and `Reply.estimated` is true. If the body
    holds neither an answer nor an error, the error has words of codepref, such as "malformed". model: the model's name
    in the request.
    """
    try:
        document = _document(body)
        answers, errors = _read_choices(document)
    except _BrokenError as error:
        return error.error
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return _malformed()
    if not answers:
        return errors[0] if errors else _malformed()
    answers = answers[: request.n]
    usage, named = document.get("usage"), document.get("model")
    tokens_in, tokens_out = _count(usage, "prompt_tokens", "input_tokens"), _tokens_out(usage)
    first = answers[0]
    if not first["finish"]:  # without a reason from the server, the number of tokens decides
        reached = request.n == 1 and tokens_out is not None and tokens_out >= request.max_tokens
        first["finish"] = "length" if reached else "stop"
    if first["text"] == "" and first["silent"] and not tokens_out and not first["reasoning"]:
        return _malformed("the answer has no content")
    estimated = tokens_in is None or tokens_out is None
    if tokens_in is None or tokens_out is None:
        tokens_in = max_prompt_tokens(request)
        tokens_out = sum(len((one["text"] + one["reasoning"]).encode("utf-8", "replace")) for one in answers)
    kept = ("text", "finish", "reasoning")
    others = [{name: one[name] for name in kept if one[name] or name == "text"} for one in answers[1:]]
    for other in others:
        other.setdefault("finish", "stop")
    return Reply(
        first["text"],
        first["finish"],
        tokens_in,
        tokens_out,
        estimated,
        first["reasoning"],
        others=others or (),
        model=named if isinstance(named, str) and named != model else "",
    )


def _malformed(words: str = "malformed") -> ServerError:
    return ServerError(0, words, in_answer=True)


def _document(body: bytes) -> Mapping[str, Any]:
    """Return the object with the choices. Raises _BrokenError if the body holds an error or no such object."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        document = _events(body.decode("utf-8", "replace"))
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        raise _BrokenError(_malformed())
    for wrapper in ("data", "result", "response", "body"):
        inner = document.get(wrapper)
        if "choices" not in document and isinstance(inner, dict) and "choices" in inner:
            document = inner
    error = document.get("error") or document.get("errors")
    if error and not (document.get("choices") and _is_fine(error)):
        raise _BrokenError(_error_in(error, document))
    if not document.get("choices"):
        # an error in another form, such as {"object": "error", "message": ...}
        server_error = read_error(document, in_answer=True)
        raise _BrokenError(server_error if server_error.words else _malformed())
    return dict(document)


def _error_in(error: Any, document: Any = None) -> ServerError:
    """Return the error that an answer holds. document: the object that holds the error, and perhaps its code."""
    server_error = read_error({"error": error}, in_answer=True)
    if not server_error.status and isinstance(document, Mapping):
        beside = {key: document.get(key) for key in ("code", "status", "status_code", "type")}
        status = read_error(beside, in_answer=True).status
        server_error = ServerError(
            status,
            server_error.words,
            server_error.codes,
            server_error.fields,
            server_error.retry_after,
            in_answer=True,
        )
    return server_error if server_error.words else _malformed("an error without words")


def _is_fine(error: Any) -> bool:
    return isinstance(error, dict) and error.get("code") in _FINE


def _read_choices(document: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[ServerError]]:
    """Return the answers in a document, and the errors in place of answers."""
    choices = document["choices"]
    answers, errors = [], []
    for choice in choices.values() if isinstance(choices, dict) else choices:
        try:
            answers.append(_read_choice(choice))
        except _BrokenError as error:
            errors.append(error.error)
        except (LookupError, TypeError, AttributeError, ValueError):
            errors.append(_malformed())
    return answers, errors


def _read_choice(choice: Any) -> dict[str, Any]:
    """Return the "text", "finish", "reasoning" and "silent" of one answer.

    "silent" is whether the answer has no text, not even an empty one, although its reason for the end is "stop" or
    unknown.

    Raises _BrokenError if the answer broke off or holds an error. Raises LookupError, TypeError or AttributeError
    if the choice does not have the form of an answer.
    """
    message = choice.get("message", choice.get("delta"))
    for holder in (choice, message):
        if isinstance(holder, dict) and (error := holder.get("error")) and not _is_fine(error):
            raise _BrokenError(_error_in(error))
    finish = _finish(choice)
    reasoning: list[str] = []
    if message is None:  # the API /completions
        text: str | None = choice["text"]
    elif isinstance(message, str):
        text = message
    else:
        text = _text(message.get("content"), reasoning)
        reasoning += [one for one in map(message.get, ("reasoning_content", "reasoning")) if isinstance(one, str)][:1]
        if text is None and message.get("refusal"):
            text, finish = str(message["refusal"]), "content_filter"
    if text is not None and not isinstance(text, str):
        raise TypeError
    silent = text is None and finish in ("", "stop")
    return {"text": text or "", "finish": finish, "reasoning": "\n".join(reasoning), "silent": silent}


def _finish(choice: Mapping[str, Any]) -> str:
    """Return why an answer ended: "stop", "length", "content_filter", "" (unknown) or the server's own word.

    Raises _BrokenError if the answer broke off.
    """
    given = next((choice[key] for key in ("finish_reason", "finishReason", "stop_reason") if choice.get(key)), None)
    if isinstance(given, dict):
        given = given.get("type")
    if given is None:
        return ""
    word = finish_word(str(given))
    if word in _BROKEN:
        raise _BrokenError(ServerError(0, f"the answer ended with {word!r}", in_answer=True))
    return word


def finish_word(given: str) -> str:
    """Return "stop", "length" or "content_filter" for a word that means one of them.

    Return any other word in lower case, without the prefix "finish_reason_", and with "_" for spaces.
    """
    word = given.strip().lower().removeprefix("finish_reason_").replace(" ", "_")
    for words, name in ((_ENDS, "stop"), (_CUT, "length"), (_FILTERED, "content_filter")):
        if word in words:
            return name
    return word


def _text(content: Any, reasoning: list[str]) -> str | None:
    """Return the text of a message's content, or None if it has none. Add the thoughts in it to `reasoning`."""
    if content is None or isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [text for part in content if (text := _part(part, reasoning)) is not None]
        return "".join(texts) if texts else None
    if isinstance(content, dict):
        if isinstance(content.get("parts"), list):
            return _text(content["parts"], reasoning)
        if "text" in content or "type" in content or "value" in content:
            return _part(content, reasoning)
        return json.dumps(content, ensure_ascii=False)  # a proxy that parsed the JSON that a model wrote
    raise TypeError


def _part(part: Any, reasoning: list[str]) -> str | None:
    """Return the text of one part of a content, or None if the part is not text of the answer."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return None
    kind = str(part.get("type") or "text")
    if kind in ("thinking", "reasoning", "redacted_thinking", "thought") or part.get("thought") is True:
        inner = next((part[key] for key in ("thinking", "reasoning", "text", "summary") if part.get(key)), "")
        reasoning.append(_text(inner, []) or "")
        return None
    for key in ("text", "output_text", "value", "content", "refusal"):
        value = part.get(key)
        if isinstance(value, dict):
            value = value.get("value", value.get("text"))
        if isinstance(value, str):
            return value
    return None


def _events(text: str) -> dict[str, Any] | None:
    """Return the document of an answer that a server sent as events (`data: {...}`) unasked, or None without events."""
    if "data:" not in text[:200]:
        return None
    chunks = list(_chunks(text))
    document: dict[str, Any] = {"choices": []}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        document |= {key: chunk[key] for key in ("usage", "model", "error") if chunk.get(key)}
        for choice in chunk.get("choices") or []:
            one = choices.setdefault(choice.get("index") or 0, {"message": {"content": ""}})
            delta = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
            one["message"]["content"] += _text(delta.get("content"), []) or ""
            one |= {key: choice[key] for key in ("finish_reason", "error") if choice.get(key)}
    for _, one in sorted(choices.items()):
        one.setdefault("finish_reason", "interrupted")
    document["choices"] = [one for _, one in sorted(choices.items())]
    return document if chunks else None


def _chunks(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data and data != "[DONE]" and isinstance(chunk := json.loads(data), dict):
            yield chunk


def _tokens_out(usage: Any) -> int | None:
    return _count(usage, "completion_tokens", "output_tokens")


def _count(usage: Any, *names: str) -> int | None:
    """Return a count of tokens, or None if the usage holds no valid one."""
    for name in names:
        value = usage.get(name) if isinstance(usage, dict) else None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is int and value >= 0:
            return value
    return None
