"""The verdicts of an unfinished run. They are kept on disk, so that the same command can continue after a kill.

They are in one file below the output folder. Each finished piece of work adds one line, unless all its verdicts
have a code I. A line starts with its checksum. A line that a kill or a full disk has cut short is ignored, and its work
is done again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

from codepref.errors import MachineError, UserError
from codepref.records import INFRASTRUCTURE, Verdict
from codepref.storage.files import UNWRITABLE, make_folder

PARTS = "parts"
_LOG, _SCRATCH = "verdicts.jsonl", "rows.sqlite"


class StoredVerdict(NamedTuple):
    """A verdict of an earlier run, with the digest of its program."""

    digest: bytes
    codes: str
    shared: bool
    cpu_ms: float
    detail: str
    answer_digests: bytes


def digest_of(source: bytes) -> bytes:
    """Return sixteen bytes that identify a program within its task."""
    return hashlib.blake2b(source, digest_size=16).digest()


class Parts:
    """The folder `folder`/parts, which one execution uses at a time. Use it as a context manager.

    When the context ends, the folder and the parents that were created with it are deleted if they are empty.
    Raises UserError when another execution uses the folder (only if the file system has locks), or when a file is in
    the way of the folder. Raises MachineError when the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / PARTS
        self.scratch = self.folder / _SCRATCH
        self._created: list[Path] = []
        self._lock = -1
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Parts:
        self._created = [
            path for path in (self.folder, *self.folder.parents) if path == self.folder or not path.exists()
        ]
        make_folder(self.folder)
        self._lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise UserError(
                f"{self.folder.parent}: another codepref process uses this folder. Wait until it ends, or choose "
                "another --out"
            ) from None
        except OSError:
            pass  # a file system without locks
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._log is not None:
            self._log.close()
        for path in self._created:
            with contextlib.suppress(OSError):
                path.rmdir()  # folders that are empty after a mistake in the input
        os.close(self._lock)

    def write(self, key: str, verdicts: Iterable[Verdict]) -> None:
        """Keep verdicts under the key of their task.

        Verdicts with a code I are left out, so a run that continues this one runs their solutions again.
        """
        rows = [
            (
                digest_of(v.solution.encode("utf-8", "surrogatepass")).hex(),
                *(v.codes, v.isolation, v.cpu_ms, v.detail, v.answer_digests.hex()),
            )
            for v in verdicts
            if INFRASTRUCTURE not in v.codes
        ]
        if not rows:
            return
        body = json.dumps([key, rows]).encode("ascii")
        try:
            if self._log is None:
                self._log = self._open()
            self._log.write(b"%08x %s\n" % (zlib.crc32(body), body))
            self._log.flush()
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            raise MachineError(
                f"cannot write {self.folder / _LOG}: {error.strerror}. Free some space or choose another --out. "
                "Earlier verdicts are kept, and the same command continues from them."
            ) from error

    def _open(self) -> IO[bytes]:
        log = (self.folder / _LOG).open("a+b")
        if log.tell():
            log.seek(-1, os.SEEK_END)
            if log.read(1) != b"\n":
                log.write(b"\n")  # the last line was cut short
        return log

    def read(self) -> Iterator[tuple[str, list[StoredVerdict]]]:
        """Yield the key of the task and its verdicts for each line of earlier runs. Damaged lines are ignored."""
        with contextlib.suppress(FileNotFoundError), (self.folder / _LOG).open("rb") as log:
            for line in log:
                checksum, _, body = line.rstrip(b"\n").partition(b" ")
                if checksum == b"%08x" % zlib.crc32(body):
                    key, rows = json.loads(body)
                    yield key, [_stored(*row) for row in rows]

    def remove(self) -> None:
        """Delete the folder and its files. Call this after the tables have been written."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _stored(digest: str, codes: str, isolation: str, cpu_ms: float, detail: Any, answer_digests: str) -> StoredVerdict:
    digests = bytes.fromhex(answer_digests)
    return StoredVerdict(bytes.fromhex(digest), codes, isolation == "shared", cpu_ms, detail, digests)
