"""Rows for KTO, made from single answers, in an order that suits the KL term. Pure."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from codepref.chat import Chat
from codepref.training.examples import Examples
from codepref.training.interleave import interleaved, kl_clashes, one_sided_batches
from codepref.training.rows import Faults, TrainingRows, encode_row


def kto_rows(answers: Examples, chat: Chat, *, max_length: int, batch: int, seed: int = 0) -> TrainingRows:
    """Return rows for TRL's KTOTrainer in the order of `interleaved`, with the columns prompt, completion and label.

    batch: the rows that one process holds at once. A row with more than `max_length` tokens in prompt and answer is
    dropped whole, and so is a row with a fault of `encode_row` that does not end with KEPT. If the last batch would
    hold a single row, that row would be its own KL neighbour. Therefore one row of the more frequent label is dropped
    (an unwanted one if the labels are equally frequent). The result's `dropped` also counts the faults that remain in
    the order; their reasons end with "(kept)". If both labels occur, the result's `weights` give them the same total
    weight (arXiv 2402.01306, eq. 8). Raises UserError as `encode_row` and `Faults.counts` do.
    """
    dropped: Counter[str] = Counter(answers.dropped)
    kept, longest, faults = [], 0, Faults()
    for number, example in enumerate(answers.examples, start=1):
        place = f"answer {number} ({example.task_id})"
        row = encode_row(chat, example.prompt, example.completion, place, wanted=example.wanted)
        if faults.add(row.faults, place):
            continue
        if len(row.ids) > max_length:
            dropped[f"longer than training.max_length = {max_length} tokens"] += 1
        else:
            kept.append(replace(example, prompt=row.prompt))
            longest = max(longest, len(row.ids))
    dropped.update(faults.counts(len(kept)))
    if len(kept) % batch == 1:
        frequent = sum(example.wanted for example in kept) * 2 > len(kept)
        kept.remove(random.Random(seed).choice([example for example in kept if example.wanted == frequent]))
        dropped["answer left out: the last batch would hold a single answer"] += 1
    ordered = interleaved(kept, batch, seed)
    if one_sided := one_sided_batches(ordered, batch):
        dropped[f"batches of {batch} that hold one label only (kept)"] += one_sided
    if clashes := kl_clashes(ordered, batch):
        dropped["answers whose KL neighbour is of the same problem (kept)"] += clashes
    wanted = sum(example.wanted for example in ordered)
    rows = [{"prompt": list(one.prompt), "completion": list(one.completion), "label": one.wanted} for one in ordered]
    weights = balanced_weights(wanted, len(ordered) - wanted)
    return TrainingRows(rows, dict(dropped), longest, len(rows), weights)


def balanced_weights(wanted: int, unwanted: int) -> tuple[float, float]:
    """Return the weights of a wanted and an unwanted answer that give both labels the same total weight.

    The more frequent label has weight 1. Both weights are 1 when there are no answers of one label.
    """
    if not wanted or not unwanted:
        return 1.0, 1.0
    frequent = max(wanted, unwanted)
    return frequent / wanted, frequent / unwanted


def label_weights(balanced: tuple[float, float], desirable: float, undesirable: float) -> tuple[float, float]:
    """Return the weights of a wanted and an unwanted answer that the settings ask for.

    balanced: the result of `balanced_weights`. desirable, undesirable: the settings; a weight of 0 is replaced by the
    weight that balances the labels. Example: balanced (1, 3), desirable 2 and undesirable 0 give (2, 6).
    """
    if desirable and undesirable:
        return desirable, undesirable
    scale = desirable / balanced[0] if desirable else undesirable / balanced[1] if undesirable else 1.0
    return balanced[0] * scale, balanced[1] * scale
