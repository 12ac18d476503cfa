"""A small HTTP client for many connections at one time, and a server in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any


class Connection:
    """One connection that stays open between requests."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: bytes) -> tuple[int, dict[str, str], Any]:
        """Return the status, the headers and the JSON of an answer. The JSON is None if the answer has no body.

        Raises OSError if the connection fails or breaks.
        """
        if self._writer is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=1 << 24)
        reader, writer = self._reader, self._writer
        assert reader is not None
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        writer.write(head.encode() + str(len(body)).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
            content = await reader.readexactly(int(headers.get("content-length", "0")))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self.close()
            raise OSError("the connection broke") from error
        if headers.get("connection") == "close":
            self.close()
        return int(lines[0].split()[1]), headers, json.loads(content) if content else None

    def close(self) -> None:
        """Close the connection. The next request opens another one."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class ServerProcess:
    """A `codepref serve` in a process of its own, at a free port of this machine."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "codepref", "serve", "--port", "0", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        if " at http" not in line:
            raise RuntimeError(f"the server did not start: {line}{self.process.stderr.read()}")
        self.url = line.split(" at ")[1].split(";")[0]
        self.host, self.port = "127.0.0.1", int(self.url.rpartition(":")[2])

    def end(self) -> int:
        """End the server with SIGTERM, and return its exit status. Raises TimeoutExpired after 60 s."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextlib.contextmanager
def running_server(*options: str) -> Iterator[ServerProcess]:
    """Start `codepref serve` with these options, yield the server, and end it after the block."""
    server = ServerProcess(*options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end()
