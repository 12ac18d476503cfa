"""Rows that TRL can train on, made from pairs, and the checks of what a chat template makes of rows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from codepref.chat import END_IN_TEXT, FOLDED, KEPT, SWALLOWED, Chat, about
from codepref.errors import UserError
from codepref.records import Message, Pair

EMPTY = "the wanted answer is empty"
MERGED = "the chat template renders a prompt alone differently from the same prompt before an answer"


@dataclass(frozen=True)
class TrainingRows:
    """Rows for TRL.

    Attributes:
    rows: the rows, with the columns that TRL reads.
    dropped: the number of pairs or answers that were left out, by reason. One that has several faults counts for each
        of them. A reason that ends with "(kept)" counts a fault for which nothing is left out.
    longest: the number of tokens of the longest row. For online methods, it is the length of the longest prompt plus
        that of the longest possible answer.
    pairs: the number of pairs, single answers or problems in the rows.
    weights: for KTO, the weights of a wanted and an unwanted answer that balance the labels; 1 for other methods.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    longest: int = 0
    pairs: int = 0
    weights: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class EncodedRow:
    """A prompt with an answer, as the chat template renders them.

    Attributes:
    prompt: the messages of the prompt, in the form that the template takes.
    ids: the tokens of prompt and answer.
    faults: what is wrong with the row. A fault that ends with KEPT is no reason to leave the row out.
    """

    prompt: list[Message]
    ids: list[int]
    faults: tuple[str, ...] = ()


class Faults:
    """Counts the faults of rows, and keeps the place of the first row with each fault."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, faults: Iterable[str], place: str) -> bool:
        """Count the faults of a row, and return whether it must be left out. place: what messages call the row."""
        faults = list(faults)
        self._counts.update(faults)
        for fault in faults:
            self._first.setdefault(fault, place)
        return any(not fault.endswith(KEPT) for fault in faults)

    def counts(self, kept: int) -> dict[str, int]:
        """Return the number of rows with each fault. The keys name the fault and the first row.

        kept: the number of rows that were not left out. Raises UserError if it is 0 and the template renders a prompt
        differently before an answer.
        """
        if not kept and MERGED in self._counts:
            raise UserError(
                f"{MERGED}, so the model would be trained in another context than it is sampled in. Change the "
                "template so that the tokens before an answer are those of the generation prompt. A generation prompt "
                "should end with a special token."
            )
        return {
            f"{fault.removesuffix(KEPT)}; first in {self._first[fault]}{KEPT if fault.endswith(KEPT) else ''}": count
            for fault, count in self._counts.items()
        }


def encode_row(
    chat: Chat, prompt: Sequence[Message], answer: Sequence[Message], place: str, *, wanted: bool = True
) -> EncodedRow:
    """Return a prompt with an answer as the chat template renders them.

    place: what messages call the row. wanted: whether the model learns to give the answer. If it does, an empty answer
    is a fault, since it would teach the model to say nothing. Raises UserError as `Chat.encode` does, and if the
    template puts no end token after the answer.
    """
    turns = chat.prompt(prompt)
    with about(place):
        before, whole = chat.encode(turns, True), chat.encode([*turns, *answer], False)
        fault = chat.fault([*turns, *answer])
        if not fault and chat.swallowed(turns, answer, whole):
            fault = SWALLOWED
    check_ends(whole[len(before) :], chat.ends)
    merged = MERGED if whole[: len(before)] != before else ""
    folded = FOLDED if turns != list(prompt) else ""
    in_text = END_IN_TEXT if chat.holds_end(answer) else ""
    empty = EMPTY if wanted and not any(turn["content"].strip() for turn in answer) else ""
    return EncodedRow(turns, whole, tuple(filter(None, (empty, fault, in_text, merged, folded))))


def check_ends(answer: Sequence[int], ends: Collection[int]) -> None:
    """Raise UserError if the tokens of an answer hold none of the tokens `ends` that end an answer."""
    if not any(token in ends for token in answer):
        raise UserError(
            "the chat template puts no end token after an answer, so training would teach the model not to stop. Add "
            "eos_token at the end of the assistant's turn in the template, or add the token that ends the turn to "
            "eos_token_id in generation_config.json."
        )


def preference_rows(pairs: Iterable[Pair], chat: Chat, *, max_length: int) -> TrainingRows:
    """Return the pairs as rows for DPO.

    A pair is dropped whole if its prompt and one of its answers together have more than `max_length` tokens. A cut
    answer would have no end token and would teach the model not to stop, and two answers that are cut to the same
    tokens would train nothing. A pair is also dropped if its answers have the same tokens, or if `encode_row` finds a
    fault that does not end with KEPT. The result counts the dropped pairs. Raises UserError as `encode_row` and
    `Faults.counts` do.
    """
    rows: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter()
    longest, faults = 0, Faults()
    for number, pair in enumerate(pairs, start=1):
        place = f"pair {number} ({pair.task_id})"
        chosen = encode_row(chat, pair.prompt, pair.chosen, place)
        rejected = encode_row(chat, pair.prompt, pair.rejected, place, wanted=False)
        if faults.add(dict.fromkeys(chosen.faults + rejected.faults), place):
            continue
        if chosen.ids == rejected.ids:
            dropped["chosen and rejected are the same tokens"] += 1
        elif max(len(chosen.ids), len(rejected.ids)) > max_length:
            dropped[f"longer than training.max_length = {max_length} tokens"] += 1
        else:
            longest = max(longest, len(chosen.ids), len(rejected.ids))
            rows.append({"prompt": chosen.prompt, "chosen": list(pair.chosen), "rejected": list(pair.rejected)})
    return TrainingRows(rows, dict(dropped) | faults.counts(len(rows)), longest, len(rows))
