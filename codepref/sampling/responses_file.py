"""Reads and writes files of responses, with one row for each instruction.

The rows have the columns of the published data set coseal/CodeUltraFeedback and further ones. The columns of ratings
are empty, except `scale`. `codepref.judging.artifact` fills them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from codepref.errors import UserError
from codepref.problems.load import read_rows
from codepref.problems.requests import request_texts
from codepref.records import Instruction, InstructionResponses, Judgment, Response
from codepref.storage.files import write_jsonl

Record = TypeVar("Record", InstructionResponses, Judgment)


def write_responses(path: Path, tasks: Iterable[InstructionResponses]) -> int:
    """Atomically write one line for each instruction to `path`, and return the number of lines.

    The instructions are taken one at a time.
    """
    return write_jsonl(path, (responses_row(task) for task in tasks))


def iter_responses(source: str | Path) -> Iterator[InstructionResponses]:
    """Yield the responses to each instruction in a file or hub data set. Ratings in it are ignored.

    source: JSON lines, JSON, Parquet or a hub name. Another program may have written the file: only the columns
    `instruction`, `preference` and `responses` (with `model` and `response`) are required.
    Raises UserError for a malformed row and for a second row with the same task_id. The message names the row. Raises
    what `read_rows` raises.
    """
    return iter_records(source, responses_from_row, "responses")


def read_responses(source: str | Path) -> list[InstructionResponses]:
    """Return the responses that `iter_responses` yields as a list."""
    return list(iter_responses(source))


def iter_records(source: str | Path, read: Callable[[Mapping[str, Any], str], Record], what: str) -> Iterator[Record]:
    """Yield the record in each row of a file or hub data set.

    read: makes a record from a row and a default task_id. It raises KeyError, TypeError or ValueError for a malformed
    row. what: the name of the record in messages.
    Raises UserError for a malformed row and for a second row with the same task_id. The message names the row. Raises
    what `read_rows` raises.
    """
    seen: set[str] = set()
    for number, (where, row) in enumerate(read_rows(str(source))):
        try:
            record = read(row, f"instruction/{number}")
        except (KeyError, TypeError, ValueError) as error:
            reason = f"there is no column or key {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(f"{where}: cannot be read as {what} ({reason})") from None
        if record.task_id in seen:
            raise UserError(
                f"{where}: task {record.task_id!r} has an earlier row. Put all of its responses into one row"
            )
        seen.add(record.task_id)
        yield record


def responses_row(task: InstructionResponses) -> dict[str, Any]:
    """Return the row that a file holds for one instruction and its responses.

    The columns of ratings are empty, except `scale`, which is [1, 5].
    """
    responses = task.responses
    return {
        "task_id": task.task_id,
        "instruction": task.instruction.text,
        **({"system": task.instruction.system} if task.instruction.system else {}),
        "preference": task.preference,
        "models": [response.model for response in responses],
        "responses": [{"model": response.model, "response": response.text} for response in responses],
        "annotations": [],
        "response_ids": [response.response_id for response in responses],
        "finished": [response.finished for response in responses],
        "principles": [response.principle for response in responses],
        "judge": "",
        "order": [],
        "scale": [1, 5],
        "unjudged": [],
        "second_ratings": [],
        "scores": [],
    }


def responses_from_row(row: Mapping[str, Any], default_id: str) -> InstructionResponses:
    """Return the responses in one row.

    default_id: the task_id for a row without the column `task_id`. Raises KeyError, TypeError or ValueError if the row
    is malformed, and UserError as `codepref.problems.requests.request_texts` does.
    """
    task_id = row.get("task_id", default_id)
    instruction, preference = row["instruction"], row["preference"]
    if not all(isinstance(text, str) for text in (task_id, instruction, preference)):
        raise ValueError("`task_id`, `instruction` and `preference` must be texts")
    text, system = request_texts(row, instruction, task_id)
    return InstructionResponses(Instruction(task_id, text, preference, system), tuple(_responses(row, task_id)))


def _responses(row: Mapping[str, Any], task_id: str) -> Iterator[Response]:
    count = len(row["responses"])
    ids = row.get("response_ids") or range(count)
    finished = row.get("finished") or [True] * count
    principles = row.get("principles") or [""] * count
    for entry, response_id, whole, principle in zip(row["responses"], ids, finished, principles, strict=True):
        if not isinstance(entry["model"], str) or not isinstance(entry["response"], str):
            raise ValueError("each entry of `responses` must hold a text `model` and a text `response`")
        yield Response(task_id, int(response_id), entry["model"], entry["response"], bool(whole), str(principle))
