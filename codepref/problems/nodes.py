"""Finds arguments and results that are linked lists or binary trees, as in some of LeetCode's problems. Pure.

The annotations of the function decide. Data sets write a linked list as the list of its values, and a tree as the list
of its values level by level, with null for a missing child.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from codepref.problems.source import parse

LISTS, TREES = "ListNode", "TreeNode"
FORMS = {LISTS, TREES, f"[{LISTS}]", f"[{TREES}]", f"{LISTS} in 0", f"{TREES} in 0"}
"""What an argument can be: a linked list, a tree, a list of them, or the node of argument 0 with a given value."""

RESULT_FORMS = {LISTS, TREES, f"[{LISTS}]", f"[{TREES}]", "value", "argument"}
"""What a result can be. "value" is the value of a node. "argument" is the first argument after the call."""

DEFINITIONS = """\
class ListNode:
    def __init__(self, val=0, next=None):
        self.val = val
        self.next = next


class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val = val
        self.left = left
        self.right = right
"""
"""The classes that LeetCode defines for solutions."""

_NODES = re.compile(rf"\b(?:{LISTS}|{TREES})\b")


@dataclass(frozen=True, slots=True)
class NodeForms:
    """The forms of the arguments of a call, each "" or one of FORMS, and of the result: "" or one of RESULT_FORMS."""

    arguments: tuple[str, ...] = ()
    result: str = ""

    def __bool__(self) -> bool:
        """Return whether an argument or the result has a form."""
        return any(self.arguments) or bool(self.result)


def node_forms(
    function: str, texts: Iterable[str], arguments: Sequence[Sequence[Any]], results: Sequence[Any]
) -> NodeForms:
    """Return the forms of the arguments and the result of a function, by its annotations.

    texts: texts that may hold the definition of the function, such as starter code, the statement and a gold solution.
    The first definition whose annotations have a form decides. arguments, results: those of all calls. If all calls
    give a number where an argument after the first is annotated as a node, then this argument is the node of the first
    argument with this value. If the result is annotated as a node, and all calls have a number as their result, then
    the result is the value of the node. If the annotation of the result is None, but a call has another result and the
    first argument has a form, then the result is the first argument after the call.

    >>> node_forms("f", ["def f(head: Optional[ListNode], k: int) -> bool:"], [[[1, 2], 1]], [True])
    NodeForms(arguments=('ListNode', ''), result='')
    """
    for text in texts:
        for node in _definitions(function, text):
            names = [part for part in node.args.args if part.arg != "self"]
            forms = [_form(part.annotation) for part in names]
            result = _form(node.returns)
            if not any(forms) and not result:
                continue
            for at, form in enumerate(forms):
                if form in (LISTS, TREES) and all(_is_number(given[at]) for given in arguments if at < len(given)):
                    forms[at] = f"{form} in 0" if at else form
            returns_none = isinstance(node.returns, ast.Constant) and node.returns.value is None
            if returns_none and forms[:1] != [""] and any(one is not None for one in results):
                result = "argument"
            elif result in (LISTS, TREES) and all(_is_number(one) for one in results):
                result = "value"
            return NodeForms(tuple(forms), result)
    return NodeForms()


def _definitions(function: str, text: str) -> Iterable[ast.FunctionDef]:
    """Yield the definitions of a function in a text that mentions nodes, each without its body."""
    if not _NODES.search(text):
        return
    for match in re.finditer(rf"\bdef[ \t]+{re.escape(function)}[ \t]*\(", text):
        head = text[match.start() : match.start() + 2000]
        for end in re.finditer(r":[ \t]*(?:\n|#|\.\.\.|pass|$|\"|```)", head):
            tree = parse(f"{head[: end.start()]}: pass")
            if tree is not None and isinstance(tree.body[0], ast.FunctionDef):
                yield tree.body[0]
                break


def _form(annotation: ast.expr | None) -> str:
    """Return the form that an annotation stands for, or ""."""
    if annotation is None:
        return ""
    text = ast.unparse(annotation).replace("'", "").replace('"', "").replace(" ", "")
    text = re.sub(r"\b(?:typing|t)\.", "", text)
    while True:
        shorter = re.sub(r"Optional\[(\w+|\[\w+\])\]|(?:Union\[)?(\w+)[|,]None\]?|None\|(\w+)", r"\1\2\3", text)
        shorter = re.sub(r"\b[Ll]ist\[(\w+)\]", lambda match: f"[{match.group(1)}]", shorter)
        if shorter == text:
            return text if text in FORMS else ""
        text = shorter


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
