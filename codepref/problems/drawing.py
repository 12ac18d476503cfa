"""Draws problems from a stream at random, and cuts a stream into pieces. Both need a limited amount of memory."""

from __future__ import annotations

import random
from collections.abc import Iterator

from codepref.records import Problem

CHUNK, CHUNK_CHARACTERS = 200, 1 << 26
"""The largest number of problems in a piece, and the number of characters of tests after which a piece ends."""

DRAWN_CHARACTERS = 1 << 28
"""The largest number of characters of the tests of all drawn problems together."""


class Draw:
    """Draws problems at random from a stream (algorithm R of Vitter, 1985).

    Each problem with tests has the same chance, unless tests are very long: a problem with which the tests of all drawn
    problems would exceed DRAWN_CHARACTERS is not drawn.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seen, self.characters = size, 0, 0
        self.kept: list[tuple[int, Problem]] = []
        self._random = random.Random(seed)

    def add(self, problem: Problem) -> None:
        """Draw the next problem of the stream, or pass over it. Problems without tests are not drawn."""
        if not problem.tests:
            return
        self.seen += 1
        place = len(self.kept) if self.seen <= self.size else self._random.randrange(self.seen)
        if place >= self.size:
            return
        old = self.kept[place][1] if place < len(self.kept) else None
        characters = self.characters + _characters(problem) - (_characters(old) if old else 0)
        if characters <= DRAWN_CHARACTERS:
            self.kept[place : place + 1] = [(self.seen, problem)]
            self.characters = characters

    def problems(self) -> list[Problem]:
        """Return the drawn problems in the order of the stream."""
        return [problem for _, problem in sorted(self.kept, key=lambda item: item[0])]


def chunks(problems: Iterator[Problem]) -> Iterator[list[Problem]]:
    """Yield the problems in lists. CHUNK and CHUNK_CHARACTERS limit the length of a list."""
    chunk, characters = list[Problem](), 0
    for problem in problems:
        chunk.append(problem)
        characters += _characters(problem)
        if len(chunk) >= CHUNK or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _characters(problem: Problem) -> int:
    return sum(len(test.source) for test in problem.tests)
