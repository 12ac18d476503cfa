"""Reads single answers: demonstrations, answers with a label, and scored answers. Pure.

A score is the share of the data set's own tests that an answer passed. It serves as a label: an answer with the score
1 is wanted, and an answer with a lower score is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codepref.conversations.messages import is_messages, messages_of
from codepref.conversations.prompts import REQUESTS, filled, prompt_of, with_system
from codepref.errors import UserError
from codepref.problems.columns import is_list, structs
from codepref.records import Message
from codepref.storage.hashing import content_hash

Row = Mapping[str, Any]

CONVERSATIONS = ("messages", "conversations", "conversation")
"""The columns that may hold a conversation. The first one that is not empty is used."""

ANSWERS = (
    "response",
    "completion",
    "output",
    "solution",
    "answer",
    "chosen",
    "accepted",
    "llm_response",
    "generation",
)
"""The columns that may hold an answer. The first one that is not empty is used, unless a conversation ends with the
answer."""

LABELS = ("label", "kto_tag")
IDS = ("task_id", "problem_id", "prompt_id", "question_id")
"""The columns that may name the problem of an answer.

The first one that holds a whole number, or a text that is not blank, is used.
The column `id` is not among them, since it often names the row and not the problem.
"""

_SCORED = ("llm_response", "score")
"""SYNTHETIC-1's columns of an answer and of its score."""
_INFERENCES = ("inferences", "question")
"""AceCode's columns of scored answers and of their problem."""
_CONTEST = ("solutions", "incorrect_solutions", "description")
"""CodeContests' columns of right and wrong programs and of their problem."""
_PYTHON3 = {3, "3", "PYTHON3", "python3", "PYTHON", "python"}
"""The values of `language` that are taken for Python 3."""
_TRUTH = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a prompt.

    task_id: the problem. wanted: whether the answer is one to learn. It is None if the row has neither a label nor a
    score. score: the share of the data set's tests that the answer passed, or None. CodeContests' programs have 1 or 0.
    """

    task_id: str
    prompt: Sequence[Message]
    answer: Sequence[Message]
    wanted: bool | None = None
    score: float | None = None


def is_scored(row: Row) -> bool:
    """Return whether a row has the columns of answers with a label or a score.

    The column of a label does not count if `rejected` or `choices` hold something, since the row is then a pair.
    """
    scored = (_INFERENCES, _CONTEST, _SCORED)
    return any(all(name in row for name in names) for names in scored) or (
        any(name in row for name in LABELS) and not any(filled(row.get(name)) for name in ("rejected", "choices"))
    )


def answers_of_row(row: Row, where: str, used: set[str], left_out: Counter[str]) -> Iterator[Answer]:
    """Yield the answers of a row.

    used: receives the names of the columns that were read. left_out: receives the numbers of answers that cannot be
    used, by reason. where: the file and the line, for messages. It can also become the `task_id` of an answer if no
    column names the problem. Raises UserError for a row in none of the known forms, and for wrong values.
    """
    if all(name in row for name in _INFERENCES):
        yield from _inferences(row, where, used, left_out)
    elif all(name in row for name in _CONTEST):
        yield from _programs(row, where, used, left_out)
    else:
        yield from _single(row, where, used, left_out)


def id_of(row: Row, default: str, used: set[str], names: Sequence[str] = IDS) -> str:
    """Return the name of the row's problem, or `default` if none of the columns `names` holds one."""
    for name in names:
        value = row.get(name)
        if (isinstance(value, str) and value.strip()) or (isinstance(value, int) and not isinstance(value, bool)):
            used.add(name)
            return str(value)
    return default


def label_of(row: Row, where: str, used: set[str]) -> bool | None:
    """Return the label of a row, or None if it has no column for one.

    Labels are true, false, 1 and 0, also as text. Raises UserError for other values in the column, such as null.
    """
    name = next((name for name in LABELS if name in row), None)
    if name is None:
        return None
    used.add(name)
    value = row[name]
    text = str(int(value)) if isinstance(value, bool | float | int) and value in (0, 1) else str(value).strip().lower()
    if text not in _TRUTH:
        raise UserError(
            f"{where}: `{name}` must be true or false, not {str(value)[:40]!r}. The label says whether the answer is "
            "one to learn. If the column means something else, rename it"
        )
    return _TRUTH[text]


def conversation_of(row: Row, where: str, used: set[str]) -> list[Message]:
    """Return the conversation of a row, with its system text, or [] if it has none.

    Raises UserError for a conversation or a system text in another form.
    """
    name = next((name for name in CONVERSATIONS if filled(row.get(name))), None)
    if name is None:
        return []
    used.add(name)
    if not is_messages(row[name]):
        raise UserError(f"{where}: `{name}` must be a list of messages {{role, content}} or {{from, value}}")
    return with_system(row, messages_of(row[name], name, where), where, used)


