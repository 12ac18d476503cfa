"""Turns plain lists into linked lists and binary trees, and back, for tests of the kind "calls".

The functions run in the solution's process, with the classes `ListNode` and `TreeNode` of the solution if it defines
them. These functions get no expected result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MAX_NODES = 1_000_000
"""A list or tree with more values is taken for one with a cycle. The nulls for missing children count too."""


class ListNode:
    """The nodes of linked lists for a solution that does not define ListNode."""

    def __init__(self, val: Any = 0, next: Any = None) -> None:
        self.val, self.next = val, next


class TreeNode:
    """The nodes of trees for a solution that does not define TreeNode."""

    def __init__(self, val: Any = 0, left: Any = None, right: Any = None) -> None:
        self.val, self.left, self.right = val, left, right


def call_with_nodes(
    space: Mapping[str, Any], function: Callable[..., Any], arguments: tuple[Any, ...], forms: str
) -> Any:
    """Call `function` with nodes made from plain lists, and return its result as plain lists.

    If the form of the result is "argument", return the first argument, which the function may have changed.

    space: the solution's names. forms: the forms of the arguments and, last, of the result, separated by commas (see
    `codepref.problems.nodes`). Raises what the function raises, TypeError or AttributeError for a result in another
    form, and ValueError for a result with a cycle or with more than MAX_NODES values.
    """
    *given, result = forms.split(",")
    classes = {default.__name__: _class_of(space, default) for default in (ListNode, TreeNode)}
    values: list[Any] = []
    for argument, form in zip(arguments, (*given, *[""] * len(arguments)), strict=False):
        values.append(_found(values[0], argument) if form.endswith(" in 0") else _built(classes, argument, form))
    output = function(*values)
    if result == "argument":
        return _plain(values[0], given[0] if given else "")
    return _plain(output, result)


def _class_of(space: Mapping[str, Any], default: type) -> type:
    """Return the solution's class with the name of `default` if the solution defines one, and `default` otherwise.

    Other objects with this name are not used. Setting `next` on a module would outlast the solution in its process.
    """
    found = space.get(default.__name__)
    return found if isinstance(found, type) and found.__module__ == "solution" else default


def _node(make: type, value: Any, sides: int) -> Any:
    """Return a node without neighbours. sides: how many neighbours its class may require as further arguments."""
    try:
        return make(value)
    except TypeError:
        return make(value, *[None] * sides)


def _built(classes: Mapping[str, Any], value: Any, form: str) -> Any:
    if form[:1] == "[":
        return [_built(classes, item, form[1:-1]) for item in value]
    if not form or value is None:
        return value
    make = classes[form]
    return _made_list(make, value) if form == "ListNode" else _made_tree(make, value)


def _made_list(make: type, values: list[Any]) -> Any:
    first = None
    for value in reversed(values):
        node = _node(make, value, 1)
        node.next = first
        first = node
    return first


def _made_tree(make: type, values: list[Any]) -> Any:
    if not values or values[0] is None:
        return None
    root = _node(make, values[0], 2)
    waiting = [root]  # the nodes in the order of the levels
    for at, parent in enumerate(waiting):
        for side, value in zip(("left", "right"), values[2 * at + 1 : 2 * at + 3], strict=False):
            if value is not None:
                node = _node(make, value, 2)
                setattr(parent, side, node)
                waiting.append(node)
    return root


def _found(root: Any, value: Any) -> Any:
    """Return the node of a list or tree with this value, or None if there is none."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        if node.val == value:
            return node
        waiting += [getattr(node, side, None) for side in ("next", "left", "right")]
    return None


def _plain(output: Any, form: str) -> Any:
    if form[:1] == "[":
        return [_plain(item, form[1:-1]) for item in output]
    if form == "value":
        return None if output is None else output.val
    if form == "ListNode":
        return _values_of_list(output)
    if form == "TreeNode":
        return _values_of_tree(output)
    return output


def _values_of_list(node: Any) -> list[Any]:
    if not (node is None or hasattr(node, "next")):
        raise TypeError(f"the result must be a linked list, not {type(node).__name__}")
    values = []
    while node is not None:
        values.append(node.val)
        node = node.next
        if len(values) > MAX_NODES:
            raise ValueError("the linked list has a cycle, or too many nodes")
    return values


def _values_of_tree(root: Any) -> list[Any]:
    if not (root is None or hasattr(root, "left")):
        raise TypeError(f"the result must be a tree, not {type(root).__name__}")
    level, values = [root], list[Any]()
    while any(node is not None for node in level):
        values += [None if node is None else node.val for node in level]
        level = [child for node in level if node is not None for child in (node.left, node.right)]
        if len(values) > MAX_NODES:
            raise ValueError("the tree has a cycle, or too many nodes")
    while values and values[-1] is None:
        values.pop()
    return values
