"""Keeps the rows of an unfinished call of the sampler on disk, in the order in which they are finished."""

from __future__ import annotations

import contextlib
import fcntl
import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from codepref.errors import MachineError, UserError
from codepref.storage.files import UNWRITABLE, jsonl_line, make_folder

Row = dict[str, Any]


class Spool:
    """A file of finished rows. Each line holds the place of a row, a space, and the row as JSON.

    A row that was added survives the death of this process. Only the positions of the rows are kept in memory. Use the
    object as a context manager. Entering it reads the rows that an earlier process wrote. The first line that is no
    whole row, as a crash can leave, is cut off with all that follows.
    path: the file. total: the number of places, which count from 0.
    Entering raises UserError when another process uses the file (only if the file system has locks), MachineError when
    the file cannot be opened, and the errors of `make_folder`.
    """

    def __init__(self, path: Path, total: int) -> None:
        self.path = path
        self._start, self._length = array("q", bytes(8 * total)), array("q", bytes(8 * total))
        self._file, self._end = -1, 0
        self.rows = 0

    def __enter__(self) -> Spool:
        make_folder(self.path.parent)
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise MachineError(f"cannot write {self.path} ({error.strerror}). Choose another --out") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise UserError(
                f"{self.path.parent}: another codepref process writes here. Wait until it ends, or choose another --out"
            ) from None
        except OSError:
            pass  # a file system without locks
        self._read()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            os.fdatasync(self._file)
        os.close(self._file)

    def _read(self) -> None:
        with self.path.open("rb") as stream:
            for line in stream:
                number, space, row = line.partition(b" ")
                if not space or not number.isdigit() or not row.endswith(b"}\n") or int(number) >= len(self._start):
                    break  # a crash left this line
                self._note(int(number), self._end + len(number) + 1, len(row))
                self._end += len(line)
        os.ftruncate(self._file, self._end)

    def _note(self, place: int, start: int, length: int) -> None:
        self.rows += not self._length[place]
        self._start[place], self._length[place] = start, length

    def missing(self) -> list[int]:
        """Return the places without a row, in ascending order."""
        return [place for place, length in enumerate(self._length) if not length]

    def add(self, place: int, row: Row) -> None:
        """Write the row of a place.

        Raises MachineError for an error number in UNWRITABLE, such as that of a full disk, and else OSError. After an
        error the file holds no part of the row.
        """
        head = b"%d " % place
        data = head + jsonl_line(row)
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError as error:
            os.ftruncate(self._file, self._end)
            if error.errno not in UNWRITABLE:
                raise
            raise MachineError(
                f"cannot write {self.path}: {error.strerror}. Free some space if the disk is full, or write to another "
                "folder."
            ) from error
        self._note(place, self._end + len(head), len(data) - len(head))
        self._end += len(data)

    def lines(self) -> Iterator[bytes]:
        """Yield the rows as JSON lines in the order of their places. All places must have a row."""
        for start, length in zip(self._start, self._length, strict=True):
            yield os.pread(self._file, length, start)
