"""Functions that readers of formats share: they check fields and tests, and split prompts."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codepref.errors import UserError
from codepref.problems.source import (
    BUILTIN_NAMES,
    MAX_CHARACTERS,
    Statement,
    bound_names,
    global_names,
    parse,
    read_statements,
    used_names,
)
from codepref.problems.test_names import example_code, names_of_solution, takes_candidate

Row = Mapping[str, Any]


def text_field(row: Row, key: str, where: str, *, default: str | None = None) -> str:
    """Return `row[key]`, which must be text, or `default` if the field is missing or null.

    where: the file and the line, for messages. Raises UserError if the value is not text, and if it is missing or
    null and there is no default.
    """
    value = row.get(key)
    if value is None and default is not None:
        return default
    if value is None:
        raise UserError(f"{where}: {key} is missing or null, and must be text")
    if not isinstance(value, str):
        raise UserError(f"{where}: {key} must be text, not {type(value).__name__}")
    return value


def texts_field(row: Row, key: str, where: str) -> tuple[str, ...]:
    """Return `row[key]`, which must be a sequence of texts, as a tuple. A missing field, null and "" give ().

    where: the file and the line, for messages. Raises UserError for any other value.
    """
    value = row.get(key)
    if value is None or value == "":
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(item, str) for item in value):
        raise UserError(f"{where}: {key} must be a list of texts")
    return tuple(value)


def task_id_field(row: Row, where: str, *, prefix: str = "") -> str:
    """Return the task's id. A whole number gets `prefix`: with the prefix "Mbpp/", 2 becomes "Mbpp/2".

    where: the file and the line, for messages. Raises UserError for an id that is neither text nor a whole number, that
    is blank, or that UTF-8 cannot encode.
    """
    value = row.get("task_id")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{prefix}{value}"
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: task_id must be text that is not blank, or a whole number")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{where}: task_id {value!r} holds half a character (a lone surrogate), which UTF-8 cannot encode"
        ) from None
    return value


def entry_point_field(row: Row, where: str) -> str:
    """Return the function name in the field `entry_point`, without white space around it.

    Raises UserError if it is missing or not an identifier.
    """
    name = text_field(row, "entry_point", where, default="").strip()
    if not name.isidentifier():
        raise UserError(f"{where}: entry_point must be the name of a function, not {name!r}")
    return name


@dataclass(frozen=True, slots=True)
class PromptParts:
    """Code that a prompt holds besides the entry point. `codepref.records.Problem` explains the two fields."""

    helpers: str
    preamble: str


def prompt_parts(prompt: str, entry_point: str) -> PromptParts:
    """Split a prompt that is code into `helpers` (what tests may use) and `preamble` (what a solution may leave out).

    Both hold the top-level statements that bind a name, except a function or class with the entry point's name.
    `helpers` also leaves out `from typing import ...` if no helper uses a name that it lists, because importing
    `typing` takes several milliseconds in a bare interpreter.
    """
    for tail in ("", "\n    pass\n", "\n\tpass\n"):
        if parse(prompt + tail) is not None:
            prompt += tail
            break
    statements = [statement for statement in read_statements(prompt).statements if _is_part(statement, entry_point)]
    imports = [statement for statement in statements if _is_import(statement)]
    others = [statement for statement in statements if not _is_import(statement)]
    used = set[str]().union(*(used_names(statement.node) for statement in others))
    typing = [s for s in imports if getattr(s.node, "module", None) == "typing" and not bound_names(s.node) & used]
    helpers = [statement for statement in statements if statement not in typing]
    return PromptParts(helpers=_program(helpers), preamble=_program(statements))


def why_unreadable(text: str) -> str:
    """Return why `parse` cannot read `text`, as a part of a message. If it can, return "it can be read"."""
    if len(text) > MAX_CHARACTERS:
        return f"longer than {MAX_CHARACTERS:,} characters"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except UnicodeEncodeError:
        return "it holds half a character (a lone surrogate)"
    except SyntaxError as error:
        return f"{error.msg}, line {error.lineno}" if error.lineno else str(error.msg)
    except ValueError as error:
        return str(error)
    except (RecursionError, MemoryError):
        return "nested too deeply"
    return "it can be read"


_REACHES_ANYTHING = frozenset({"eval", "exec", "globals", "vars", "locals", "__import__"})
"""Functions through which a test can read any name of the solution."""


def depends_on_solution(source: str, entry_point: str, helpers: str) -> bool:
    """Return whether a test reads a name through which its result can depend on the solution.

    This is so if the test holds the entry point as a word, imports a name from the solution, reads a function such as
    `eval` that can read any name, or reads a name that neither the test nor `helpers` nor Python defines. For a test
    with a function such as `check(candidate)`, it is enough that the test reads a parameter of one of its functions.
    """
    if re.search(rf"\b{re.escape(entry_point)}\b", source):
        return True
    nodes = [statement.node for statement in read_statements(source).statements]
    used = set[str]().union(*map(used_names, nodes))
    if used & _REACHES_ANYTHING or any(map(names_of_solution, nodes)):
        return True
    parameters = {part.arg for node in nodes for part in ast.walk(node) if isinstance(part, ast.arg)}
    if used & parameters and any(map(takes_candidate, nodes)):
        return True
    own = set[str]().union(*map(bound_names, nodes))
    helper_names = set[str]().union(*(bound_names(item.node) for item in read_statements(helpers).statements))
    return bool(set[str]().union(*map(global_names, nodes)) - own - helper_names - BUILTIN_NAMES)


def names_taken(source: str, helpers: str) -> set[str]:
    """Return the names that a test takes from the solution. source: Python, or a text with examples (`>>>`).

    They are the names that the test imports from the solution, and those that the test or `helpers` read and that
    neither of them nor Python defines.
    """
    nodes = [statement.node for statement in read_statements(example_code(source)).statements]
    own = set[str]().union(*map(bound_names, nodes))
    given = [statement.node for statement in read_statements(helpers).statements]
    helper_names = set[str]().union(*map(bound_names, given))
    used = set[str]().union(*map(global_names, (*nodes, *given)))
    return (used - own - helper_names - BUILTIN_NAMES).union(*map(names_of_solution, nodes))


def _is_import(statement: Statement) -> bool:
    return type(statement.node).__name__ in ("Import", "ImportFrom")


def _is_part(statement: Statement, entry_point: str) -> bool:
    return bool(bound_names(statement.node)) and getattr(statement.node, "name", None) != entry_point


def _program(statements: Iterable[Statement]) -> str:
    return "".join(statement.text + "\n" for statement in statements)
