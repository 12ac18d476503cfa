"""Makes pairs from single answers with a label or a score: each pair has a wanted and an unwanted answer. Pure.

KTO's rows have labels. AceCode, SYNTHETIC-1 and CodeContests have the results of tests, which are ready verdicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from codepref.conversations.answers import Answer
from codepref.records import Pair

MAX_PAIRS = 4
"""The largest number of pairs of one prompt. `codepref pair --max-pairs-per-problem` has the same default."""

RULE = "labels"
"""The name of the rule in such pairs."""

_MAX_ANSWERS = 16
"""The largest number of answers that are used of one prompt and label."""


def pairs_from_answers(answers: Iterable[Answer], left_out: Counter[str], *, most: int = MAX_PAIRS) -> list[Pair]:
    """Return pairs of answers to the same prompt, at most `most` of each prompt.

    Of each prompt, the first 16 answers of each label are used. Equal answers count once, and are left out if they have
    both labels. The wanted answers of a prompt are paired in their order with the unwanted ones. If there are fewer
    answers with one of the labels, these are used again from the first.
    The confidence of a pair is the difference of its scores, or 1 if an answer has no score. `chosen_id` and
    `rejected_id` are the places of the two answers among all answers to the prompt, from 0. left_out: receives the
    numbers of answers that were left out, by reason.
    """
    groups: dict[str, list[tuple[int, Answer]]] = {}
    counts: Counter[str] = Counter()
    kept: Counter[tuple[str, bool | None]] = Counter()
    for answer in answers:
        key = repr([(turn["role"], turn["content"]) for turn in answer.prompt])
        place = counts[key]
        counts[key] += 1
        if answer.wanted is None:
            left_out["the answer has no label"] += 1
        elif kept[key, answer.wanted] < _MAX_ANSWERS:
            kept[key, answer.wanted] += 1
            groups.setdefault(key, []).append((place, answer))
        else:
            left_out[f"the prompt has more than {_MAX_ANSWERS} answers with this label"] += 1
    pairs: list[Pair] = []
    for group in groups.values():
        pairs += _pairs(group, left_out, most)
    return pairs


def _pairs(group: list[tuple[int, Answer]], left_out: Counter[str], most: int) -> list[Pair]:
    by_text: dict[str, dict[bool, tuple[int, Answer]]] = {}
    for place, answer in group:
        text = "".join(turn["content"] for turn in answer.answer).strip()
        by_text.setdefault(text, {}).setdefault(answer.wanted is True, (place, answer))
    both = sum(len(labels) == 2 for labels in by_text.values())
    if both:
        left_out["the same answer has both labels"] += both
    sides = {label: [labels[label] for labels in by_text.values() if set(labels) == {label}] for label in (True, False)}
    wanted, unwanted = sides[True], sides[False]
    if not wanted or not unwanted:
        left_out["the prompt has no answer of the other label"] += len(wanted) + len(unwanted)
        return []
    number = min(most, max(len(wanted), len(unwanted)))
    return [_pair(wanted[at % len(wanted)], unwanted[at % len(unwanted)]) for at in range(number)]


def _pair(wanted: tuple[int, Answer], unwanted: tuple[int, Answer]) -> Pair:
    (good_id, good), (bad_id, bad) = wanted, unwanted
    evidence: Mapping[str, Any] = {}
    confidence = 1.0
    if good.score is not None and bad.score is not None:
        evidence = {"chosen_score": good.score, "rejected_score": bad.score}
        confidence = good.score - bad.score
    return Pair(good.task_id, good.prompt, good.answer, bad.answer, RULE, confidence, good_id, bad_id, evidence)
