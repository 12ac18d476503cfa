"""The page that a judge shares with its supervisor: the test it is at, one code a test, a digest of what the solution
answered in it, the first failure in words.

Shared memory, not a pipe: a code costs no system call and the supervisor is not woken for it, and what was written
survives the judge being killed. The judged process never has this page.
"""

from __future__ import annotations

import mmap
import struct

SETUP, LOADING, TESTING, FINISHED, AGAIN, ALONE, ARRAYS = range(7)
UNDECIDED, DIED, CALL_BY_REFERENCE = 0, ord("?"), ord("R")
"""A code not written yet; the solution's process ended; the test hands over what cannot cross."""

_HEAD = struct.Struct("<IIII")
_DETAIL, _CODES = 16, 528

ANSWER_DIGEST_BYTES = 4
"""Bytes of a digest: two solutions are told apart by all tests of a task together, so that one in four thousand million
for each of them is enough. Zeros: not known.
"""


class StatusPage:
    """`tests` codes, all undecided at first."""

    def __init__(self, tests: int) -> None:
        self.tests = tests
        self._answer_digests = _CODES + tests
        self._end = self._answer_digests + ANSWER_DIGEST_BYTES * tests
        self._page = mmap.mmap(-1, max(mmap.PAGESIZE, self._end))

    def close(self) -> None:
        """Unmap the page here; processes that were forked with it keep theirs."""
        self._page.close()

    def reset(self) -> None:
        """All codes undecided, no digests, no detail."""
        self._page[: self._end] = bytes(self._end)

    def enter(self, phase: int, current: int) -> None:
        """Say what is being done: a phase, and the index of the test."""
        _HEAD.pack_into(self._page, 0, phase, current, *_HEAD.unpack_from(self._page, 0)[2:])

    def where(self) -> tuple[int, int]:
        """The phase, and the index of the test. Never beyond the tests, whatever a hostile test wrote there."""
        phase, current, _, _ = _HEAD.unpack_from(self._page, 0)
        return phase, min(current, max(self.tests - 1, 0))

    def set(self, index: int, code: int) -> None:
        """Write one code."""
        self._page[_CODES + index] = code

    def record(self, index: int, outcome: bytes) -> None:
        """Write the digest of what the solution answered in one test."""
        at = self._answer_digests + ANSWER_DIGEST_BYTES * index
        self._page[at : at + ANSWER_DIGEST_BYTES] = outcome

    def answer_digests(self) -> bytes:
        """All digests, in the order of the tests; none where the code says that the test did not come to its end in
        processes of its own.
        """
        known = bytearray(self._page[self._answer_digests : self._end])
        for index, code in enumerate(self.codes()):
            if code not in b"PFE":
                known[ANSWER_DIGEST_BYTES * index : ANSWER_DIGEST_BYTES * (index + 1)] = bytes(ANSWER_DIGEST_BYTES)
        return bytes(known)

    def fill(self, start: int, code: int) -> None:
        """Write a code for each test from `start` on."""
        self._page[_CODES + start : _CODES + self.tests] = bytes([code]) * (self.tests - start)

    def forget(self) -> None:
        """All codes undecided again but those of tests that hand over what cannot cross; no detail."""
        codes = self.codes()
        self._page[_DETAIL - 8 : _DETAIL] = bytes(8)
        for index, code in enumerate(codes):
            if code != CALL_BY_REFERENCE:
                self.set(index, UNDECIDED)

    def codes(self) -> bytes:
        """All codes as written so far."""
        return self._page[_CODES : _CODES + self.tests]

    def describe(self, detail: str) -> None:
        """Keep `detail` (cut at 500 bytes) unless an earlier failure has been described."""
        phase, current, length, _ = _HEAD.unpack_from(self._page, 0)
        if not length:
            text = detail.encode("utf-8", "replace")[: _CODES - _DETAIL - 12]
            self._page[_DETAIL : _DETAIL + len(text)] = text
            _HEAD.pack_into(self._page, 0, phase, current, len(text), 0)

    def detail(self) -> str:
        """The first failure in words, "" when none was described."""
        length = min(_HEAD.unpack_from(self._page, 0)[2], _CODES - _DETAIL)
        return self._page[_DETAIL : _DETAIL + length].decode("utf-8", "replace")
