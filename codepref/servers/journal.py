"""The journal of calls: a file with a line for each call that begins and a line for each call that ends.

Lines survive a crash of the process that wrote them. `codepref.servers.ledger` describes the lines.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from codepref.errors import MachineError, UserError
from codepref.servers.answers import finish_word
from codepref.servers.ledger import Ledger
from codepref.servers.records import Reply

JOURNAL = "calls.jsonl"
Span = tuple[int, int]
"""The position of a line in the file: offset and length in bytes."""


class Journal:
    """Appends lines to the journal's file. A line that was written survives the death of this process.

    A process locks the file with `flock` before it writes. If a crash cut off the last line, `lock` removes this line.
    Raises MachineError if the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise MachineError(f"cannot write {path} ({error.strerror}). Choose another --out") from None
        self._end = 0
        self._unsynced = False

    def lock(self, *, wait: bool) -> bool:
        """Lock the journal and return True. If another process holds it, wait, or return False if `wait` is False."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        self._end = _cut_tail(self._file)
        return True

    def append(self, line: Mapping[str, Any]) -> Span:
        """Write one line and return its position. If that fails, remove the partial line and raise OSError."""
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
        """Flush the lines to the disk. This protects them against a power cut.

        Lines survive a crash of the process also without a flush.
        """
        if self._unsynced:
            self._unsynced = False
            os.fdatasync(self._file)

    def close(self) -> None:
        """Flush the lines to the disk and release the lock."""
        self.sync()
        os.close(self._file)


def _cut_tail(file: int) -> int:
    """Remove the last line if it has no newline at its end. Return the new size of the file."""
    size = end = os.fstat(file).st_size
    while end:
        start = max(0, end - 65536)
        block = os.pread(file, end - start, start)
        newline = block.rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(file, end)
    return end


def read_journal(path: Path) -> tuple[Ledger, dict[str, Span]]:
    """Return the ledger of a journal, and the position of each answer by the key of its request.

    Both are empty if there is no file. The texts of answers are not kept in memory. Raises UserError if the file is not
    a journal.
    """
    ledger, answers = Ledger(), {}
    for span, line in _lines(path):
        ledger.add(line)
        if "a" in line:
            answers[line["k"]] = span
    ledger.close()
    return ledger, answers


def _lines(path: Path) -> Iterator[tuple[Span, dict[str, Any]]]:
    if not path.exists():
        return
    offset = 0
    read = json.JSONDecoder().raw_decode  # a journal can have millions of lines, and json.loads takes longer
    with path.open("rb") as stream:
        for raw in stream:
            if not raw.endswith(b"\n"):
                return  # a crash cut this line off
            try:
                text = raw.decode()
                line, end = read(text)
                known = isinstance(line["k"], str) and isinstance(line["e"], str)
                known = known and ("b" in line or "a" in line or "x" in line) and not text[end:].strip()
            except (ValueError, TypeError, KeyError):
                known = False
            if not known:
                raise UserError(
                    f"{path}: is not a journal of calls (see the line at byte {offset}). Choose another --out"
                )
            yield (offset, len(raw)), line
            offset += len(raw)


class Answers:
    """Reads answers from the journal by the positions of their lines."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)

    def read(self, span: Span) -> Reply:
        """Return the reply in the line at `span`.

        Journals of earlier versions hold a server's own words for the end of an answer, such as "eos_token". The reply
        has the words that `finish_word` returns for them.
        """
        offset, length = span
        reply = Reply(**json.loads(os.pread(self._file, length, offset))["a"])
        others = [{**one, "finish": finish_word(one.get("finish", "stop"))} for one in reply.others]
        return replace(reply, finish=finish_word(reply.finish), others=others or ())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
