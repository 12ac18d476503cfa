"""Pairs or verdicts -> rows for KTO: single answers, wanted or not, in an order that suits its KL term. Pure."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from codepref.config.templates import SOLUTION_TEMPLATE
from codepref.errors import UserError
from codepref.problems.normalise import normal_form
from codepref.records import Message, Pair, Problem, VerdictMatrix
from codepref.sampling.prompts import request_messages
from codepref.training.interleave import clashes, interleaved, one_sided
from codepref.training.rows import Encode, TrainingRows, check_template


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

    most: answers a problem and label, drawn with the seed; answers of one normal form count as one, and as none when
    one passed and another failed. A solution whose correctness is unknown is left out.
    Raises UserError for verdicts of a problem that is not among `problems`.
    """
    known = {problem.task_id: problem for problem in problems}
    dropped: Counter[str] = Counter()
    examples = []
    for matrix in matrices:
        if matrix.task_id not in known:
            raise UserError(
                f"the verdicts hold {matrix.task_id}, which is none of the problems: give their problem file"
            )
        prompt = request_messages(known[matrix.task_id], template)
        forms: dict[str, dict[bool, str]] = {}
        for verdict in matrix.verdicts:
            if not verdict.codes or not verdict.solution.strip():
                dropped["solution left out: no tests or no code"] += 1
            elif verdict.isolation == "shared" and not allow_shared:
                dropped["solution left out: shared a process with its tests"] += 1
            elif verdict.correct is None:
                dropped["solution left out: not all its tests were run"] += 1
            else:
                labels = forms.setdefault(normal_form(verdict.solution), {})
                if labels:
                    dropped["solution left out: the same as another after normalisation"] += 1
                labels.setdefault(verdict.correct, verdict.solution)
        for label in (True, False):
            # one form that passed and failed by turns tells nothing
            texts = [labels[label] for labels in forms.values() if set(labels) == {label}]
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

    batch: rows held at once; a last batch of one row would be its own KL neighbour, so a row of the more frequent label
    is dropped. What the order cannot mend is counted in `dropped` too, as kept. Answers longer than `max_length` tokens
    are dropped whole, as in `preference_rows`, whose UserErrors apply.
    `weights` balance the labels: the rarer one counts as much as the other in all (arXiv 2402.01306, eq. 8, by TRL).
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
    if len(kept) % batch == 1:
        more = sum(example.wanted for example in kept) * 2 > len(kept)
        kept.remove(random.Random(seed).choice([example for example in kept if example.wanted == more]))
        dropped["answer left out: it would be alone in the last batch"] += 1
    ordered = interleaved(kept, batch, seed)
    if lonely := one_sided(ordered, batch):
        dropped[f"batches of {batch} that hold one label only (kept)"] += lonely
    if beside := clashes(ordered, batch):
        dropped["answers whose KL neighbour is of the same problem (kept)"] += beside
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


def weighed(balanced: tuple[float, float], desirable: float, undesirable: float) -> tuple[float, float]:
    """Weights of wanted and unwanted answers: those given; one that is 0 balances the other; two that are 0, `balance`.

    balanced: what `balance` gave. Example: balanced (1, 3) and desirable 2 give (2, 6).
    """
    if desirable and undesirable:
        return desirable, undesirable
    scale = desirable / balanced[0] if desirable else undesirable / balanced[1] if undesirable else 1.0
    return balanced[0] * scale, balanced[1] * scale
