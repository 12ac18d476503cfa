"""What can be told of a test by reading it: whether it is one plain call, whose outcome can be asked for beforehand."""

from __future__ import annotations

import ast
import builtins
from typing import Any

from .codec import U32, encoded
from .decoder import Decoder

PURE_CALLS = frozenset(
    {"abs", "all", "any", "bool", "dict", "float", "int", "isinstance", "len", "list", "max", "min", "repr", "round"}
    | {"set", "sorted", "str", "sum", "tuple", "type"}
)
_WRAPPING = (ast.Compare, ast.UnaryOp, ast.BinOp, ast.Call, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set)
_WRAPPING_MORE = (ast.Subscript, ast.Slice, ast.Name, ast.Load, ast.operator, ast.unaryop, ast.cmpop)
CALL_HEAD = b"t" + U32.pack(4) + b"-" + encoded("call")


def parsed(source: str) -> ast.Module:
    """The syntax tree. Raises what `compile` raises."""
    tree: ast.Module = ast.parse(source)
    return tree


class PlainCall:
    """A test of the form `assert f(1, [2]) == 3`: one call of the solution, on literals, made whatever happens.

    name: the function. arguments: the arguments and (no) keywords, encoded.
    """

    __slots__ = ("arguments", "name")

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name = name
        self.arguments = encoded((arguments, {}))

    def containers(self) -> list[Any]:
        """The mutable containers among the arguments, fresh, in the order in which both sides number them."""
        decoder = Decoder(self.arguments)
        decoder.value()
        return decoder.table

    def request(self, handle: bytes) -> bytes:
        """The request that calling the stand-in with this handle would send."""
        return CALL_HEAD + handle + self.arguments[6:]  # without the head of the pair


class Fetched:
    """What a test finds under the function's name when the outcome of its one call is there already."""

    __slots__ = ("_fine", "_value", "asked")

    def __init__(self, fine: bool, value: Any) -> None:
        self._fine, self._value, self.asked = fine, value, False

    def __call__(self, *arguments: Any) -> Any:
        """The outcome; the arguments are the ones it was asked with."""
        self.asked = True
        if self._fine:
            return self._value
        raise self._value


def plain_call(tree: ast.Module) -> PlainCall | None:
    """The one call of a test, when the test is such a call wrapped in comparisons and pure builtins; else None.

    Its outcome can then be asked for before the test runs, and nothing that either side could notice changes: neither
    the number nor the order of the solution's calls.
    """
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Assert):
        return None
    statement = tree.body[0]
    if statement.msg is not None and not isinstance(statement.msg, ast.Constant):
        return None
    calls = [node for node in ast.walk(statement.test) if isinstance(node, ast.Call)]
    asked = [node for node in calls if not (isinstance(node.func, ast.Name) and node.func.id in PURE_CALLS)]
    if len(asked) != 1 or not isinstance(asked[0].func, ast.Name) or hasattr(builtins, asked[0].func.id):
        return None
    call, name = asked[0], asked[0].func.id
    if call.keywords or not _wraps(statement.test, call.func):
        return None
    try:
        return PlainCall(name, tuple(ast.literal_eval(argument) for argument in call.args))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _wraps(expression: ast.expr, function: ast.expr) -> bool:
    for node in ast.walk(expression):
        if not isinstance(node, (*_WRAPPING, *_WRAPPING_MORE)):
            return False
        if isinstance(node, ast.Compare) and len(node.ops) > 1:  # a chain may stop before the call
            return False
        if isinstance(node, ast.Name) and node is not function and node.id not in PURE_CALLS:
            return False
    return True
