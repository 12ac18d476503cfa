"""Computes figures that show how far a judge's ratings can be trusted. Pure.

The figures compare the ratings with execution, compare the judge's answers to repeated questions, and show biases. Each
figure is a mean over problems with equal weights, with a 95% interval over problems.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from codepref.evaluation.estimators import score
from codepref.judging.questions import Reading
from codepref.records import Judgment, Score

Passed = Mapping[tuple[str, int], bool]
"""(task_id, response_id) -> whether the response is correct by execution. Responses of unknown correctness have no
entry."""

Values = Mapping[int, int]
"""The position of a response among the task's responses -> its rating."""


@dataclass(frozen=True)
class Rated:
    """A judged task and its ratings in each pass.

    first: the ratings of the first pass. backwards: those of the pass with the responses in reversed order, or None
    without such a pass. repeats: those of each repetition of the first pass.
    """

    task: Judgment
    first: Values
    backwards: Values | None = None
    repeats: tuple[Values, ...] = ()


@dataclass(frozen=True)
class JudgeCalibration:
    """The figures about a judge.

    figures: the figures that `calibrate` describes, without those that have no data. counts: the numbers of problems,
    of rated responses and of unjudged responses, and for each figure the number of comparisons behind it. notes: a note
    for each figure without data.
    """

    figures: list[Score] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def rated(task: Judgment, passes: Sequence[Sequence[Reading]], *, second_pass: bool) -> Rated:
    """Return a task with its ratings in each pass.

    passes: the readings by pass, as `codepref.judging.questions.read_judgment` returns them. second_pass: whether the
    second pass has the responses in reversed order.
    """
    values = [{place: value for one in readings for place, value in one.values.items()} for readings in passes]
    rest = values[1 + second_pass :]
    backwards = values[1] if second_pass and len(values) > 1 else None
    return Rated(task, values[0] if values else {}, backwards, tuple(rest))


def calibrate(
    tasks: Sequence[Rated], *, passed: Passed | None = None, own_models: frozenset[str] = frozenset(), seed: int = 0
) -> JudgeCalibration:
    """Compute all figures for which there are data.

    Pairs are pairs of rated responses to one problem. In a share of pairs, a tie counts half.

    agreement with execution: the share of pairs of a correct and a wrong response in which the correct response is
      rated higher. Random ratings give 0.5.
    same rating in reversed order: the share of responses that get the same rating if the responses are shown in
      reversed order.
    rank kept in reversed order: the share of pairs with different ratings in the first pass whose order stays in the
      reversed pass.
    gain of the earlier place: the points by which a response is rated higher if it is shown in the first half of the
      order than if it is shown in the second half.
    same rating when asked again: the share of responses that get the same rating if the question is repeated.
    longer is rated higher: the share of pairs in which the longer response is rated higher. Pairs of
      equal length do not count. Random ratings give 0.5.
    own model's gain: the points by which responses of the judge's own model are rated above those of other models. It
      shows a bias only if other judges rate both alike.

    The last two figures use pairs whose responses are both correct, both wrong, or both of unknown correctness.

    passed: the correctness of responses by execution, or None. own_models: the names of models in the responses that
    are the judge's own model. seed: the seed of the bootstrap.
    """
    known = passed or {}
    figures: list[Score] = []
    counts = {
        "problems": len(tasks),
        "rated": sum(len(one.first) for one in tasks),
        "unjudged": sum(len(one.task.responses) - len(one.first) for one in tasks),
    }
    notes: list[str] = []
    points = max((one.task.high - one.task.low for one in tasks), default=4)
    for name, of_task, signed in _figures(known, own_models):
        per_task = [values for one in tasks if (values := list(of_task(one)))]
        counts[name] = sum(map(len, per_task))
        if not per_task:
            notes.append(f"{name}: no data")
            continue
        figures.append(_figure(name, per_task, points if signed else 0, seed))
    return JudgeCalibration(figures, counts, notes)


OfTask = Callable[[Rated], Iterator[float]]


def _figures(passed: Passed, own_models: frozenset[str]) -> Iterator[tuple[str, OfTask, bool]]:
    yield "agreement with execution", lambda one: _agreement(one, passed), False
    yield "same rating in reversed order", lambda one: _same(one.first, one.backwards), False
    yield "rank kept in reversed order", lambda one: _rank_kept(one.first, one.backwards), False
    yield "gain of the earlier place", _earlier, True
    yield (
        "same rating when asked again",
        lambda one: (v for other in one.repeats for v in _same(one.first, other)),
        False,
    )
    yield "longer is rated higher", lambda one: _longer(one, passed), False
    yield "own model's gain", lambda one: _own(one, passed, own_models), True


def _figure(name: str, per_task: Sequence[Sequence[float]], points: int, seed: int) -> Score:
    means = [sum(values) / len(values) for values in per_task]
    samples = [len(values) for values in per_task]
    if not points:
        return score(name, means, samples, seed=seed)
    # `score` needs values in [0, 1]. Differences in [-points, points] are scaled to it, and the result is scaled back.
    scaled = score(name, [(mean / points + 1) / 2 for mean in means], samples, seed=seed)
    value, low, high = ((2 * x - 1) * points for x in (scaled.value, scaled.low, scaled.high))
    return replace(scaled, value=value, low=low, high=high)


def _order(better: float, worse: float) -> float:
    return 1.0 if better > worse else 0.5 if better == worse else 0.0


def _known(one: Rated, passed: Passed, place: int) -> bool | None:
    return passed.get((one.task.task_id, one.task.responses[place].response_id))


def _agreement(one: Rated, passed: Passed) -> Iterator[float]:
    for a, b in itertools.permutations(one.first, 2):
        if _known(one, passed, a) is True and _known(one, passed, b) is False:
            yield _order(one.first[a], one.first[b])


def _same(first: Values, other: Values | None) -> Iterator[float]:
    for place, value in first.items():
        if other is not None and place in other:
            yield float(value == other[place])


def _rank_kept(first: Values, other: Values | None) -> Iterator[float]:
    for a, b in itertools.permutations(first, 2):
        if first[a] > first[b] and other is not None and a in other and b in other:
            yield _order(other[a], other[b])


def _earlier(one: Rated) -> Iterator[float]:
    """Yield the rating of a response when it is shown early minus its rating when it is shown late, for each response.

    A response without a rating in one of the two passes is left out, and so is a response in the middle of the order.
    """
    ids = [response.response_id for response in one.task.responses]
    last = len(ids) - 1
    for place, value in one.first.items():
        if one.backwards is None or place not in one.backwards or ids[place] not in one.task.order:
            continue
        position = one.task.order.index(ids[place])
        if position * 2 != last:
            sign = 1 if position * 2 < last else -1
            yield float(sign * (value - one.backwards[place]))


def _longer(one: Rated, passed: Passed) -> Iterator[float]:
    for a, b in itertools.permutations(one.first, 2):
        longer = len(one.task.responses[a].text) > len(one.task.responses[b].text)
        if longer and _known(one, passed, a) == _known(one, passed, b):
            yield _order(one.first[a], one.first[b])


def _own(one: Rated, passed: Passed, own_models: frozenset[str]) -> Iterator[float]:
    for a, b in itertools.permutations(one.first, 2):
        is_own = one.task.responses[a].model in own_models and one.task.responses[b].model not in own_models
        if is_own and _known(one, passed, a) == _known(one, passed, b):
            yield float(one.first[a] - one.first[b])
