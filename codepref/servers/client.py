"""Makes an HTTP call through the openai client and returns its result as an Attempt. No other module imports openai."""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import Any

from codepref.config.endpoint import Endpoint
from codepref.servers.backoff import requested_delay
from codepref.servers.pricing import max_prompt_tokens
from codepref.servers.records import Attempt, Reply, Request

CHECK_SECONDS = 10.0
"""Time limit for the request for the list of models."""

MAX_LISTED = 8
"""A server that lists at most so many models is expected to list all that it serves."""

NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "access_terminated")
"""Error codes of answers with status 429 for which waiting does not help."""


class Client:
    """Calls one endpoint. It never repeats a call by itself. `Caller` decides whether a call is repeated."""

    def __init__(self, endpoint: Endpoint) -> None:
        import openai

        self.endpoint, self.base_url = endpoint, endpoint.base_url
        self._openai: Any = openai
        self._schema = endpoint.schema != "no"
        self._client: Any = openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            # the openai client requires a key, even for local servers that require none
            api_key=os.environ.get(endpoint.api_key_env) or "none",
            max_retries=0,
            timeout=endpoint.timeout,
        )

    async def check(self, *, only_listed: bool = False) -> str:
        """Return a reason not to begin with the calls, or "" if the check finds none.

        The check asks for the list of models, which is free. A server that does not offer the list passes the check.
        only_listed: a list of a few models that lacks the endpoint's model is a reason.
        """
        endpoint = self.endpoint
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                answer = await self._client.models.with_raw_response.list()
        except self._openai.APIStatusError as error:
            return self._wrong_key(error.status_code) if error.status_code in (401, 403) else ""
        except (self._openai.APITimeoutError, TimeoutError):
            return f"{endpoint.name}: the server at {endpoint.base_url} did not answer within {CHECK_SECONDS:.0f} s"
        except self._openai.APIConnectionError as error:
            return (
                f"{endpoint.name}: no server at {endpoint.base_url} ({_cause(error)}). Start it, or correct base_url "
                "(it usually ends in /v1)"
            )
        names = listed_models(answer.http_response.content) if only_listed else []
        if names and not any(is_name_of(name, endpoint.model) for name in names):
            return f"{endpoint.base_url} serves {', '.join(names)}, and not {endpoint.model}. Give the name it serves"
        return ""

    async def ask(self, request: Request) -> Attempt:
        """Make one attempt at a request. Errors of the server and of the connection are returned as Attempts."""
        # another call can change `self._schema` while this one runs
        with_schema = request.schema is not None and self._schema
        try:
            async with asyncio.timeout(self.endpoint.timeout):
                api = self._client.chat.completions if request.prompt is None else self._client.completions
                answer = await api.with_raw_response.create(**self._arguments(request, with_schema))
        except self._openai.APIStatusError as error:
            return self._refused(error, with_schema)
        except (self._openai.APITimeoutError, TimeoutError):
            return Attempt("fault", reason="timeout", maybe_billed=True)
        except self._openai.APIConnectionError as error:
            unconnected = _is_connect_error(error.__cause__)
            return Attempt("fault", reason="connect" if unconnected else "cut", maybe_billed=not unconnected)
        return read_answer(answer.http_response.content, request, self.endpoint.model)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _arguments(self, request: Request, with_schema: bool) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self.endpoint.model,
            **({"messages": list(request.messages)} if request.prompt is None else {"prompt": request.prompt}),
            "temperature": request.temperature,
            "top_p": request.top_p,
            "max_tokens": request.max_tokens,
        }
        if request.seed is not None and self.endpoint.send_seed != "no":
            arguments["seed"] = request.seed
        if request.n > 1:
            arguments["n"] = request.n
        if request.stop:
            arguments["stop"] = list(request.stop)
        if with_schema and request.schema is not None:
            schema = {"name": "answer", "strict": True, "schema": dict(request.schema)}
            arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
        if extra := self.endpoint.extra_fields():
            arguments["extra_body"] = extra
        return arguments

    def _refused(self, error: Any, with_schema: bool) -> Attempt:
        status, body = int(error.status_code), _error_body(error)
        message = " ".join(str(body.get("message") or body.get("detail") or error.message).split())[:300]
        if status in (401, 403):
            return Attempt("fatal", reason=self._wrong_key(status))
        if status == 404:
            here = self.endpoint
            return Attempt(
                "fatal",
                reason=f"{here.name}: {here.base_url} has no model {here.model!r}, or is not the address of "
                f"the API, which usually ends in /v1 ({message})",
            )
        if status == 402 or (status == 429 and body.get("code") in NO_CREDIT):
            return Attempt("fatal", reason=f"{self.endpoint.name}: the account has no credit ({message})")
        if status in (408, 409, 425, 429) or status >= 500:
            headers = {key.lower(): value for key, value in error.response.headers.items()}
            return Attempt("fault", reason=str(status), retry_after=requested_delay(headers, time.time()))
        if with_schema and self.endpoint.schema == "auto":
            # servers do not name the refused field in the same way, so every refusal counts as a refusal of the schema
            self._schema = False
            return Attempt("fault", reason=f"{status} (with a JSON schema)", retry_after=0.0, schema_rejected=True)
        return Attempt("rejected", reason=f"{status}: {message}")

    def _wrong_key(self, status: int) -> str:
        endpoint = self.endpoint
        state = "is refused" if os.environ.get(endpoint.api_key_env) else "is not set, but the server needs a key"
        return f"{endpoint.name}: {endpoint.base_url} answers {status}. The key in {endpoint.api_key_env} {state}"


