"""Reads a pair from a row in one of the published forms. Pure.

The two answers are texts, messages or whole conversations. If no column holds the prompt, it is the shared beginning of
the two answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from codepref.conversations.answers import CONVERSATIONS, IDS, conversation_of, id_of
from codepref.conversations.messages import messages_of
from codepref.conversations.prompts import REQUESTS, SYSTEMS, filled, prompt_of, with_system
from codepref.errors import UserError
from codepref.problems.columns import decoded, is_list
from codepref.records import Message

SIDES = (
    ("chosen", "rejected"),
    ("accepted", "rejected"),
    ("chosen_response", "rejected_response"),
    ("response_j", "response_k"),
)
"""The names of the columns of the better and of the worse answer."""

EVIDENCE = (
    "preference",
    "rating_chosen",
    "rating_rejected",
    "model_chosen",
    "model_rejected",
    "score_chosen",
    "score_rejected",
    "chosen_score",
    "rejected_score",
    "chosen-rating",
    "rejected-rating",
    "chosen_model",
    "rejected_model",
)
"""The columns of published data sets that become the evidence of a pair if the column `evidence` is empty."""

_TURN = re.compile(r"(?:^|\n\n)(Human|Assistant): ?")

_OWN = ("rule", "confidence", "chosen_id", "rejected_id", "evidence")

Messages = list[Message]


def is_pair(row: Mapping[str, Any]) -> bool:
    """Return whether a row has a column of SIDES, the column `completions`, or both `choices` and `gt_choice`."""
    return (
        any(good in row or bad in row for good, bad in SIDES)
        or ("choices" in row and "gt_choice" in row)
        or "completions" in row
    )


def read_pair_row(row: Mapping[str, Any], number: int, where: str, used: set[str]) -> dict[str, Any]:
    """Return the pair in a row, under the column names of `codepref.pairing.artifact.pair_schema`.

    The prompt and both answers are lists of messages. rule, confidence, chosen_id and rejected_id are None if the row
    lacks them. If the column `evidence` is missing or empty, the columns EVIDENCE give the evidence. Without these, it
    is None or empty.
    number: the number of the row, from 1, which becomes the task_id if no column names the problem. where: the source
    and the row, for messages. used: receives the names of the columns that were read. Raises UserError for a row that
    is not a pair.
    """
    chosen, rejected = _sides(row, where, used)
    prompt = _prompt(row, where, used)
    if not prompt and all(isinstance(row.get(name), str) for name in SIDES[0]):
        chosen, rejected = _implicit(row, chosen, rejected, used)
    if chosen[0]["role"] != "assistant" or rejected[0]["role"] != "assistant":
        shared = _shared(chosen, rejected, where)
        chosen, rejected = chosen[len(shared) :], rejected[len(shared) :]
        prompt = with_system(row, _joined(prompt, shared, where), where, used)
    if not prompt:
        raise UserError(_no_pair(row, where))
    for name, answer in (("better", chosen), ("worse", rejected)):
        if answer[-1]["role"] != "assistant":
            raise UserError(f"{where}: the {name} answer must end with a message of the assistant")
    used.update(_OWN)
    columns = {name: row.get(name) for name in _OWN}
    if evidence := {name: row[name] for name in EVIDENCE if filled(row.get(name))}:
        used.update(evidence)
        columns["evidence"] = columns["evidence"] or evidence
    task = id_of(row, str(number), used, IDS)
    return {**columns, "task_id": task, "prompt": prompt, "chosen": chosen, "rejected": rejected}


def _sides(row: Mapping[str, Any], where: str, used: set[str]) -> tuple[Messages, Messages]:
    """Return the messages of the better and of the worse answer."""
    names = next((pair for pair in SIDES if all(name in row for name in pair)), None)
    if names is not None:
        values = [row[name] for name in names]
        used.update(names)
    elif "choices" in row and "gt_choice" in row:
        names, values = ("choices", "choices"), _choices(row, where, used)
    elif "completions" in row:
        names, values = ("completions", "completions"), _ranked(row, where, used)
    else:
        raise UserError(_no_pair(row, where))
    sides = [messages_of(value, name, where, role="assistant") for name, value in zip(names, values, strict=True)]
    if empty := [name for name, side in zip(names, sides, strict=True) if not side]:
        raise UserError(f"{where}: `{empty[0]}` is an empty list, and must hold at least one message {{role, content}}")
    return sides[0], sides[1]


def _choices(row: Mapping[str, Any], where: str, used: set[str]) -> list[Any]:
    """Return the better and the worse of two choices, as CodePrefBench has them."""
    used.update(("choices", "gt_choice"))
    choices, place = decoded(row["choices"], "choices", where), row["gt_choice"]
    if not is_list(choices) or len(choices) != 2 or place not in (0, 1):
        raise UserError(
            f"{where}: `choices` must hold two answers, and `gt_choice` the place (0 or 1) of the better one"
        )
    return [choices[int(place)], choices[1 - int(place)]]


def _ranked(row: Mapping[str, Any], where: str, used: set[str]) -> list[Any]:
    """Return the best and the worst of ranked completions, as NeMo-RL has them. The best one has the lowest rank."""
    used.add("completions")
    ranked = decoded(row["completions"], "completions", where)
    if not is_list(ranked) or not all(
        isinstance(one, Mapping) and isinstance(one.get("rank"), int) and "completion" in one for one in ranked
    ):
        raise UserError(f"{where}: `completions` must be a list of structs with rank and completion")
    ordered = sorted(ranked, key=lambda one: one["rank"])
    if len(ordered) < 2 or ordered[0]["rank"] == ordered[-1]["rank"]:
        raise UserError(f"{where}: `completions` must hold completions of at least two ranks")
    return [ordered[0]["completion"], ordered[-1]["completion"]]


def _prompt(row: Mapping[str, Any], where: str, used: set[str]) -> Messages:
    """Return the prompt in the columns of a row, or [] if it has none.

    A column of a whole conversation holds the prompt, unless it ends with a message of the assistant. In that case it
    repeats an answer.
    """
    if any(filled(row.get(name)) for name in REQUESTS):
        return prompt_of(row, where, used)
    conversation = conversation_of(row, where, used)
    if conversation and conversation[-1]["role"] == "assistant":
        used.difference_update(CONVERSATIONS)
        return []
    return conversation


def _shared(chosen: Messages, rejected: Messages, where: str) -> Messages:
    """Return the shared beginning of two conversations. At least one message of each is left over.

    Raises UserError if they share no beginning, or if what is left does not begin with the assistant.
    """
    most = min(len(chosen), len(rejected)) - 1
    length = 0
    while length < most and chosen[length] == rejected[length]:
        length += 1
    rest = (chosen[length], rejected[length])
    if not length or any(message["role"] != "assistant" for message in rest):
        raise UserError(
            f"{where}: two whole conversations must share their beginning, which is the prompt, and each must go on "
            "with an answer of the assistant. These do not"
        )
    return chosen[:length]


def _implicit(
    row: Mapping[str, Any], chosen: Messages, rejected: Messages, used: set[str]
) -> tuple[Messages, Messages]:
    """Return the two conversations that two texts without a prompt hold, or the two sides unchanged.

    Texts of the form "Human: ... Assistant: ..." are conversations. Of other texts, the shared beginning up to its last
    white space is the prompt. If another column of the row holds text, it may be a prompt under an unknown name, and
    the sides stay as they are.
    """
    if any(side[0]["role"] != "assistant" or len(side) != 1 for side in (chosen, rejected)):
        return chosen, rejected
    good, bad = chosen[0]["content"], rejected[0]["content"]
    first, second = _dialogue(good), _dialogue(bad)
    if first and second:
        return first, second
    known = {*used, *IDS, *EVIDENCE, *_OWN, "id"}
    if any(isinstance(value, str) and value.strip() for name, value in row.items() if name not in known):
        return chosen, rejected
    length = next((at for at, pair in enumerate(zip(good, bad, strict=False)) if pair[0] != pair[1]), 0)
    while length and not good[length - 1].isspace():
        length -= 1
    if not good[:length].strip():
        return chosen, rejected
    prompt = {"role": "user", "content": good[:length].strip()}
    answers = [{"role": "assistant", "content": text[length:]} for text in (good, bad)]
    return [prompt, answers[0]], [prompt, answers[1]]


def _dialogue(text: str) -> Messages:
    """Return the turns of a text "Human: ... Assistant: ...", or [] for another text."""
    parts = _TURN.split(text)
    if parts[0].strip() or len(parts) < 5 or parts[-2] != "Assistant":
        return []
    roles = {"Human": "user", "Assistant": "assistant"}
    return [{"role": roles[who], "content": said.strip()} for who, said in zip(parts[1::2], parts[2::2], strict=True)]


def _joined(prompt: Messages, shared: Messages, where: str) -> Messages:
    """Return the prompt of a row with whole conversations.

    prompt: what the row's other columns give, or []. shared: the shared beginning of the conversations. It is returned
    if it holds all texts of `prompt`. Otherwise `prompt` is returned if it ends with the texts of `shared`. Raises
    UserError if neither holds the other, since one of them would be lost.
    """
    texts = [message["content"].strip() for message in shared]
    if all(message["content"].strip() in texts for message in prompt):
        return shared
    given = [message["content"].strip() for message in prompt]
    if given[-len(texts) :] == texts:
        return prompt
    raise UserError(
        f"{where}: the prompt is not the beginning of the two conversations. Rename the column of the prompt, or "
        "remove the prompt from the conversations"
    )


def _no_pair(row: Mapping[str, Any], where: str) -> str:
    present = ", ".join(str(column) for column, value in row.items() if value is not None)
    requests, systems = ", ".join(REQUESTS[:5]), " or ".join(SYSTEMS)
    return (
        f"{where}: a pair needs a prompt (in a column such as {requests}) and two answers (in the columns chosen and "
        f"rejected, or accepted and rejected). A system text can be in the column {systems}. Prompt and answers are "
        "texts or lists of messages {role, content}. Two whole conversations with the same beginning make a pair too. "
        f"The row has {present or 'no values'}"
    )
