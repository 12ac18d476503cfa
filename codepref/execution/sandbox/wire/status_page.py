"""The page of memory that a test runner shares with its supervisor.

The page holds what the runner is doing, the CPU time of loading the solution, for each test a code and a digest of the
solution's answers, the first failure in words, and what a program printed in a test of the kind "run". It is shared
memory, not a pipe. Writing a code therefore needs no system call and does not wake the supervisor, and what was written
survives the death of the runner. A solution's process has this page only if tests run in that process.
"""

from __future__ import annotations

import mmap
import struct

SETUP, LOADING, TESTING, FINISHED, AGAIN, ALONE, ARRAYS, TABLES = range(8)
"""The phases of a test runner. The last four ask the supervisor for another attempt.

AGAIN: run the remaining tests in new processes, and send no call ahead. ALONE: give the solution a process of
its own. ARRAYS: load numpy for the runner. TABLES: load numpy and pandas for it.
"""

UNDECIDED, DIED, CALL_BY_REFERENCE = 0, ord("?"), ord("R")
"""Codes that are not verdict codes.

UNDECIDED: no code has been written. DIED: the solution's process ended or closed its connection. CALL_BY_REFERENCE: the
test must share a process with the solution, for example because it hands over a value that cannot cross.
"""

DECIDED = b"PFE" + bytes([CALL_BY_REFERENCE])
"""The codes that `forget_ends` keeps. When it runs, none of them comes from the end of a solution's process."""

_HEAD = struct.Struct("<IIII")
_LENGTH = struct.Struct("<I")
_DETAIL, _CODES = 16, 528

ANSWER_DIGEST_BYTES = 4
"""The size of a digest, in bytes. Zeros mean that the digest is unknown.

Different answers of less than 1 MiB in one test have equal digests with a chance of about one in four billion. Of a
larger answer only the length counts.
"""


PAGE_BYTES = 1 << 23
"""The address space of the page, in bytes. The kernel provides memory only for parts that are written."""

MAX_PRINTED_BYTES = 1 << 24
"""The address space behind the page for what a program printed in a test of kind "run", as JSON."""

MAX_TESTS = (PAGE_BYTES - _CODES) // (1 + ANSWER_DIGEST_BYTES)
"""The largest number of tests in one task."""


