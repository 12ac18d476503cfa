"""What pairs show without any true test: who dominates, who is longer, what contradicts itself. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from codepref.evaluation.estimators import wilson_interval
from codepref.pairing.normalise import normal_form
from codepref.records import Message, Pair


@dataclass(frozen=True, slots=True)
class Shape:
    """Figures of a set of pairs.

    most: pairs of the problem that has most. top_tenth: share of the pairs that belong to the tenth of the problems
    (rounded up) with most pairs; None without pairs. ties: pairs whose evidence holds the same verdict letters for
    both sides. repeated: pairs beyond the first of one problem and the same two answers. contradicting: pairs with an
    answer that another pair of the problem holds the other way. Answers are compared by their normal forms.
    longer, longer_interval: share of pairs in which the chosen has more characters, equal lengths left out, with
    Wilson's interval; None when no lengths differ. more_characters: mean of chosen minus rejected; None without pairs.
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


def pair_shape(pairs: Sequence[Pair]) -> Shape:
    """See Shape. No pairs give zeros and None."""
    counts = sorted(Counter(pair.task_id for pair in pairs).values(), reverse=True)
    differences = [len(_text(pair.chosen)) - len(_text(pair.rejected)) for pair in pairs]
    unequal = [difference > 0 for difference in differences if difference]
    longer = sum(unequal) / len(unequal) if unequal else None
    keys = [(pair.task_id, _form(pair.chosen), _form(pair.rejected)) for pair in pairs]
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
        more_characters=sum(differences) / len(pairs) if pairs else None,
    )


def _tie(pair: Pair) -> bool:
    letters = pair.evidence.get("chosen_verdicts")
    return bool(letters) and letters == pair.evidence.get("rejected_verdicts")


def _text(messages: Iterable[Message]) -> str:
    return "".join(message["content"] for message in messages)


def _form(messages: Iterable[Message]) -> str:
    return normal_form(_text(messages).removeprefix("```python\n").removesuffix("\n```"))
