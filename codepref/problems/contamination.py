"""Finds training texts that contain held-out problems, by shared words and by equal programs. Pure.

A model that was trained on a benchmark shows its memory there, not its skill. Two signs count: a training text shares
n-grams with the statement of a held-out problem (n = 10; GPT-3 used 13, and statements of code benchmarks are shorter),
or it contains a program that equals a held-out gold solution except for names, comments and layout.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from codepref.problems.normalise import normal_form
from codepref.records import Problem

WORDS = 10
"""Words per n-gram."""

SHARE = 0.5
"""A training text with at least this share of a held-out statement's n-grams is an overlap."""

MIN_WORDS = 6
"""A statement with fewer words is not searched for."""

MIN_CHARACTERS = 80
"""A program whose normal form is shorter is not searched for: short programs are equal by chance (`return a + b`)."""

_WORD = re.compile(r"\w+")
_FENCED = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Text:
    """A text to train on: its name in results, its words, and the programs in it."""

    name: str
    words: str
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """A training text, by name, that contains the held-out problem `heldout`.

    share: the share of the statement's n-grams that the text contains; 1 for equal programs.
    """

    name: str
    heldout: str
    kind: Literal["words", "program"]
    share: float


def overlaps(
    texts: Iterable[Text], heldout: Sequence[Problem], *, length: int = WORDS, share: float = SHARE
) -> list[Overlap]:
    """The largest overlap of each training text that has one, in the order of the texts.

    length, share: a text overlaps if it has at least `share` of a held-out statement's n-grams of this length. A
    shorter statement is one n-gram, and a statement of fewer than MIN_WORDS words has none. The time grows with the
    words of all texts, and the memory with those of the held-out problems.
    """
    owners: dict[tuple[str, ...], list[str]] = defaultdict(list)
    counts: dict[str, int] = {}
    programs: dict[str, str] = {}
    for problem in heldout:
        grams = set(_grams(problem.prompt, length))
        counts[problem.task_id] = len(grams)
        for gram in grams:
            owners[gram].append(problem.task_id)
        if problem.gold and len(form := normal_form(problem.gold)) >= MIN_CHARACTERS:
            programs[form] = problem.task_id
    lengths = {len(gram) for gram in owners}
    return [one for text in texts if (one := _largest(text, owners, counts, programs, lengths, share))]


def problem_text(problem: Problem) -> Text:
    """The text of a training problem: its statement, and its gold solution if it has one."""
    return Text(problem.task_id, problem.prompt, (problem.gold,) if problem.gold else ())


def answer_text(name: str, question: str, answer: str) -> Text:
    """The text of a demonstration. Its programs are the answer's fenced blocks, or the whole answer without one."""
    return Text(name, f"{question}\n{answer}", tuple(_FENCED.findall(answer)) or (answer,))


def _largest(
    text: Text,
    owners: dict[tuple[str, ...], list[str]],
    counts: dict[str, int],
    programs: dict[str, str],
    lengths: set[int],
    share: float,
) -> Overlap | None:
    for program in text.programs:
        if len(program) >= MIN_CHARACTERS and (owner := programs.get(normal_form(program))):
            return Overlap(text.name, owner, "program", 1.0)
    shared: Counter[str] = Counter()
    for length in lengths:
        for gram in set(_windows(text.words, length)):
            shared.update(owners.get(gram, ()))
    shares = [(count / counts[owner], owner) for owner, count in shared.items() if count / counts[owner] >= share]
    if not shares:
        return None
    # the name decides between equal shares, so that every run gives the same result
    largest, owner = min(shares, key=lambda item: (-item[0], item[1]))
    return Overlap(text.name, owner, "words", largest)


def _grams(text: str, length: int) -> Iterator[tuple[str, ...]]:
    words = len(_WORD.findall(text))
    return _windows(text, min(length, words)) if words >= MIN_WORDS else iter(())


def _windows(text: str, length: int) -> Iterator[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return (tuple(words[start : start + length]) for start in range(len(words) - length + 1))
