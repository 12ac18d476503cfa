"""Finds training texts that contain held-out problems, by shared words and by equal programs. Pure.

The scores of a model on problems that it was trained on can show its memory instead of its skill. A training text
contains a held-out problem in two cases. By default, the first case is that the text has at least half of the 10-grams
of the problem's statement (GPT-3 used 13-grams, but statements of code benchmarks are shorter). The second case is that
the text holds a program with the normal form of the problem's gold solution (see `codepref.problems.normalise`). Very
short statements and programs are not searched for.
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
"""Words per n-gram, by default."""

SHARE = 0.5
"""By default, a text that has at least this share of a held-out statement's different n-grams contains the problem."""

MIN_WORDS = 6
"""A statement with fewer words is not searched for."""

MIN_CHARACTERS = 80
"""A gold solution with a shorter normal form is not searched for, because short programs can be equal by chance.

Training programs with fewer characters are not compared.
"""

_WORD = re.compile(r"\w+")
_FENCED = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Text:
    """A text to train on.

    Attributes: `name` is its name in results. The words of `words` are compared with held-out statements, and the
    programs in `programs` with gold solutions.
    """

    name: str
    words: str
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """One overlap: a training text that contains a held-out problem.

    Attributes: `name` is that of the training text, and `heldout` the task_id of the problem. `kind` says whether the
    text shares words or a program with the problem. `share` is the share of the statement's n-grams that the text
    contains, and 1 for equal programs.
    """

    name: str
    heldout: str
    kind: Literal["words", "program"]
    share: float


class HeldOut:
    """Held-out problems, made ready for comparisons with many texts.

    length, share: a text overlaps if it has at least `share` of a held-out statement's n-grams of `length` words, or a
    program with the normal form of a gold solution. This program and this form must each have at least MIN_CHARACTERS
    characters. A statement with fewer than `length` words is one n-gram, and a statement with fewer than MIN_WORDS
    words has no n-gram.
    """

    def __init__(self, problems: Iterable[Problem], *, length: int = WORDS, share: float = SHARE) -> None:
        self._share = share
        self._owners: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._counts: dict[str, int] = {}
        self._programs: dict[str, str] = {}
        for problem in problems:
            grams = set(_grams(problem.prompt, length))
            self._counts[problem.task_id] = len(grams)
            for gram in grams:
                self._owners[gram].append(problem.task_id)
            if problem.gold and len(form := normal_form(problem.gold)) >= MIN_CHARACTERS:
                self._programs[form] = problem.task_id
        self._lengths = {len(gram) for gram in self._owners}

    def largest(self, text: Text) -> Overlap | None:
        """Return the largest overlap of a text, or None if it has none."""
        for program in text.programs:
            if (
                self._programs
                and len(program) >= MIN_CHARACTERS
                and (owner := self._programs.get(normal_form(program)))
            ):
                return Overlap(text.name, owner, "program", 1.0)
        shared: Counter[str] = Counter()
        for length in self._lengths:
            for gram in set(_windows(text.words, length)):
                shared.update(self._owners.get(gram, ()))
        shares = [
            (share, owner) for owner, count in shared.items() if (share := count / self._counts[owner]) >= self._share
        ]
        if not shares:
            return None
        # the name decides between equal shares, so that every run gives the same result
        largest, owner = min(shares, key=lambda item: (-item[0], item[1]))
        return Overlap(text.name, owner, "words", largest)


def overlaps(
    texts: Iterable[Text], heldout: Sequence[Problem], *, length: int = WORDS, share: float = SHARE
) -> list[Overlap]:
    """Return the largest overlap of each training text that has an overlap, in the order of the texts.

    length, share: as in `HeldOut`.
    """
    known = HeldOut(heldout, length=length, share=share)
    return [one for text in texts if (one := known.largest(text))]


def problem_text(problem: Problem) -> Text:
    """Return the text of a training problem: its statement, and its gold solution if it has one."""
    return Text(problem.task_id, problem.prompt, (problem.gold,) if problem.gold else ())


def answer_text(name: str, question: str, answer: str) -> Text:
    """Return the text of a demonstration. Its programs are its fenced blocks, or the answer if none is found."""
    return Text(name, f"{question}\n{answer}", tuple(_FENCED.findall(answer)) or (answer,))


def _grams(text: str, length: int) -> Iterator[tuple[str, ...]]:
    words = len(_WORD.findall(text))
    return _windows(text, min(length, words)) if words >= MIN_WORDS else iter(())


def _windows(text: str, length: int) -> Iterator[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return (tuple(words[start : start + length]) for start in range(len(words) - length + 1))
