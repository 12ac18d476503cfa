"""Computes figures of pairs without true tests: dominant problems, lengths, repeats and contradictions. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from codepref.errors import UserError
from codepref.evaluation.calibration import bin_of
from codepref.evaluation.estimators import wilson_interval
from codepref.pairing.hygiene import sides
from codepref.records import Message, Pair


@dataclass(frozen=True, slots=True)
class Shape:
    """Figures of a set of pairs. Two answers are equal if `codepref.pairing.hygiene.answer_form` is equal for both.

    Repeated, contradicting and shared answers are counted among the pairs of a problem that have the same prompt.

    pairs, problems: the numbers of pairs and of problems with a pair. most: the largest number of pairs of a problem.
    top_tenth: the share of all pairs that belong to the tenth of the problems with most pairs. The tenth is rounded up
    to whole problems. None without pairs.
    ties: the number of pairs whose evidence has the same verdict codes for both sides. alike: the number of pairs whose
    two answers are equal. repeated: the number of pairs whose chosen answer and whose rejected answer are both equal to
    those of an earlier pair of their problem. contradicting: the number of pairs with an answer that is on the other
    side in a pair of the same problem. A pair with two equal answers counts too. shared: the number of pairs with an
    answer that is on the same side in a different pair of the same problem. A repeated pair does not count as a
    different pair.
    longer: among the pairs whose answers have different numbers of characters, the share whose chosen answer is longer.
    longer_interval: Wilson's interval of `longer`. Both are None if there is no such pair.
    more_characters, more_lines: the mean length of the chosen answer minus that of the rejected answer, in characters
    and in lines. chosen_characters, rejected_characters: the mean lengths of both sides. These four are None without
    pairs.
    confidence: the number of pairs in each of ten bins of equal width, from [0, 0.1) to [0.9, 1].
    """

    pairs: int
    problems: int
    most: int
    top_tenth: float | None
    ties: int
    repeated: int
    contradicting: int
    longer: float | None
    longer_interval: tuple[float, float] | None
    more_characters: float | None
    alike: int = 0
    shared: int = 0
    more_lines: float | None = None
    chosen_characters: float | None = None
    rejected_characters: float | None = None
    confidence: tuple[int, ...] = ()


def pair_shape(pairs: Sequence[Pair]) -> Shape:
    """Return the figures of a set of pairs. Raises UserError for a confidence outside [0, 1]."""
    check_confidence(pairs)
    counts = sorted(Counter(pair.task_id for pair in pairs).values(), reverse=True)
    texts = [(_text(pair.chosen), _text(pair.rejected)) for pair in pairs]
    differences = [len(good) - len(bad) for good, bad in texts]
    unequal = [difference > 0 for difference in differences if difference]
    longer = sum(unequal) / len(unequal) if unequal else None
    # a repair pair has the answers of another pair of its problem, after another prompt
    keys = [(f"{pair.task_id}\n{_text(pair.prompt)}", *sides(pair)) for pair in pairs]
    chosen = {(task, form) for task, form, _ in keys}
    rejected = {(task, form) for task, _, form in keys}
    return Shape(
        pairs=len(pairs),
        problems=len(counts),
        most=counts[0] if counts else 0,
        top_tenth=sum(counts[: math.ceil(len(counts) / 10)]) / len(pairs) if pairs else None,
        ties=sum(_tie(pair) for pair in pairs),
        repeated=len(keys) - len(set(keys)),
        contradicting=sum((task, good) in rejected or (task, bad) in chosen for task, good, bad in keys),
        longer=longer,
        longer_interval=None if longer is None else wilson_interval(longer, len(unequal)),
        more_characters=_mean(differences),
        alike=sum(good == bad for _, good, bad in keys),
        shared=_shared(keys),
        more_lines=_mean([_lines(good) - _lines(bad) for good, bad in texts]),
        chosen_characters=_mean([len(good) for good, _ in texts]),
        rejected_characters=_mean([len(bad) for _, bad in texts]),
        confidence=tuple(np.bincount(bin_of(np.array([p.confidence for p in pairs])), minlength=10).tolist()),
    )


def check_confidence(pairs: Iterable[Pair]) -> None:
    """Raise UserError for a confidence that is outside [0, 1] or is NaN. The message names the task."""
    for pair in pairs:
        if not 0 <= pair.confidence <= 1:
            raise UserError(
                f"a pair of {pair.task_id!r} has the confidence {pair.confidence}. A confidence must be between 0 and 1"
            )


def _shared(keys: Sequence[tuple[str, str, str]]) -> int:
    distinct = set(keys)
    chosen = Counter((task, good) for task, good, _ in distinct)
    rejected = Counter((task, bad) for task, _, bad in distinct)
    return sum(chosen[task, good] > 1 or rejected[task, bad] > 1 for task, good, bad in keys)


def _tie(pair: Pair) -> bool:
    codes = pair.evidence.get("chosen_verdicts")
    return bool(codes) and codes == pair.evidence.get("rejected_verdicts")


def _text(messages: Iterable[Message]) -> str:
    return "".join(message["content"] for message in messages)


def _lines(text: str) -> int:
    return len(text.splitlines())


def _mean(values: Sequence[int]) -> float | None:
    return sum(values) / len(values) if values else None
