"""Puts the body of a function behind a prompt that is code and ends in the function's header or docstring. Pure."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator

from codepref.problems.source import parse, read_statements
from codepref.records import Problem
from codepref.sampling.python_text import is_trivial

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def completed_prompt(text: str, problem: Problem) -> str:
    """Return the prompt with `text` as the body of its function, or "" if `text` is no body.

    The first line of the body, or the whole body, may have lost its indentation. What follows the body, such as prose,
    is kept, so that the result need not be Python as a whole. A body whose first line is not indented must return or
    yield something, since an example call is no body.
    """
    first = next((line for line in text.split("\n") if line.strip()), "")
    prompt = problem.prompt.rstrip("\n") + "\n"
    if first[:1].isspace() and _body(prompt + text, problem) is not None:
        return prompt + text
    for body in _bodies(text, problem):
        function = _body(prompt + body, problem)
        if function is not None and any(
            isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) for node in ast.walk(function)
        ):
            return prompt + body
    return ""


def _bodies(text: str, problem: Problem) -> Iterator[str]:
    """Yield forms of the text: with its first line indented, with all lines indented, and from an indented line on.

    The last form begins at the line that `_first_indented` finds. It is yielded only if other text than the header of a
    block stands before this line.
    """
    lines = problem.prompt.rstrip().split("\n")
    inside = next((line for line in reversed(lines) if line[:1].isspace() and line.strip()), "    ")
    indentation = inside[: len(inside) - len(inside.lstrip())]
    yield indentation + text.lstrip()
    yield textwrap.indent(textwrap.dedent(text).lstrip("\n"), indentation)
    place = _first_indented(text)
    if text[:place].strip() and text[place:] and parse(text[:place].rstrip() + "\n    pass") is None:
        yield text[place:]


def _first_indented(text: str) -> int:
    """Return the place of the first indented line if two newlines stand before it, or else the length of the text."""
    found = re.search(r"^[ \t]+\S", text, re.MULTILINE)
    return found.start() if found and text[: found.start()].endswith("\n\n") else len(text)


def _body(program: str, problem: Problem) -> _Function | None:
    """Return the last function of `program` with the name of the entry point, or None if its body does nothing.

    Return None also if there is no such function.
    """
    functions = [
        item.node
        for item in read_statements(program).statements
        if isinstance(item.node, _Function) and item.node.name == problem.entry_point
    ]
    if not functions or all(is_trivial(node) for node in functions[-1].body):
        return None
    return functions[-1]
