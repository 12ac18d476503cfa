"""Frames over a descriptor. A frame is four bytes that hold its length, and then that many bytes."""

from __future__ import annotations

import os
import struct

LARGE = 1 << 16
"""A body with at least this many bytes is written without being copied."""

LENGTH = struct.Struct("<I")


class Closed(Exception):
    """The other end has closed the connection."""


class TooLarge(Exception):
    """A frame announces more bytes than the limit allows."""


def send(descriptor: int, body: bytes) -> None:
    """Write one frame. Blocks until it is written. Raises Closed."""
    head = LENGTH.pack(len(body))
    for part in (head + body,) if len(body) < LARGE else (head, body):
        data = memoryview(part)
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except (BrokenPipeError, ConnectionResetError):
                raise Closed from None


def receive_exactly(descriptor: int, count: int) -> bytes:
    """Read `count` bytes. Blocks until they have arrived. Raises Closed."""
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
    """Reads frames. It reads ahead, so that several small frames need only one system call."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._buffer = descriptor, b""

    def next(self) -> bytes:
        """Return the next frame. Blocks until it has arrived. Raises Closed."""
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
    """Read one frame of at most `limit` bytes. Blocks until it has arrived. Raises Closed and TooLarge."""
    (count,) = LENGTH.unpack(receive_exactly(descriptor, 4))
    if count > limit:
        raise TooLarge(f"a frame of {count} bytes")
    return receive_exactly(descriptor, count)