def _single(row: Row, where: str, used: set[str], left_out: Counter[str]) -> Iterator[Answer]:
    turns = conversation_of(row, where, used)
    if turns and turns[-1]["role"] == "assistant":
        prompt, answer = turns[:-1], turns[-1:]
    else:
        name = next((name for name in ANSWERS if filled(row.get(name)) and name not in used), None)
        if name is None:
            raise UserError(_not_an_answer(row, where, turns))
        used.add(name)
        answer = messages_of(row[name], name, where, role="assistant")
        prompt = turns or prompt_of({key: value for key, value in row.items() if key != name}, where, used)
        prompt, answer = _split(prompt, answer)
        if not prompt:
            raise UserError(_not_an_answer(row, where, turns))
    if not prompt or not answer or answer[-1]["role"] != "assistant":
        raise UserError(f"{where}: the row needs a prompt, and an answer that ends with a message of the assistant")
    wanted, score = label_of(row, where, used), None
    if wanted is None and all(name in row for name in _SCORED):
        used.add("score")
        score = _share(row["score"], "score", where)
        if score is None:
            left_out["the answer has no score"] += 1
            return
        wanted = score == 1
    default = where if wanted is None else f"prompt-{content_hash(prompt)[:12]}"
    yield Answer(id_of(row, default, used), prompt, answer, wanted, score)


def _split(prompt: list[Message], answer: list[Message]) -> tuple[list[Message], list[Message]]:
    """Return a prompt and an answer.

    prompt, answer: the messages in the columns of the prompt and of the answer. If the column of the answer holds a
    whole conversation, its last message is the answer, and its other messages belong to the prompt.
    """
    if answer[0]["role"] == "assistant" or len(answer) == 1:
        return prompt, answer
    begins = [turn["content"].strip() for turn in answer]
    rest = [turn for turn in prompt if turn["content"].strip() not in begins]
    return [*rest, *answer[:-1]], answer[-1:]


def _inferences(row: Row, where: str, used: set[str], left_out: Counter[str]) -> Iterator[Answer]:
    """Yield AceCode's answers. `pass_rate` is the share of the row's tests that an answer passes."""
    used.update(_INFERENCES)
    inferences = row["inferences"]
    if inferences is None or not is_list(inferences) or not all(isinstance(one, Mapping) for one in inferences):
        raise UserError(f"{where}: `inferences` must be a list of structs with completion and pass_rate")
    prompt = [{"role": "user", "content": _statement(row, "question", where)}]
    task = id_of(row, where, used, (*IDS, "id"))
    for one in inferences:
        score, text = _share(one.get("pass_rate"), "pass_rate", where), one.get("completion")
        if score is None or not isinstance(text, str):
            left_out["the answer has no score" if score is None else "the answer has no text"] += 1
            continue
        answer: list[Message] = [{"role": "assistant", "content": text}]
        yield Answer(task, prompt, answer, score == 1, score)


def _programs(row: Row, where: str, used: set[str], left_out: Counter[str]) -> Iterator[Answer]:
    """Yield CodeContests' programs whose language is in _PYTHON3.

    Each is put into a Markdown code block, as a chat model writes it.
    """
    used.update(_CONTEST)
    prompt = [{"role": "user", "content": _statement(row, "description", where)}]
    task = id_of(row, where, used, ("name", *IDS))
    for name, wanted in (("solutions", True), ("incorrect_solutions", False)):
        for one in structs(row[name], name, where):
            if one.get("language") not in _PYTHON3:
                left_out["the program is not in Python 3"] += 1
            elif not isinstance(one.get("solution"), str) or not one["solution"].strip():
                left_out["the program is blank"] += 1
            else:
                text = f"```python\n{one['solution'].strip(chr(10))}\n```"
                yield Answer(task, prompt, [{"role": "assistant", "content": text}], wanted, float(wanted))


def _statement(row: Row, name: str, where: str) -> str:
    if not isinstance(row[name], str) or not row[name].strip():
        raise UserError(f"{where}: `{name}` must be text that is not blank")
    return str(row[name])


def _share(value: Any, name: str, where: str) -> float | None:
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UserError(f"{where}: `{name}` must be a share between 0 and 1, not {str(value)[:40]!r}")
    return float(value)


def _not_an_answer(row: Row, where: str, turns: Sequence[Message]) -> str:
    if turns:
        return (
            f"{where}: the conversation must end with a message of the assistant, or the row must hold an answer in "
            f"one of the columns {', '.join(ANSWERS)}"
        )
    return (
        f"{where}: this row is neither a demonstration nor a labelled answer. It needs a value in the column "
        f"`messages` or `conversations`, or a prompt (in one of the columns {', '.join(REQUESTS)}) and an answer "
        f"(in one of the columns {', '.join(ANSWERS)}). Its columns are {', '.join(map(str, row))}."
    )
