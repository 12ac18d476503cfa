"""The page of memory that a test runner shares with its supervisor.

It holds what the runner is doing, one code a test, a digest of the solution's answers in each test, and the first
failure in words. Shared memory is used instead of a pipe: writing a code needs no system call and does not wake the
supervisor, and what was written survives the death of the runner. The solution's process never has this page.
"""

from __future__ import annotations

import mmap
import struct

SETUP, LOADING, TESTING, FINISHED, AGAIN, ALONE, ARRAYS = range(7)
"""Phases. AGAIN: run the tests one by one in a new process. ALONE: the solution needs a process of its own. ARRAYS: the
runner needs numpy.
"""

UNDECIDED, DIED, CALL_BY_REFERENCE = 0, ord("?"), ord("R")
"""Codes that are no verdicts: not written yet; the solution's process ended; the test passes a value that cannot cross.
"""

DECIDED = b"PFE" + bytes([CALL_BY_REFERENCE])
"""The codes that a test runner decides while both processes live."""

_HEAD = struct.Struct("<IIII")
_DETAIL, _CODES = 16, 528

ANSWER_DIGEST_BYTES = 4
"""Bytes of a digest. Solutions are compared by the digests of all tests of a task, so a collision of one in four
billion a test is rare enough. Zeros mean that the digest is unknown.
"""


PAGE_BYTES = 1 << 23
"""Bytes of address space of the page. The kernel gives it memory only where it is written."""

MAX_TESTS = (PAGE_BYTES - _CODES) // (1 + ANSWER_DIGEST_BYTES)
"""Tests that one task may have."""


class StatusPage:
    """One page for all tasks of a worker. `begin` sets it up for the tests of a task.

    It is made before the processes that share it are forked, so its size is fixed.
    """

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, PAGE_BYTES)
        self._use(0)

    def _use(self, tests: int) -> None:
        self.tests = tests
        self._answer_digests = _CODES + tests
        self._end = self._answer_digests + ANSWER_DIGEST_BYTES * tests

    def begin(self, tests: int) -> None:
        """Set up the page for a task with `tests` tests. Nothing of an earlier task stays on it."""
        self.reset()
        self._use(tests)
        self.reset()

    def join(self, tests: int) -> None:
        """Use a page that another process has set up for `tests` tests."""
        self._use(tests)

    def reset(self) -> None:
        """Make all codes undecided and clear the digests and the detail."""
        self._page[: self._end] = bytes(self._end)

    def enter(self, phase: int, current: int) -> None:
        """Record the phase and the index of the test."""
        _HEAD.pack_into(self._page, 0, phase, current, *_HEAD.unpack_from(self._page, 0)[2:])

    def where(self) -> tuple[int, int]:
        """The phase and the index of the test. The index is in range even where a hostile test overwrote it."""
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
        """All digests, in the order of the tests.

        A digest is zeros unless the code is P, F or E: other tests did not run to their end in separate processes.
        """
        known = bytearray(self._page[self._answer_digests : self._end])
        for index, code in enumerate(self.codes()):
            if code not in b"PFE":
                known[ANSWER_DIGEST_BYTES * index : ANSWER_DIGEST_BYTES * (index + 1)] = bytes(ANSWER_DIGEST_BYTES)
        return bytes(known)

    def fill(self, start: int, code: int) -> None:
        """Write one code for each test from `start` on."""
        self._page[_CODES + start : _CODES + self.tests] = bytes([code]) * (self.tests - start)

    def forget_ends(self) -> bytes:
        """Make the codes undecided that come from the end of a process, and clear the detail if no failure is left.

        What a test decided stays: a solution must not get a second chance by dying in a later test. Returns the codes
        that stay, with zeros for the others.
        """
        kept = bytes(code if code in DECIDED else UNDECIDED for code in self.codes())
        if not set(kept) & set(b"FE"):
            self._page[_DETAIL - 8 : _DETAIL] = bytes(8)
        for index, code in enumerate(kept):
            self.set(index, code)
        return kept

    def codes(self) -> bytes:
        """All codes that have been written so far."""
        return self._page[_CODES : _CODES + self.tests]

    def describe(self, detail: str) -> None:
        """Keep `detail`, cut at 500 bytes, unless an earlier failure has been described."""
        phase, current, length, _ = _HEAD.unpack_from(self._page, 0)
        if not length:
            text = detail.encode("utf-8", "replace")[: _CODES - _DETAIL - 12]
            self._page[_DETAIL : _DETAIL + len(text)] = text
            _HEAD.pack_into(self._page, 0, phase, current, len(text), 0)

    def detail(self) -> str:
        """The first failure in words. It is "" when none was described."""
        length = min(_HEAD.unpack_from(self._page, 0)[2], _CODES - _DETAIL)
        return self._page[_DETAIL : _DETAIL + length].decode("utf-8", "replace")
