"""Rows that trainers of reinforcement learning take: verl's (Eurus, DeepCoder and others) and NeMo Gym's.

The prompt is a text or a list of messages, and the tests stand under `reward_model` or `verifier_metadata`. Only the
user's messages are kept, since a system message can ask for a form of answers that other trainers read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codepref.errors import UserError
from codepref.problems.columns import decoded, first_text, is_list, row_id, struct_of
from codepref.problems.fields import Row
from codepref.problems.formats.base import Format
from codepref.problems.formats.cases import read_cases
from codepref.problems.formats.statements import case_problem, kept
from codepref.problems.formats.verl_python import holds_python, python_problem
from codepref.problems.packed import unpacked
from codepref.records import Problem

CODE = ("code", "coding", "code_generation", "programming")


def read_verl(row: Row, where: str) -> Problem:
    """Return the problem of one row of verl, whose ground truth holds inputs and outputs, or tests in Python.

    The id is "verl/" and a hash, since `extra_info.index` may repeat. Raises UserError if `ability` names anything but
    code, and for a malformed row.
    """
    statement, truth = verl_parts(row, where)
    meta = kept(row, "verl", ("data_source", "ability", "extra_info"))
    task_id = row_id({}, "verl", (), (statement, truth))
    if holds_python(truth):
        return python_problem(row, truth, task_id=task_id, statement=statement, meta=meta, where=where)
    return case_problem(
        read_cases(truth, "ground_truth", where),
        task_id=task_id,
        statement=statement,
        meta=meta,
        where=where,
    )


def verl_parts(row: Row, where: str) -> tuple[str, Any]:
    """Return the statement and the decoded ground truth of a row of verl.

    Raises UserError if `ability` names anything but code, and for a malformed row.
    """
    ability = row.get("ability")
    if isinstance(ability, str) and ability.strip() and ability.strip().lower() not in CODE:
        raise UserError(f"{where}: the problem asks for no code (ability {ability[:40]!r})")
    reward = struct_of(row.get("reward_model"), "reward_model", where)
    return request_of(row.get("prompt"), "prompt", where), unpacked(reward.get("ground_truth"), "ground_truth", where)


def read_nemo_gym(row: Row, where: str) -> Problem:
    """Return the problem of one row of NeMo Gym.

    The id comes from `hash_id`, `problem_id` or `id`. Without these, it is "NeMo-Gym/" and a hash. Raises UserError for
    a malformed row.
    """
    request = struct_of(row.get("responses_create_params"), "responses_create_params", where)
    metadata = struct_of(row.get("verifier_metadata"), "verifier_metadata", where)
    statement = request_of(request.get("input"), "responses_create_params.input", where)
    tests = metadata.get("unit_tests")
    return case_problem(
        read_cases(tests, "unit_tests", where, function=first_text(metadata, "fn_name", "func_name")),
        task_id=row_id(row, "NeMo-Gym", ("hash_id", "problem_id", "id"), (statement, tests)),
        statement=statement,
        starter=first_text(metadata, "starter_code"),
        meta=kept(row, "nemo-gym", ("dataset", "source", "difficulty")),
        where=where,
    )


def request_of(value: Any, name: str, where: str) -> str:
    """Return a prompt that is text, or the texts of the user in a prompt that is a list of messages.

    The list may be given as JSON text or a Python literal, so a text that begins with `[` must be such a list. Raises
    UserError for another form.
    """
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        value = decoded(value, name, where)
    if isinstance(value, str):
        return value
    if not is_list(value) or not all(isinstance(message, Mapping) for message in value):
        raise UserError(f"{where}: {name} must be text or a list of messages")
    texts = [_content(message.get("content"), name, where) for message in value if message.get("role") == "user"]
    return "\n\n".join(texts)


def _content(value: Any, name: str, where: str) -> str:
    """Return the text of a message, whose content is text or a list of parts."""
    parts = value if is_list(value) else [value]
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    if wrong := [text for text in texts if not isinstance(text, str)]:
        raise UserError(f"{where}: a message of {name} must hold text, not {type(wrong[0]).__name__}")
    return "\n".join(map(str, texts))


VERL = Format("verl", frozenset({"prompt", "reward_model"}), read_verl)
NEMO_GYM = Format("NeMo Gym", frozenset({"responses_create_params", "verifier_metadata"}), read_nemo_gym)
