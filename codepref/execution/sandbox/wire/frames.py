"""Frames over a descriptor: four bytes of length, then that many bytes."""

from __future__ import annotations

import os
import struct

LARGE = 1 << 16
"""Bytes of a body from which on it is written without being copied."""

LENGTH = struct.Struct("<I")


class Closed(Exception):
    """The other end has closed the connection."""


class TooLarge(Exception):
    """A frame announces more bytes than the limit."""


def send(descriptor: int, body: bytes) -> None:
    """Write one frame. Blocks. Raises Closed."""
    head = LENGTH.pack(len(body))
    for part in (head + body,) if len(body) < LARGE else (head, body):
        data = memoryview(part)
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except (BrokenPipeError, ConnectionResetError):
                raise Closed from None


def receive_exactly(descriptor: int, count: int) -> bytes:
    """Read `count` bytes. Blocks. Raises Closed."""
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
    """Reads frames ahead, so that many small frames cost one system call."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._buffer = descriptor, b""

    def next(self) -> bytes:
        """Read the next frame. Blocks. Raises Closed."""
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
    """Read one frame of at most `limit` bytes. Blocks. Raises Closed and TooLarge."""
    (count,) = LENGTH.unpack(receive_exactly(descriptor, 4))
    if count > limit:
        raise TooLarge(f"a frame of {count} bytes")
    return receive_exactly(descriptor, count)
