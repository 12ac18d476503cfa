"""Asks a starting server whether it is ready, and finds the model that it serves in its list of models."""

from __future__ import annotations

import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from codepref.errors import UserError

HOST = "127.0.0.1"
ANSWER_SECONDS = 5.0
"""The longest time limit of one request about the state of a server."""

LAST_BYTES = 1 << 18
LAST_LINES = 3
LINE_CHARACTERS = 300
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ERROR = re.compile(r"^(?!.*WARN).*(?:\b\w*(?:Error|Exception): +\S|\b(?:error|ERROR): )")
_FRAME = re.compile(r"(^|\])\s*File \".*\", line \d+, in ")
_CODE = re.compile(r"(^|\])\s*(Traceback \(most recent|[~^]+$)")
"""Lines of a Python traceback, with or without the prefix of a logger. _FRAME matches a line before a line of code."""


def choose_port(port: int) -> int:
    """Return `port`, or a free port if `port` is 0. Raises UserError if `port` cannot be used."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of an earlier server do not count
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise UserError(f"engine.port = {port}: this user may not use the port. Choose one above 1023") from None
        except OSError:
            raise UserError(
                f"engine.port = {port}: the port is in use by another program. End that program, or choose another "
                "port; 0 takes a free one"
            ) from None
        return int(probe.getsockname()[1])


def listed_models(
    port: int, seconds: float = ANSWER_SECONDS, *, only_health: bool = False
) -> list[Mapping[str, Any]] | None:
    """Return the server's list of models, or None if the server is not ready. seconds: time limit of one request.

    A server is ready when it lists its models and, if it has the address /health, answers 200 there.
    only_health: for a server whose list does not name its model. If /health answers 200, the result is [].
    Raises UserError if the server asks for a key.
    """
    health, _ = _get(port, "/health", seconds)
    if health != 200 and health not in (404, 405, 501):
        return None
    if only_health and health == 200:
        return []
    status, body = _get(port, "/v1/models", seconds)
    if status in (401, 403):
        raise UserError(
            "the server asks for a key, but codepref sends none to a server that it starts. Start it without a key"
        )
    if status != 200:
        return None
    try:
        rows = json.loads(body)["data"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def _get(port: int, path: str, seconds: float) -> tuple[int, bytes]:
    """Return (status, body) of an answer, or (0, b"") if there is none. Proxies of the environment are not used."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{HOST}:{port}{path}", timeout=seconds) as answer:
            return int(answer.status), answer.read(LAST_BYTES)
    except urllib.error.HTTPError as error:
        return int(error.code), b""
    except (OSError, HTTPException):
        return 0, b""


def served_id(rows: Sequence[Mapping[str, Any]], names: Sequence[str], model: str) -> str | None:
    """Return the id under which the server serves the model, or None if its list does not hold the model.

    names: ids that the model may have, in order of preference. model: its folder or hub name. vLLM names the folder as
    the `root` of an id. llama.cpp names a file by its path or its last part.
    """
    ids = [row["id"] for row in rows if isinstance(row.get("id"), str)]
    for name in names:
        if name in ids:
            return name
    for row in rows:
        if isinstance(row.get("id"), str) and row.get("root") == model:
            return str(row["id"])
    last = Path(model).name
    return next((one for one in ids if Path(one).name == last), None)


def last_words(log: Path, start: int = 0) -> str:
    """Return the last lines of a server's output, joined into one line, or "nothing".

    start: the size of the file before the server started. If there is an earlier line with an error, the first such
    line stands before the last lines, since it is often their cause. The code in Python tracebacks is left out.
    """
    lines = output_lines(log, start)
    code = {place + 1 for place, line in enumerate(lines) if _FRAME.search(line)}
    code |= {place for place, line in enumerate(lines) if _FRAME.search(line) or _CODE.search(line)}
    lines = [line for place, line in enumerate(lines) if place not in code]
    last = lines[-LAST_LINES:]
    first = next((line for line in lines if _ERROR.search(line)), None)
    words = [first, *last] if first is not None and first not in last else last
    return " | ".join(line[:LINE_CHARACTERS] for line in words) or "nothing"


def output_lines(log: Path, start: int = 0) -> list[str]:
    """Return the last lines of a server's output since `start`, without colours.

    Of a line that was redrawn, such as a progress bar, only the last state is returned. Empty lines are left out.
    """
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(start, size - LAST_BYTES))
            text = stream.read().decode(errors="replace")
    except OSError:
        return []
    lines = (_ESCAPES.sub("", line.rstrip("\r").rpartition("\r")[2]).strip() for line in text.split("\n"))
    return [line for line in lines if line]
