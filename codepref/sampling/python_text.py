"""Says whether a text is Python, and which string is open in it. Pure."""

from __future__ import annotations

import ast
import re
import textwrap

from codepref.problems.source import parse

_TOKENS = re.compile(r"""\\.|\#.*|\"{3}|'{3}|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?""", re.DOTALL)
_STRING_ENDS = {mark: re.compile(r"\\.|" + mark, re.DOTALL) for mark in ('"""', "'''")}


def is_code(text: str) -> bool:
    """Return whether a text is Python: statements or the body of a function, and not only words that parse.

    "Yes", "Answer: 4" and "4" parse as Python, but they are no code.
    """
    if not text.strip():
        return False
    tree = parse(textwrap.dedent(text)) or parse("def f():\n" + text) or parse("def f():\n    " + text.lstrip())
    return tree is not None and any(not is_trivial(node) for node in tree.body)


def is_trivial(node: ast.stmt) -> bool:
    """Return whether a statement is `pass`, an annotation without a value, or an expression that seems to do nothing.

    An expression with a call, `await`, `yield`, `yield from` or `:=` does something.
    """
    if isinstance(node, ast.Expr):
        acting = ast.Call | ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr
        return not any(isinstance(child, acting) for child in ast.walk(node))
    return isinstance(node, ast.Pass) or (isinstance(node, ast.AnnAssign) and node.value is None)


def open_string(line: str, mark: str) -> str:
    """Return the quotes of the triple-quoted string that is open after a line, or "".

    mark: the quotes of the string that is open before the line, or "".
    """
    place = 0
    while place < len(line):
        found = (_STRING_ENDS[mark] if mark else _TOKENS).search(line, place)
        if found is None:
            break
        place = found.end()
        if mark:
            mark = "" if found[0] == mark else mark
        elif found[0] in _STRING_ENDS:
            mark = found[0]
    return mark
