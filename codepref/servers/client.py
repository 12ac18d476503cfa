"""Makes HTTP calls through the openai client and returns their results as Attempts.

No other module except `codepref.servers.connection` imports openai.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from codepref.config.address import has_version, hidden_login, split_address
from codepref.config.endpoint import Endpoint
from codepref.servers.adaptation import Adaptation
from codepref.servers.answers import read_answer
from codepref.servers.backoff import requested_delay
from codepref.servers.connection import ConnectionMistake, http_client, proxy_of
from codepref.servers.fields import NEW_LIMIT, Changes, apply_changes, dropped_names
from codepref.servers.keys import hide_key, read_key
from codepref.servers.listed import is_name_of, listed_models
from codepref.servers.records import Attempt, Request
from codepref.servers.refusals import (
    Concern,
    ServerError,
    concern_of,
    fatal_text,
    is_held_back,
    is_missing_scope,
    is_too_long,
    read_error,
)

NEW_NAMES = (NEW_LIMIT,)
"""Fields that some functions of the openai client do not accept as arguments."""

CHECK_SECONDS = 10.0
"""Time limit of the check of an endpoint, in seconds."""


class Client:
    """Calls one server of an endpoint. It never repeats a call by itself. `Caller` decides whether a call is repeated.

    Attributes:
    notes: messages for the user since the last call of `take_notes`.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        import openai

        self.endpoint = endpoint
        self.notes: list[str] = []
        self._openai: Any = openai
        self._adaptation = Adaptation(endpoint)
        self._models: list[str] = []
        self._answered = False
        self._key = read_key(endpoint.api_key_env)
        self._address, self._query = split_address(endpoint.base_url)
        self._client: Any = None

    async def check(self, *, only_listed: bool = False) -> str:
        """Return a reason not to begin with the calls, or "" if the check finds none.

        The check asks for the list of models, which is free. A server that offers no list passes the check, unless it
        refuses the key.
        If the address names no version of the API and the list is only below its path /v1, calls go to /v1.
        only_listed: a list of a few models that lacks the endpoint's model is a reason too.
        """
        try:
            self._open()
            async with asyncio.timeout(CHECK_SECONDS):
                return await self._check_models(only_listed=only_listed)
        except ConnectionMistake as mistake:
            return self._shown(str(mistake))
        except (self._openai.APITimeoutError, TimeoutError):
            return self._shown(f"the server at {self.place} did not answer within {CHECK_SECONDS:.0f} s")
        except self._openai.APIConnectionError as error:
            return self._shown(
                f"no answer from {self.place} ({_cause(error)}). Start the server, or correct base_url, which usually "
                "ends in /v1"
            )
        except Exception as error:  # noqa: BLE001 - a mistake in the address or key is no reason for a traceback
            return self._shown(f"calls to {self.place} cannot be made ({_cause(error)})")

    async def ask(self, request: Request, changes: Changes | None = None) -> Attempt:
        """Make one attempt at a request, and return its result. An error is a result too.

        changes: the changes of fields to try in this attempt. They come from the Attempt before it.
        """
        made = self._adaptation.with_trial(changes)
        arguments = self._arguments(request)
        try:
            json.dumps([request.messages, request.prompt, self.endpoint.model], ensure_ascii=False).encode()
        except UnicodeEncodeError:
            reason = "the prompt holds half of a surrogate pair, which no request can carry"
            return Attempt("rejected", reason=reason, prompt_only=True)
        try:
            self._open()
            async with asyncio.timeout(self.endpoint.timeout):
                body = await self._post(request, apply_changes(arguments, made))
        except self._openai.APIStatusError as error:
            return self._refused(_status_error(error), arguments, made, changes)
        except (self._openai.APITimeoutError, TimeoutError):
            return Attempt("fault", reason="timeout", maybe_billed=True)
        except self._openai.APIConnectionError as error:
            unconnected = _is_connect_error(error.__cause__)
            words = self._hidden(_cause(error))
            return Attempt(
                "fault", reason="connect" if unconnected else "cut", words=words, maybe_billed=not unconnected
            )
        except Exception as error:  # noqa: BLE001 - a call that fails in any way must not end the other calls
            words = self._hidden(f"{type(error).__name__}: {_cause(error)}")
            return Attempt("fault", reason="failed", words=words, maybe_billed=True)
        answer = read_answer(body, request, self.endpoint.model)
        if isinstance(answer, ServerError):
            return self._refused(answer, arguments, made, changes)
        self._answered = True
        if note := self._adaptation.adopt(changes):
            self.notes.append(self._shown(note))
        return Attempt("answered", replace(answer, dropped=dropped_names(arguments, made) or ()))

    def take_notes(self) -> list[str]:
        """Return the messages for the user, and forget them."""
        notes, self.notes = self.notes, []
        return notes

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    def _open(self) -> None:
        """Make the client if there is none yet. Raises ConnectionMistake as `http_client` does."""
        if self._client is not None:
            return
        headers = {"api-key": self._key} if self._key and ".azure." in self._address else None
        self._client = self._openai.AsyncOpenAI(
            base_url=self._address,
            # the openai client requires a key, even for local servers that require none
            api_key=self._key or "none",
            max_retries=0,
            timeout=self.endpoint.timeout,
            default_query=self._query or None,
            default_headers=headers,
            http_client=http_client(self._address, self.endpoint.timeout),
        )

    async def _post(self, request: Request, arguments: dict[str, Any]) -> bytes:
        api = self._client.chat.completions if request.prompt is None else self._client.completions
        extra = arguments.pop("extra_body", {}) | {name: arguments.pop(name) for name in NEW_NAMES if name in arguments}
        answer = await api.with_raw_response.create(**arguments, extra_body=extra or None)
        body: bytes = answer.http_response.content
        return body

    async def _check_models(self, *, only_listed: bool) -> str:
        error = await self._list_models()
        if error is not None and error.status in (404, 405) and not has_version(self._address):
            written, self._client.base_url = self._address, f"{self._address}/v1"
            below = await self._list_models()
            if below is None or below.status in (401, 403):
                error, self._address = below, f"{written}/v1"
                self.notes.append(f"{self.endpoint.name}: calls go to {self.place}, since base_url lacks /v1")
            else:
                self._client.base_url = written
        if error is None and only_listed and (names := listed_models(self._models)):
            model = self.endpoint.model
            if not any(is_name_of(name, model) for name in names):
                return self._hidden(
                    f"{self.place} serves {', '.join(names)}, and not {model}. Give a name that it serves"
                )
        if error is None or error.status not in (401, 403) or is_missing_scope(error):
            return ""
        if concern_of(error, self.endpoint.model, answered=False) != "key":
            return ""
        return self._fatal("key", error)

    async def _list_models(self) -> ServerError | None:
        """Ask for the list of models and keep their names. Return the server's error, or None if there is none.

        An answer that is no list counts as an error of status 404 if the address names no version of the API.
        """
        try:
            answer = await self._client.models.with_raw_response.list()
        except self._openai.APIStatusError as error:
            return _status_error(error)
        try:
            document = json.loads(answer.http_response.content)
            self._models = [str(entry["id"]) for entry in document["data"]]
        except (ValueError, LookupError, TypeError, RecursionError):
            # a page for people, or a list in another form
            return None if has_version(self._address) else ServerError(404, "no list of models")
        return None

    def _arguments(self, request: Request) -> dict[str, Any]:
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
        if request.schema is not None:
            schema = {"name": "answer", "strict": True, "schema": dict(request.schema)}
            arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
        if extra := self.endpoint.extra_fields():
            arguments["extra_body"] = extra
        return arguments

    def _refused(
        self, error: ServerError, arguments: Mapping[str, Any], made: Changes, trial: Changes | None
    ) -> Attempt:
        """Return the Attempt for an error of the server. made: all changes of the call. trial: the changes on trial."""
        concern = concern_of(error, self.endpoint.model, answered=self._answered)
        words = self._hidden(error.words)
        if concern in ("request", "busy", "address"):
            found = self._adaptation.next_trial(error, arguments, trial, made)
            if found is not None:
                return Attempt("fault", reason=f"{error.status} ({found[0]} refused)", words=words, changes=found[1])
        if concern in ("key", "credit", "model", "address"):
            return Attempt("fatal", reason=self._fatal(concern, error))
        billed = error.in_answer and not 400 <= error.status < 500
        if concern == "busy":
            reason = str(error.status) if error.status else "malformed" if error.words == "malformed" else "no answer"
            return Attempt("fault", None, reason, error.retry_after, billed, words=words if words != reason else "")
        of_prompt = is_held_back(error) or is_too_long(error)
        reason = f"{error.status or 'refused'}: {words}"
        return Attempt("rejected", reason=reason, maybe_billed=billed, prompt_only=of_prompt)

    def _fatal(self, concern: Concern, error: ServerError) -> str:
        text = fatal_text(concern, error, self.endpoint, self.place, self._models, has_key=bool(self._key))
        return self._shown(text)

    @property
    def place(self) -> str:
        """Return the address for messages, with the proxy through which calls go."""
        place = hidden_login(self.endpoint.base_url if self._client is None else self._address)
        proxy = proxy_of(self._address)
        return f"{place} through the proxy {hidden_login(proxy)}" if proxy else place

    def _shown(self, text: str) -> str:
        return self._hidden(f"{self.endpoint.name}: {text}")

    def _hidden(self, text: str) -> str:
        return hide_key(text, self._key)


def _status_error(error: Any) -> ServerError:
    """Return the error in an exception of the openai client for a status of 400 or more."""
    response = error.response
    server_error = read_error(response.content, int(error.status_code))
    headers = {key.lower(): value for key, value in response.headers.items()}
    delay = requested_delay(headers, time.time())
    return replace(server_error, retry_after=server_error.retry_after if delay is None else delay)


def _is_connect_error(cause: BaseException | None) -> bool:
    """Return whether the cause shows that no connection was made.

    It also returns False for some calls that made no connection, for example when a proxy refuses the tunnel.
    It compares the names of exceptions, because the openai client can use different HTTP libraries.
    """
    return cause is not None and any(kind.__name__ in ("ConnectError", "ConnectTimeout") for kind in type(cause).mro())


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error
    return " ".join(str(cause).split())[:300] or type(cause).__name__
