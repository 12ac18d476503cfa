"""Training texts that hold held-out problems: found by shared words and by equal programs. Pure.

A benchmark that was trained on measures memory. Two signs are looked for: the words of a held-out problem's statement
in a training text, as n-grams (n = 10, as usual since GPT-3's n of 13 and shorter statements of code benchmarks), and a
program that is a held-out problem's gold solution up to names, comments and layout.
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
"""Length of the n-grams."""

SHARE = 0.5
"""Of a held-out statement's n-grams, so much in one training text is an overlap."""

FEWEST = 6
"""Words of a statement: a shorter one says too little to be recognised by."""

SHORTEST = 80
"""Characters of a program's normal form: shorter ones are alike by chance (`return a + b`)."""

_WORD = re.compile(r"\w+")
_FENCED = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Text:
    """Something to train on: its words, and the programs in it."""

    name: str
    words: str
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """A training text that holds a held-out problem. share: of its statement's n-grams; 1 for equal programs."""

    name: str
    heldout: str
    kind: Literal["words", "program"]
    share: float


def overlaps(
    texts: Iterable[Text], heldout: Sequence[Problem], *, length: int = WORDS, share: float = SHARE
) -> list[Overlap]:
    """The worst overlap of each training text that has one, in the order of the texts.

    length, share: an overlap in words is `share` of a held-out statement's n-grams of this length; a statement that is
    shorter counts as one n-gram, and one of fewer than FEWEST words as none. Time grows with the words of all texts,
    memory with those of the held-out problems.
    """
    owners: dict[tuple[str, ...], list[str]] = defaultdict(list)
    counts: dict[str, int] = {}
    programs: dict[str, str] = {}
    for problem in heldout:
        found = set(_grams(problem.prompt, length))
        counts[problem.task_id] = len(found)
        for gram in found:
            owners[gram].append(problem.task_id)
        if problem.gold and len(form := normal_form(problem.gold)) >= SHORTEST:
            programs[form] = problem.task_id
    lengths = {len(gram) for gram in owners}
    return [one for text in texts if (one := _worst(text, owners, counts, programs, lengths, share))]


def problem_text(problem: Problem) -> Text:
    """A training problem: its statement, and its gold solution where it has one."""
    return Text(problem.task_id, problem.prompt, (problem.gold,) if problem.gold else ())


def answer_text(name: str, asked: str, answered: str) -> Text:
    """A demonstration: what is asked and answered; programs are the answer's fenced blocks, or all of it."""
    return Text(name, f"{asked}\n{answered}", tuple(_FENCED.findall(answered)) or (answered,))


def _worst(
    text: Text,
    owners: dict[tuple[str, ...], list[str]],
    counts: dict[str, int],
    programs: dict[str, str],
    lengths: set[int],
    share: float,
) -> Overlap | None:
    for program in text.programs:
        if len(program) >= SHORTEST and (owner := programs.get(normal_form(program))):
            return Overlap(text.name, owner, "program", 1.0)
    shared: Counter[str] = Counter()
    for length in lengths:
        for gram in set(_windows(text.words, length)):
            shared.update(owners.get(gram, ()))
    found = [(count / counts[owner], owner) for owner, count in shared.items() if count / counts[owner] >= share]
    if not found:
        return None
    # the name settles equal shares, so that the answer is the same in every run
    worst, owner = min(found, key=lambda item: (-item[0], item[1]))
    return Overlap(text.name, owner, "words", worst)


def _grams(text: str, length: int) -> Iterator[tuple[str, ...]]:
    words = len(_WORD.findall(text))
    return _windows(text, min(length, words)) if words >= FEWEST else iter(())


def _windows(text: str, length: int) -> Iterator[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return (tuple(words[start : start + length]) for start in range(len(words) - length + 1))
