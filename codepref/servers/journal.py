"""The journal of calls: every attempt and every answer, appended as it comes, found again after a crash."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from codepref.errors import MachineError, UserError
from codepref.servers.ledger import Ledger
from codepref.servers.records import Reply

JOURNAL = "calls.jsonl"
Span = tuple[int, int]
"""Where a line lies in the file: offset, length."""


class Journal:
    """Appends lines with one write each: what was written is kept when this process dies, whole or not at all.

    One process writes at a time (`flock`). A last line that was cut off is removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise MachineError(f"{path}: cannot be written ({error.strerror}); choose another --out") from None
        self._end = 0
        self._unsynced = False

    def lock(self, *, wait: bool) -> bool:
        """Take the journal for this process; False when another has it and `wait` is False."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        self._end = _cut_tail(self._file)
        return True

    def append(self, line: Mapping[str, Any]) -> Span:
        """Write one line. Raises OSError where the disk is full; a half-written line is taken back."""
        data = json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        span = (self._end, len(data))
        self._end += len(data)
        self._unsynced = True
        return span

    def sync(self) -> None:
        """Have the disk hold what was written: against a power cut, not needed against a crash."""
        if self._unsynced:
            self._unsynced = False
            os.fdatasync(self._file)

    def close(self) -> None:
        """Sync, and give the journal back."""
        self.sync()
        os.close(self._file)


def _cut_tail(file: int) -> int:
    """Remove a last line without its end. Returns the file's new size."""
    size = end = os.fstat(file).st_size
    while end:
        start = max(0, end - 65536)
        block = os.pread(file, end - start, start)
        place = block.rfind(b"\n")
        if place >= 0:
            end = start + place + 1
            break
        end = start
    if end < size:
        os.ftruncate(file, end)
    return end


def read_journal(path: Path) -> tuple[Ledger, dict[str, Span]]:
    """The ledger of a journal, and where each answered key's line lies. Empty where there is no file.

    Texts are not kept: memory grows with the number of answers alone. Raises UserError for a file that is no journal.
    """
    ledger, answers = Ledger(), {}
    for (offset, length), line in _lines(path):
        ledger.add(line)
        if "a" in line:
            answers[line["k"]] = (offset, length)
    ledger.close()
    return ledger, answers


def _lines(path: Path) -> Iterator[tuple[Span, dict[str, Any]]]:
    if not path.exists():
        return
    offset = 0
    with path.open("rb") as stream:
        for raw in stream:
            if not raw.endswith(b"\n"):
                return  # a crash cut it off
            try:
                line = json.loads(raw)
                known = isinstance(line["k"], str) and isinstance(line["e"], str) and bool({"b", "a", "x"} & set(line))
            except (ValueError, TypeError, KeyError):
                known = False
            if not known:
                raise UserError(f"{path}: is no journal of calls (at byte {offset}); choose another --out")
            yield (offset, len(raw)), line
            offset += len(raw)


class Answers:
    """Reads answers from the journal by their place."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)

    def read(self, span: Span) -> Reply:
        """The reply whose line lies there."""
        offset, length = span
        reply = Reply(**json.loads(os.pread(self._file, length, offset))["a"])
        return reply

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
