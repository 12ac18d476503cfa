"""The page that a judge shares with its supervisor: the test it is at, one letter a test, the first failure in words.

Shared memory, not a pipe: a letter costs no system call and the supervisor is not woken for it, and what was written
survives the judge being killed. The judged process never has this page.
"""

from __future__ import annotations

import mmap
import struct

SETUP, LOADING, TESTING, FINISHED, AGAIN, ALONE, ARRAYS = range(7)
UNDECIDED, DIED, CALL_BY_REFERENCE = 0, ord("?"), ord("R")
"""A letter not written yet; the solution's process ended; the test hands over what cannot cross."""

_HEAD = struct.Struct("<IIII")
_DETAIL, _LETTERS = 16, 528


class StatusPage:
    """`tests` letters, all undecided at first."""

    def __init__(self, tests: int) -> None:
        self.tests = tests
        self._page = mmap.mmap(-1, max(mmap.PAGESIZE, _LETTERS + tests))

    def close(self) -> None:
        """Unmap the page here; processes that were forked with it keep theirs."""
        self._page.close()

    def reset(self) -> None:
        """All letters undecided, no detail."""
        self._page[: _LETTERS + self.tests] = bytes(_LETTERS + self.tests)

    def enter(self, phase: int, current: int) -> None:
        """Say what is being done: a phase, and the index of the test."""
        _HEAD.pack_into(self._page, 0, phase, current, *_HEAD.unpack_from(self._page, 0)[2:])

    def where(self) -> tuple[int, int]:
        """The phase, and the index of the test. Never beyond the tests, whatever a hostile test wrote there."""
        phase, current, _, _ = _HEAD.unpack_from(self._page, 0)
        return phase, min(current, max(self.tests - 1, 0))

    def set(self, index: int, letter: int) -> None:
        """Write one letter."""
        self._page[_LETTERS + index] = letter

    def fill(self, start: int, letter: int) -> None:
        """Write a letter for each test from `start` on."""
        self._page[_LETTERS + start : _LETTERS + self.tests] = bytes([letter]) * (self.tests - start)

    def forget(self) -> None:
        """All letters undecided again but those of tests that hand over what cannot cross; no detail."""
        letters = self.letters()
        self._page[_DETAIL - 8 : _DETAIL] = bytes(8)
        for index, letter in enumerate(letters):
            if letter != CALL_BY_REFERENCE:
                self.set(index, UNDECIDED)

    def letters(self) -> bytes:
        """All letters as written so far."""
        return self._page[_LETTERS : _LETTERS + self.tests]

    def describe(self, detail: str) -> None:
        """Keep `detail` (cut at 500 bytes) unless an earlier failure has been described."""
        phase, current, length, _ = _HEAD.unpack_from(self._page, 0)
        if not length:
            text = detail.encode("utf-8", "replace")[: _LETTERS - _DETAIL - 12]
            self._page[_DETAIL : _DETAIL + len(text)] = text
            _HEAD.pack_into(self._page, 0, phase, current, len(text), 0)

    def detail(self) -> str:
        """The first failure in words, "" when none was described."""
        length = min(_HEAD.unpack_from(self._page, 0)[2], _LETTERS - _DETAIL)
        return self._page[_DETAIL : _DETAIL + length].decode("utf-8", "replace")
