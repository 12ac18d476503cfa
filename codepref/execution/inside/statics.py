"""What can be told of a test by reading it: whether it leaves state behind, and whether it is one plain call.

A judge may stay for the next solution only when no test of the task can change anything that outlives its own
namespace. The rule is a list of what is allowed: a test that uses anything else gets a fresh judge each time.
"""

from __future__ import annotations

import ast
import builtins
from typing import Any

from .codec import U32, Encoder
from .decoder import Decoder

STATELESS_MODULES = frozenset({"math", "cmath", "itertools", "heapq", "bisect"})
_IMPORTABLE = {
    "typing": None,
    "collections": frozenset({"Counter", "defaultdict", "deque", "OrderedDict", "namedtuple"}),
    **dict.fromkeys(STATELESS_MODULES),
}
"""Modules from which names may be imported; None: every name that does not begin with an underscore."""

_REACHING = frozenset(
    {"eval", "exec", "compile", "globals", "locals", "vars", "getattr", "setattr", "delattr", "open", "input"}
    | {"breakpoint", "help", "exit", "quit", "memoryview"}
)
"""Builtins by which code reaches what it does not name."""

_FRAMES = ("_", "gi_", "cr_", "ag_", "f_", "tb_", "co_")
"""Attributes that lead to frames, code and namespaces begin so."""

PURE_CALLS = frozenset(
    {"abs", "all", "any", "bool", "dict", "float", "int", "isinstance", "len", "list", "max", "min", "repr", "round"}
    | {"set", "sorted", "str", "sum", "tuple", "type"}
)
_WRAPPING = (ast.Compare, ast.UnaryOp, ast.BinOp, ast.Call, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set)
_WRAPPING_MORE = (ast.Subscript, ast.Slice, ast.Name, ast.Load, ast.operator, ast.unaryop, ast.cmpop)
CALL_HEAD = b"t" + U32.pack(4) + b"-" + Encoder(lambda _: None, exact=True).encode("call")


def parsed(source: str) -> ast.Module:
    """The syntax tree. Raises what `compile` raises."""
    tree: ast.Module = ast.parse(source)
    return tree


def stateless(tree: ast.AST) -> bool:
    """Whether running the code again and again in fresh namespaces cannot carry anything from one run to the next."""
    return all(_harmless(node) for node in ast.walk(tree))


def _harmless(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id not in _REACHING and not (node.id.startswith("__") and node.id != "__name__")
    if isinstance(node, ast.Attribute):
        return isinstance(node.ctx, ast.Load) and not node.attr.startswith(_FRAMES)
    if isinstance(node, ast.Import):
        return all(name.name in STATELESS_MODULES for name in node.names)
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        allowed = _IMPORTABLE.get(module, frozenset())
        names = [name.name for name in node.names]
        listed = allowed is None or set(names) <= allowed
        # typing holds modules under public names too, in lower case
        typing_names = module != "typing" or all(name[:1].isupper() for name in names)
        return not node.level and module in _IMPORTABLE and listed and typing_names and _public(names)
    return not isinstance(node, (ast.Match, ast.AsyncFunctionDef, ast.Await))


def _public(names: list[str]) -> bool:
    return all(name != "*" and not name.startswith("_") for name in names)


class PlainCall:
    """A test of the form `assert f(1, [2]) == 3`: one call of the solution, on literals, made whatever happens.

    name: the function. arguments: the arguments and (no) keywords, encoded.
    """

    __slots__ = ("arguments", "name")

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name = name
        self.arguments = Encoder(lambda _: None, exact=True).encode((arguments, {}))

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
        if isinstance(node, ast.Call) and node.keywords and node.func is function:
            return False
    return True
