"""Frames over a descriptor: four bytes of length, then that many bytes. No pickle: the other end may be hostile."""

from __future__ import annotations

import os
import struct

LENGTH = struct.Struct("<I")


class Closed(Exception):
    """The other end is gone."""


class TooLarge(Exception):
    """A frame announces more than the limit."""


def send(descriptor: int, body: bytes) -> None:
    """Write one frame, blocking. Raises Closed."""
    data = memoryview(LENGTH.pack(len(body)) + body)
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None


def receive_exactly(descriptor: int, count: int) -> bytes:
    """Read `count` bytes, blocking. Raises Closed."""
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


def receive(descriptor: int, limit: int = 1 << 30) -> bytes:
    """Read one frame, blocking. Raises Closed, TooLarge."""
    (count,) = LENGTH.unpack(receive_exactly(descriptor, 4))
    if count > limit:
        raise TooLarge(f"a frame of {count} bytes")
    return receive_exactly(descriptor, count)
