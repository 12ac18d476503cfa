"""Pairs or verdicts -> rows for KTO: single answers, wanted or not, in an order that suits its KL term. Pure."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from codepref.pairing.normalise import normal_form
from codepref.records import INFRASTRUCTURE, PASS, SKIPPED, Message, Pair, Problem, VerdictMatrix
from codepref.sampling.prompts import request_messages
from codepref.sampling.templates import SOLUTION_TEMPLATE
from codepref.training.rows import Encode, TrainingRows, check_template

LOOK_AHEAD = 64
"""So many waiting answers are looked through for one of another problem than its neighbours."""


@dataclass(frozen=True)
class Example:
    """One answer of one problem. wanted: KTO's label."""

    task_id: str
    prompt: Sequence[Message]
    completion: Sequence[Message]
    wanted: bool


@dataclass(frozen=True)
class Examples:
    """Answers, and why others were left out."""

    examples: list[Example] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)


def examples_from_pairs(pairs: Iterable[Pair]) -> Examples:
    """Each pair's chosen as wanted, its rejected as unwanted; an answer once a label.

    An answer that is chosen in one pair and rejected in another of the same problem is left out on both sides: it
    would be pushed both ways.
    """
    found: dict[tuple[str, str], dict[bool, Example]] = {}
    dropped: Counter[str] = Counter()
    for pair in pairs:
        for wanted, side in ((True, pair.chosen), (False, pair.rejected)):
            text = "".join(message["content"] for message in side)
            labels = found.setdefault((pair.task_id, text), {})
            if wanted in labels:
                dropped["answer left out: it is there already"] += 1
            labels.setdefault(wanted, Example(pair.task_id, pair.prompt, side, wanted))
    examples: list[Example] = []
    for labels in found.values():
        if len(labels) > 1:
            dropped["answer left out: chosen in one pair, rejected in another"] += 2
        else:
            examples += labels.values()
    return Examples(examples, dict(sorted(dropped.items())))


def examples_from_verdicts(
    matrices: Iterable[VerdictMatrix],
    problems: Iterable[Problem],
    *,
    most: int = 4,
    template: str = SOLUTION_TEMPLATE,
    fence: bool = True,
    allow_shared: bool = False,
    seed: int = 0,
) -> Examples:
    """Solutions that pass all of a problem's (true) tests as wanted, those seen to fail one as unwanted.

    most: answers a problem and label, drawn with the seed; answers of one normal form count as one. A cell that was not
    run, or that our own machinery failed at, is no ground for either label.
    """
    known = {problem.task_id: problem for problem in problems}
    dropped: Counter[str] = Counter()
    examples = []
    for matrix in matrices:
        prompt = request_messages(known[matrix.task_id], template)
        forms: dict[str, tuple[bool, str]] = {}
        for verdict in matrix.verdicts:
            letters = set(verdict.letters)
            if not letters or not verdict.solution.strip():
                dropped["solution left out: no tests or no code"] += 1
            elif verdict.isolation == "shared" and not allow_shared:
                dropped["solution left out: shared a process with its tests"] += 1
            elif INFRASTRUCTURE in letters or (SKIPPED in letters and letters <= {PASS, SKIPPED}):
                dropped["solution left out: not all its tests were run"] += 1
            else:
                forms.setdefault(normal_form(verdict.solution), (letters == {PASS}, verdict.solution))
        for label in (True, False):
            texts = [text for wanted, text in forms.values() if wanted == label]
            random.Random(f"{seed}:{matrix.task_id}:{label}").shuffle(texts)
            for text in texts[:most]:
                program = text.strip("\n")
                content = f"```python\n{program}\n```" if fence else program
                examples.append(
                    Example(matrix.task_id, prompt, [{"role": "assistant", "content": content}], wanted=label)
                )
    return Examples(examples, dict(sorted(dropped.items())))


def kto_rows(
    given: Examples, encode: Encode, *, max_length: int, eos_id: int, batch: int, seed: int = 0
) -> TrainingRows:
    """Rows {"prompt", "completion", "label"} for TRL's KTOTrainer, interleaved (see `interleaved`).

    batch: rows held at once; a last batch of one row would be its own KL neighbour, so that row is dropped. Answers
    longer than `max_length` tokens are dropped whole, as in `preference_rows`, whose UserErrors apply.
    `weights` balance the labels: the rarer one counts as much as the other in all (KTO, arXiv 2402.01306, section 4.3).
    """
    dropped: Counter[str] = Counter(given.dropped)
    kept, longest = [], 0
    for example in given.examples:
        whole = list(encode([*example.prompt, *example.completion], False))
        check_template(list(encode(example.prompt, True)), whole, eos_id)
        if len(whole) > max_length:
            dropped[f"longer than training.max_length = {max_length} tokens"] += 1
        else:
            kept.append(example)
            longest = max(longest, len(whole))
    ordered = interleaved(kept, seed)
    if len(ordered) % batch == 1:
        ordered.pop()
        dropped["answer left out: it would be alone in the last batch"] += 1
    if lonely := one_sided(ordered, batch):
        dropped[f"batches of {batch} that hold one label only (kept)"] += lonely
    wanted = sum(example.wanted for example in ordered)
    rows = [{"prompt": list(one.prompt), "completion": list(one.completion), "label": one.wanted} for one in ordered]
    weights = balance(wanted, len(ordered) - wanted)
    return TrainingRows(rows, dict(dropped), longest, len(rows), weights)


def balance(wanted: int, unwanted: int) -> tuple[float, float]:
    """Weights with which both labels weigh the same in all; the more frequent one has 1."""
    if not wanted or not unwanted:
        return 1.0, 1.0
    more = max(wanted, unwanted)
    return more / wanted, more / unwanted


def interleaved(examples: Sequence[Example], seed: int) -> list[Example]:
    """The same answers, labels mixed evenly, and neighbours of different problems as far as possible.

    TRL takes the rows in their order, and pairs each prompt with its neighbour's answer for the KL term. In blocks of
    one label a batch teaches one side only; next to an answer of the same prompt the KL term is that answer's reward.
    """
    generator = random.Random(seed)
    waiting: dict[bool, deque[Example]] = {}
    for label in (True, False):
        mine = [example for example in examples if example.wanted == label]
        generator.shuffle(mine)
        waiting[label] = deque(mine)
    total = {label: len(rows) for label, rows in waiting.items()}
    ordered: list[Example] = []
    while any(waiting.values()):
        # the label that is furthest behind its share, so that every stretch holds both in proportion
        label = max((True, False), key=lambda one: len(waiting[one]) / max(1, total[one]))
        recent = {example.task_id for example in ordered[-2:]}
        ordered.append(_next_of(waiting[label], recent))
    return ordered


def _next_of(rows: deque[Example], recent: set[str]) -> Example:
    for at in range(min(LOOK_AHEAD, len(rows))):
        if rows[at].task_id not in recent:
            found = rows[at]
            del rows[at]
            return found
    return rows.popleft()


def one_sided(ordered: Sequence[Example], batch: int) -> int:
    """How many batches hold one label only."""
    batches = (ordered[at : at + batch] for at in range(0, len(ordered), batch))
    return sum(len({example.wanted for example in rows}) == 1 for rows in batches)
