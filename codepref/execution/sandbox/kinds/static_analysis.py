"""Static analysis of a test. It finds the only call of a test if the call can be sent before the test runs."""

from __future__ import annotations

import ast
import builtins
from typing import Any

from ..wire.decoder import Decoder
from ..wire.encoder import encoded
from ..wire.plain_data import U32

PURE_CALLS = frozenset(
    {"abs", "all", "any", "bool", "dict", "float", "int", "isinstance", "len", "list", "max", "min", "repr", "round"}
    | {"set", "sorted", "str", "sum", "tuple", "type"}
)
"""Names of the builtins that a test with a plain call may call in addition to this call (see `plain_call`)."""

_WRAPPING = (ast.Compare, ast.UnaryOp, ast.BinOp, ast.Call, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set)
_WRAPPING_MORE = (ast.Subscript, ast.Slice, ast.Name, ast.Load, ast.operator, ast.unaryop, ast.cmpop)
CALL_HEAD = b"t" + U32.pack(4) + b"-" + encoded("call")


def parsed(source: str) -> ast.Module:
    """Return the syntax tree of `source`. Raises what `ast.parse` raises."""
    tree: ast.Module = ast.parse(source)
    return tree


class PlainCall:
    """The only call of the solution in a test such as `assert f(1, [2]) == 3`.

    The arguments of the call are literals. The test makes the call unless another part of the test raises an exception
    first.

    Attributes:
        name: the name of the function.
        arguments: the positional arguments, encoded together with an empty dict of keywords.
    """

    __slots__ = ("arguments", "name")

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name = name
        self.arguments = encoded((arguments, {}))

    def containers(self) -> list[Any]:
        """Return new copies of the mutable containers in `arguments`, in the order of `Decoder.table`."""
        decoder = Decoder(self.arguments)
        decoder.value()
        return decoder.table

    def request(self, handle: bytes) -> bytes:
        """Return the request that a call of the proxy with this handle would send."""
        return CALL_HEAD + handle + self.arguments[6:]  # without the head of the outer tuple


class Fetched:
    """An object that replaces the solution's function in a test whose only call has been answered already.

    Attributes:
        called: whether the test has called the function.
    """

    __slots__ = ("_success", "_value", "called")

    def __init__(self, success: bool, value: Any) -> None:
        self._success, self._value, self.called = success, value, False

    def __call__(self, *arguments: Any) -> Any:
        """Return the value, or raise the exception, that came from the solution. The arguments are ignored."""
        self.called = True
        if self._success:
            return self._value
        raise self._value


def plain_call(tree: ast.Module) -> PlainCall | None:
    """Return the only call of a test, or None if the test has another form.

    The test must be one assert, whose message is a constant if there is one. It must call one function by name, with
    literals as positional arguments. The function must not have the name of a builtin. Around this call the assert may
    contain only single comparisons, unary and binary operators, subscripts, literals and PURE_CALLS. Such a call can be
    sent before the test runs. If the test does not make the call after all, the undecided tests run again, and no call
    is sent ahead.
    """
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Assert):
        return None
    statement = tree.body[0]
    if statement.msg is not None and not isinstance(statement.msg, ast.Constant):
        return None
    calls = [node for node in ast.walk(statement.test) if isinstance(node, ast.Call)]
    others = [node for node in calls if not (isinstance(node.func, ast.Name) and node.func.id in PURE_CALLS)]
    if len(others) != 1 or not isinstance(others[0].func, ast.Name) or hasattr(builtins, others[0].func.id):
        return None
    call, name = others[0], others[0].func.id
    if call.keywords or not _wraps(statement.test, call.func):
        return None
    try:
        return PlainCall(name, tuple(ast.literal_eval(argument) for argument in call.args))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _wraps(expression: ast.expr, function: ast.expr) -> bool:
    """Return whether `expression`, apart from the name `function`, consists of permitted syntax only."""
    for node in ast.walk(expression):
        if not isinstance(node, (*_WRAPPING, *_WRAPPING_MORE)):
            return False
        if isinstance(node, ast.Compare) and len(node.ops) > 1:  # a chain may stop before the call
            return False
        if isinstance(node, ast.Name) and node is not function and node.id not in PURE_CALLS:
            return False
    return True
