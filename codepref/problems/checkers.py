"""Tests of kind "checker". A program of the data set decides whether the output of a solution is right.

Some problems with several right answers have such a program. `Test.source` is a JSON object:

| key | value |
|---|---|
| `input` | the standard input |
| `output` | a right output, which the checker may read |
| `checker` | a Python program; its arguments name files with the input, the right output and the solution's output |

An output is wrong if the checker raises an exception or ends with a status other than 0. If the checker prints
something, the last line decides: the output is right if the line is "1", "100", "yes", "ok", "true", "correct",
"accepted", "AC", "pass" or the like, and one call of `print` or `write` wrote this line and nothing else. If the
checker prints nothing, the output is right if the text of the checker holds no `print(` and no `stdout`, or if it holds
a `raise`, an `assert` or an exit with a status other than 0.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from codepref.errors import UserError
from codepref.problems.entries import source_of
from codepref.problems.source import parse

EVALUATING = frozenset(
    {"eval", "exec", "compile", "__import__", "importlib", "pickle", "marshal", "shelve", "subprocess", "ctypes"}
    | {"globals", "locals", "vars", "setattr", "getattr", "_exit", "abort", "kill", "sympy", "yaml", "dill", "joblib"}
    | {"runpy", "timeit", "code", "read_pickle", "allow_pickle", "attrgetter", "methodcaller"}
    | {"__builtins__", "__dict__", "__globals__", "__subclasses__"}
)
"""A checker that uses one of these names is refused. With it, the checker could run what a solution printed, or end
the test runner."""


def checker_source(stdin: str, expected: str, checker: str) -> str:
    """Return the source of a test."""
    return json.dumps({"input": stdin, "output": expected, "checker": checker})


def checker_entry(entry: Mapping[str, Any], where: str) -> str:
    """Return the source of an entry of `tests` with a checker. Raises UserError for a malformed entry."""
    source = source_of({key: entry.get(key) for key in ("input", "output", "checker")}, where)
    check_checker_source(source, where)
    return source


def check_checker_source(source: str, where: str) -> str:
    """Return the source of a test unchanged. Raises UserError if it is malformed, or if `check_checker` refuses it."""
    try:
        document = json.loads(source)
        plain = isinstance(document, dict) and set(document) == {"input", "output", "checker"}
        if plain and all(isinstance(text, str) for text in document.values()):
            document["input"].encode()
            check_checker(document["checker"], where)
            return source
    except (ValueError, RecursionError):
        pass  # the message below names the form
    form = '{"input": text, "output": text, "checker": text}, and UTF-8 must be able to encode input'
    raise UserError(f'{where}: a test of kind "checker" must be JSON of the form {form}')


def check_checker(checker: str, where: str) -> None:
    """Raise UserError for a checker that is empty or no Python program, or that uses a name of EVALUATING.

    If a checker ran what a solution printed, the solution could decide its own verdict.
    """
    if reason := _why_refused(checker):
        raise UserError(f"{where}: the checker {reason}")


@lru_cache(maxsize=64)
def _why_refused(checker: str) -> str:
    tree = parse(checker)
    if tree is None or not tree.body:
        return "is empty, or cannot be read as a Python program"
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {(node.module or "").split(".")[0], *(alias.name for alias in node.names)}
    found = sorted(names & EVALUATING)
    return f"uses {found[0]}, which could run what a solution prints or end the test runner" if found else ""
