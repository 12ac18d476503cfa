"""Frames over a descriptor. A frame is four bytes that hold the length of a body, followed by the body."""

from __future__ import annotations

import os
import struct

LARGE = 1 << 16
"""`send` does not copy a body with at least this many bytes. Most reads of a `Stream` ask for this many."""

LENGTH = struct.Struct("<I")


class Closed(Exception):
    """The other end has closed the connection."""


class TooLarge(Exception):
    """A frame announces more bytes than the limit allows."""


def send(descriptor: int, body: bytes) -> None:
    """Write one frame. Blocks until it is written. Raises Closed if the other end has closed the connection."""
    head = LENGTH.pack(len(body))
    for part in (head + body,) if len(body) < LARGE else (head, body):
        data = memoryview(part)
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except (BrokenPipeError, ConnectionResetError):
                raise Closed from None


def receive_exactly(descriptor: int, count: int) -> bytes:
    """Read `count` bytes. Blocks until they have arrived. Raises Closed if the connection is closed before."""
    parts = []
    while count:
        try:
            part = os.read(descriptor, min(count, 1 << 20))
        except ConnectionResetError:
            raise Closed from None
        if not part:
            raise Closed
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class Stream:
    """Reads frames from a descriptor. It reads ahead, so that one system call can read several small frames."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._buffer = descriptor, b""

    def next(self) -> bytes:
        """Return the body of the next frame. Blocks until it has arrived.

        Raises Closed if the connection is closed before.
        """
        while len(self._buffer) < 4 or len(self._buffer) < (end := 4 + LENGTH.unpack_from(self._buffer)[0]):
            if len(self._buffer) > LARGE:
                rest = receive_exactly(self._descriptor, end - len(self._buffer))
                body, self._buffer = self._buffer[4:] + rest, b""
                return body
            try:
                part = os.read(self._descriptor, LARGE)
            except ConnectionResetError:
                raise Closed from None
            if not part:
                raise Closed
            self._buffer += part
        body, self._buffer = self._buffer[4:end], self._buffer[end:]
        return body


def receive(descriptor: int, limit: int = 1 << 30) -> bytes:
    """Read one frame and return its body. Blocks until it has arrived.

    Raises Closed if the connection is closed before, and TooLarge for a body of more than `limit` bytes.
    """
    (count,) = LENGTH.unpack(receive_exactly(descriptor, 4))
    if count > limit:
        raise TooLarge(f"a frame announces {count} bytes, but at most {limit} are allowed")
    return receive_exactly(descriptor, count)