def listed_models(body: bytes) -> list[str]:
    """Return the names in a server's list of models, or [] if the list is long, cannot be read or has a wildcard.

    Servers with many models often know names that they do not list.
    """
    try:
        names = [entry["id"] for entry in json.loads(body)["data"]]
    except (ValueError, RecursionError, LookupError, TypeError):
        return []
    readable = all(isinstance(name, str) and "*" not in name for name in names)
    return names if readable and len(names) <= MAX_LISTED else []


def is_name_of(listed: str, model: str) -> bool:
    """Return whether a name in a server's list can mean `model`.

    Ollama lists `NAME:latest`, and servers of one model may list its path.
    """
    names = {form.lower() for form in (listed, listed.removesuffix(":latest"), listed.rstrip("/").rpartition("/")[2])}
    return model.lower() in names or model.lower().rstrip("/").rpartition("/")[2] in names


def read_answer(body: bytes, request: Request, model: str = "") -> Attempt:
    """Return the body of an answer as an Attempt with a Reply.

    If the body holds fewer than `request.n` answers, or some of them cannot be read, the reply has the others. If it
    lacks one of the two token counts, the reply has estimates of both, as `Reply.estimated` says. If no answer can be
    read, the Attempt is a fault "malformed" without a Reply, and the server may have billed it.
    model: the model's name in the request.
    """
    try:
        document = json.loads(body)
        read = [_read_choice(choice) for choice in document["choices"]]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return Attempt("fault", reason="malformed", maybe_billed=True)
    answers = [answer for answer in read if answer is not None][: request.n]
    if not answers:
        return Attempt("fault", reason="malformed", maybe_billed=True)
    usage, named = document.get("usage"), document.get("model")
    tokens_in, tokens_out = (_count(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    estimated = tokens_in is None or tokens_out is None
    if tokens_in is None or tokens_out is None:
        tokens_in = max_prompt_tokens(request)
        tokens_out = sum(len(answer["text"].encode("utf-8", "replace")) for answer in answers)
    first = answers[0]
    reply = Reply(
        first["text"],
        first["finish"],
        tokens_in,
        tokens_out,
        estimated,
        first["reasoning"],
        others=[{name: value for name, value in answer.items() if value or name == "text"} for answer in answers[1:]],
        model=named if isinstance(named, str) and named != model else "",
    )
    return Attempt("answered", reply)


def _read_choice(choice: Any) -> dict[str, str] | None:
    """Return the "text", "finish" and "reasoning" of one answer, or None if it cannot be read.

    Raises LookupError, TypeError or AttributeError for a choice that has not the form of an answer.
    """
    finish = choice.get("finish_reason") or "stop"
    if "message" not in choice:  # the API /completions
        text, reasoning = choice["text"], None
    else:
        message = choice["message"]
        text, reasoning = message.get("content"), message.get("reasoning_content") or message.get("reasoning")
        if text is None and message.get("refusal"):
            text, finish = str(message["refusal"]), "content_filter"
    if text is None and finish == "content_filter":
        text = ""
    if not isinstance(text, str) or not isinstance(finish, str):
        return None
    return {"text": text, "finish": finish, "reasoning": reasoning if isinstance(reasoning, str) else ""}


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if type(value) is int and value >= 0 else None


def _error_body(error: Any) -> dict[str, Any]:
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("error")
    return inner if isinstance(inner, dict) else body


def _is_connect_error(cause: BaseException | None) -> bool:
    """Return whether the cause shows that no connection was made.

    For some connections that were never made it is False, for example when a proxy refuses the tunnel.

    This compares the names of exceptions, because the openai client can use different HTTP libraries.
    """
    return cause is not None and any(kind.__name__ in ("ConnectError", "ConnectTimeout") for kind in type(cause).mro())


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error
    return str(cause).strip() or type(cause).__name__
