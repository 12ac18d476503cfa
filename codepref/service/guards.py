"""The checks before the routes: the token, the type and the size of a body, and the time in which it must arrive.

The application gets a request with a body when the whole body has arrived. So no route runs for a body that is too
large, or for a client that never sends its body.
"""

from __future__ import annotations

import asyncio
import hmac
import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from codepref.service.settings import ServiceSettings

BODY_SECONDS = 60.0
"""The seconds in which the body of a request must arrive."""

HELD_BODIES = 16
"""The service holds bodies of at most this many times the size of the largest allowed body at one time."""

OPEN_PATHS = frozenset({"/healthz"})
"""The paths that need no token."""


class Guards:
    """An application that hands requests to `app` if they pass the checks, and refuses all others.

    Attributes:
        held: the bytes of all bodies that the service holds now.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self._app, self._settings = app, settings
        self._expected = f"Bearer {settings.token}".encode()
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if self._settings.token and scope["path"] not in OPEN_PATHS:
            given = headers.get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                await refuse(send, 401, "the token is missing or wrong", (b"www-authenticate", b"Bearer"))
                return
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            await self._app(scope, receive, send)
            return
        if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != b"application/json":
            await refuse(send, 415, "the body must be JSON, with the header Content-Type: application/json")
            return
        if b"transfer-encoding" in headers and b"content-length" in headers:
            await refuse(send, 400, "a request has Content-Length or Transfer-Encoding, but not both")
            return
        size, limit = _size(headers.get(b"content-length")), self._settings.body_bytes
        if size is not None and size > limit:
            await refuse(send, 413, f"the body has {size:,} bytes, and at most {limit:,} are allowed")
            return
        held = Held(self, HELD_BODIES * limit)
        try:
            await self._pass_on(scope, receive, send, held)
        finally:
            held.release()

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, held: Held) -> None:
        limit = self._settings.body_bytes
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive, limit, held)
        except TimeoutError:
            await refuse(send, 408, f"the body did not arrive within {BODY_SECONDS:.0f} s")
            return
        except TooLarge:
            await refuse(send, 413, f"the body has more than {limit:,} bytes")
            return
        except TooMany:
            await refuse(send, 429, "too many large requests at one time; try again", (b"retry-after", b"1"))
            return
        if body is None:
            return  # the client has gone
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, replay, send)


class TooLarge(Exception):
    """A body is larger than one body may be."""


class TooMany(Exception):
    """All bodies together are larger than they may be."""


class Held:
    """The bytes of one body. They count when they have arrived, so a client that only announces them costs nothing."""

    def __init__(self, guards: Guards, most: int) -> None:
        self._guards, self._most, self._size = guards, most, 0

    def add(self, count: int) -> None:
        """Count further bytes. Raises TooMany if there is no room for them."""
        if count and self._guards.held + count > self._most:
            raise TooMany
        self._guards.held += count
        self._size += count

    def release(self) -> None:
        """Count the bytes no longer."""
        self._guards.held -= self._size


def _size(value: bytes | None) -> int | None:
    return int(value) if value is not None and value.isdigit() and len(value) < 20 else None


async def _read(receive: Receive, limit: int, held: Held) -> bytes | None:
    """Return the body, or None if the client has gone. Raises TooLarge and TooMany."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise TooLarge
        held.add(len(part))
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def refuse(send: Send, status: int, detail: str, *headers: tuple[bytes, bytes]) -> None:
    """Answer a request with an error, and close the connection."""
    body = json.dumps({"detail": detail}).encode()
    fixed = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})