class StatusPage:
    """One page for all tasks of a worker. `begin` sets it up for the tests of a task.

    The page is created before the processes that share it are forked, so its size is fixed.
    """

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, PAGE_BYTES + MAX_PRINTED_BYTES)
        self._use(0)

    def _use(self, tests: int) -> None:
        self.tests = tests
        self._answer_digests = _CODES + tests
        self._end = self._answer_digests + ANSWER_DIGEST_BYTES * tests

    def begin(self, tests: int) -> None:
        """Set up the page for a task with `tests` tests. Erase what an earlier task left there."""
        self.reset()
        self._use(tests)
        self.reset()

    def join(self, tests: int) -> None:
        """Use the page as another process has set it up, for `tests` tests."""
        self._use(tests)

    def reset(self) -> None:
        """Make all codes undecided, and clear the phase, the digests, the detail and what a program printed."""
        self._page[: self._end] = bytes(self._end)
        _LENGTH.pack_into(self._page, PAGE_BYTES, 0)

    def enter(self, phase: int, current: int) -> None:
        """Record the phase and the index of the current test."""
        _HEAD.pack_into(self._page, 0, phase, current, *_HEAD.unpack_from(self._page, 0)[2:])

    def loaded(self, seconds: float) -> None:
        """Record the CPU time that loading the solution took."""
        head = _HEAD.unpack_from(self._page, 0)
        _HEAD.pack_into(self._page, 0, *head[:3], min(int(1000 * seconds), (1 << 32) - 1))

    def take_loading(self) -> float:
        """Return the seconds of CPU time that `loaded` recorded, and erase them."""
        *head, milliseconds = _HEAD.unpack_from(self._page, 0)
        _HEAD.pack_into(self._page, 0, *head, 0)
        return float(milliseconds / 1000)

    def where(self) -> tuple[int, int]:
        """Return the phase and the index of the current test.

        The index is in range even if a hostile test has overwritten it.
        """
        phase, current, _, _ = _HEAD.unpack_from(self._page, 0)
        return phase, min(current, max(self.tests - 1, 0))

    def set(self, index: int, code: int) -> None:
        """Write the code of one test."""
        self._page[_CODES + index] = code

    def record(self, index: int, digest: bytes) -> None:
        """Write the digest of the solution's answers in one test."""
        at = self._answer_digests + ANSWER_DIGEST_BYTES * index
        self._page[at : at + ANSWER_DIGEST_BYTES] = digest

    def answer_digests(self) -> bytes:
        """Return all digests, in the order of the tests.

        The digest of a test is zeros if its code is not P, F or E, or if no digest was recorded. With another code the
        test usually did not run to its end in separate processes.
        """
        known = bytearray(self._page[self._answer_digests : self._end])
        for index, code in enumerate(self.codes()):
            if code not in b"PFE":
                known[ANSWER_DIGEST_BYTES * index : ANSWER_DIGEST_BYTES * (index + 1)] = bytes(ANSWER_DIGEST_BYTES)
        return bytes(known)

    def fill(self, start: int, code: int) -> None:
        """Write the same code for each test from `start` on."""
        self._page[_CODES + start : _CODES + self.tests] = bytes([code]) * (self.tests - start)

    def forget_ends(self) -> bytes:
        """Keep the codes in DECIDED, and make all other codes undecided.

        If no test keeps F or E, also clear the detail and the CPU time of loading.

        A decided test stays decided, since a solution must not get a second chance when it dies in a later test.
        Return the codes, with UNDECIDED for undecided tests.
        """
        kept = bytes(code if code in DECIDED else UNDECIDED for code in self.codes())
        if not set(kept) & set(b"FE"):
            self._page[_DETAIL - 8 : _DETAIL] = bytes(8)
        for index, code in enumerate(kept):
            self.set(index, code)
        return kept

    def codes(self) -> bytes:
        """Return the codes of all tests. UNDECIDED stands for a code that has not been written."""
        return self._page[_CODES : _CODES + self.tests]

    def describe(self, detail: str) -> None:
        """Keep `detail`, cut at 500 bytes, unless an earlier failure has been described."""
        phase, current, length, loading = _HEAD.unpack_from(self._page, 0)
        if not length:
            text = detail.encode("utf-8", "replace")[: _CODES - _DETAIL - 12]
            self._page[_DETAIL : _DETAIL + len(text)] = text
            _HEAD.pack_into(self._page, 0, phase, current, len(text), loading)

    def detail(self) -> str:
        """Return the first failure in words, or "" if none was described."""
        length = min(_HEAD.unpack_from(self._page, 0)[2], _CODES - _DETAIL)
        return self._page[_DETAIL : _DETAIL + length].decode("utf-8", "replace")

    def write_printed(self, data: bytes) -> None:
        """Write what a program printed. Raises MemoryError if it does not fit."""
        if len(data) > MAX_PRINTED_BYTES - _LENGTH.size:
            raise MemoryError("what the program printed does not fit")
        start = PAGE_BYTES + _LENGTH.size
        self._page[start : start + len(data)] = data
        _LENGTH.pack_into(self._page, PAGE_BYTES, len(data))

    def take_printed(self) -> bytes:
        """Return what `write_printed` wrote, or b"", and erase it."""
        length = min(_LENGTH.unpack_from(self._page, PAGE_BYTES)[0], MAX_PRINTED_BYTES - _LENGTH.size)
        if not length:
            return b""
        start = PAGE_BYTES + _LENGTH.size
        data = self._page[start : start + length]
        self._page[PAGE_BYTES : start + length] = bytes(_LENGTH.size + length)
        return data
