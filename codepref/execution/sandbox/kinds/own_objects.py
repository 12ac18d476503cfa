"""Finds tests that compare, order, hash or compute with objects of the solution's own classes.

The solution's process would have to decide whether such objects are equal, and it is not trusted with that. So these
tests share a process with the solution, and the verdict says so. What works across processes (attributes, methods,
`len`, texts, truth, indexing, iteration and calls) needs no shared process by itself.

The analysis ignores the order of statements. It follows objects that the test constructs, by a call of a name that
seems to be a class of the solution, through assignments, containers, loops, fixtures and functions of the test. Only
members of enumerations, such as `Color.RED`, are found without such a call.
"""

from __future__ import annotations

import ast

from ..confinement.allowlist import words
from .test_text import TestText, is_literal, target_names

NOTHING, CONTAINER, OBJECT = range(3)
"""What an expression is, as far as the analysis knows.

OBJECT: an object of a class of the solution. CONTAINER: a container of such objects. NOTHING: neither.
"""

COMPARES, COMPUTES = "it compares objects of the solution", "it computes with objects of the solution"
USES_CLASS, ENTERS = "it uses a class of the solution as a type", "it enters a context of the solution"

_KEEPING = words("list tuple set frozenset sorted reversed filter zip enumerate iter dict collections.deque copy.copy")
_PICKING = frozenset({"next", "min", "max"})
_ORDERING = frozenset({"sorted", "min", "max"})
_HARMLESS = words("""
    len str bool iter list tuple next enumerate zip print id callable hasattr getattr setattr delattr repr format
    all any map filter ascii type""")
_ADDING = words("append add insert appendleft extend push setdefault")


class OwnObjects:
    """The objects of the solution's classes that a test holds. `kinds` maps a name to NOTHING, CONTAINER or OBJECT."""

    def __init__(self, text: TestText) -> None:
        self.text = text
        self.kinds: dict[str, int] = {}
        self._returned: dict[str, int] = {}
        for _ in range(4):
            before = (dict(self.kinds), dict(self._returned))
            self._follow()
            if before == (self.kinds, self._returned):
                break

    def _follow(self) -> None:
        nodes = self.text.nodes
        for node in nodes[ast.Assign]:
            for target in node.targets:
                self._bind(target, node.value)
        for kind in (ast.AnnAssign, ast.NamedExpr, ast.AugAssign):
            for node in nodes[kind]:
                if node.value is not None:
                    self._bind(node.target, node.value)
        for node in (*nodes[ast.For], *nodes[ast.comprehension]):
            self._iterate(node.target, node.iter)
        for node in nodes[ast.withitem]:
            if node.optional_vars is not None:
                self._bind(node.optional_vars, node.context_expr)
        for node in nodes[ast.Call]:
            self._follow_call(node)
        for name, function in self.text.functions.items():
            values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return | ast.Yield)]
            self._returned[name] = max([self.kind(value) for value in values if value is not None], default=NOTHING)
            for part in function.args.args:  # a fixture of pytest hands its value to parameters of its name
                self._add(part.arg, self._returned.get(part.arg, NOTHING))

    def _follow_call(self, node: ast.Call) -> None:
        function, kinds = node.func, [self.kind(part) for part in node.args]
        if isinstance(function, ast.Attribute) and function.attr in _ADDING and any(kinds):
            if self.kind(function.value) != OBJECT:
                for name in target_names(function.value):
                    self._add(name, CONTAINER)
        elif isinstance(function, ast.Name) and function.id in self.text.functions:
            parameters = self.text.functions[function.id].args.args
            for part, kind in zip(parameters, kinds, strict=False):
                self._add(part.arg, kind)

    def _add(self, name: str, kind: int) -> None:
        self.kinds[name] = max(kind, self.kinds.get(name, NOTHING))

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                for part, item in zip(target.elts, value.elts, strict=True):
                    self._bind(part, item)
            elif self.kind(value) == CONTAINER:
                for name in target_names(target):
                    self._add(name, OBJECT)
            return
        if isinstance(target, ast.Subscript) and self.kind(value):
            for name in target_names(target.value):
                self._add(name, CONTAINER)
        for name in target_names(target):
            self._add(name, self.kind(value))

    def _iterate(self, target: ast.expr, items: ast.expr) -> None:
        called = self.text.path(items.func) if isinstance(items, ast.Call) else ""
        if isinstance(target, ast.Tuple) and isinstance(items, ast.Call):
            if called == "builtins.enumerate" and items.args and len(target.elts) == 2:
                self._iterate(target.elts[1], items.args[0])
                return
            if called == "builtins.zip":
                for part, item in zip(target.elts, items.args, strict=False):
                    self._iterate(part, item)
                return
        if self.kind(items) == CONTAINER:
            for name in target_names(target):
                self._add(name, OBJECT)

    def kind(self, expression: ast.AST) -> int:
        """Return what an expression is: NOTHING, CONTAINER or OBJECT."""
        if isinstance(expression, ast.Name):
            return self.kinds.get(expression.id, NOTHING)
        if isinstance(expression, ast.Attribute):
            names = target_names(expression)
            return self.kinds.get(names[0], NOTHING) if names else NOTHING
        if isinstance(expression, ast.Call):
            return self._kind_of_call(expression)
        if isinstance(expression, ast.List | ast.Tuple | ast.Set):
            return CONTAINER if any(map(self.kind, expression.elts)) else NOTHING
        if isinstance(expression, ast.Dict):
            parts = [part for part in (*expression.keys, *expression.values) if part is not None]
            return CONTAINER if any(map(self.kind, parts)) else NOTHING
        if isinstance(expression, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            return CONTAINER if self.kind(expression.elt) else NOTHING
        if isinstance(expression, ast.DictComp):
            return CONTAINER if self.kind(expression.key) or self.kind(expression.value) else NOTHING
        if isinstance(expression, ast.IfExp):
            return max(self.kind(expression.body), self.kind(expression.orelse))
        if isinstance(expression, ast.BoolOp):
            return max(map(self.kind, expression.values))
        if isinstance(expression, ast.NamedExpr | ast.Starred):
            return self.kind(expression.value)
        if isinstance(expression, ast.BinOp):
            if isinstance(expression.op, ast.Mod) and isinstance(expression.left, ast.Constant | ast.JoinedStr):
                return NOTHING  # the text of an object
            return max(self.kind(expression.left), self.kind(expression.right))
        if isinstance(expression, ast.Subscript) and self.kind(expression.value) == CONTAINER:
            return CONTAINER if isinstance(expression.slice, ast.Slice) else OBJECT
        return NOTHING

    def _kind_of_call(self, call: ast.Call) -> int:
        if self.text.is_class(call.func):
            return OBJECT
        path = self.text.path(call.func).removeprefix("builtins.")
        inner = max(map(self.kind, call.args), default=NOTHING)
        if path in _KEEPING:
            return CONTAINER if inner == CONTAINER or (inner and path == "zip") else NOTHING
        if path in _PICKING:
            return OBJECT if inner == CONTAINER or (len(call.args) > 1 and inner) else NOTHING
        if path == "copy.deepcopy" or path == "copy.copy":
            return inner
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        return self._returned.get(name, NOTHING)


def why_objects(text: TestText) -> str:
    """Return why the test must share a process because of objects of the solution's classes, or ""."""
    bits = (node for node in text.nodes[ast.BinOp] if isinstance(node.op, ast.BitOr | ast.BitAnd | ast.BitXor))
    if any(_member(text, node.left) or _member(text, node.right) for node in bits):
        return COMPUTES
    orders = (node for node in text.nodes[ast.Compare] if isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE))
    if any(_member(text, node.left) and _member(text, node.comparators[0]) for node in orders):
        return COMPARES
    if not any(text.is_class(node.func) for node in text.nodes[ast.Call]):
        return ""
    objects = OwnObjects(text)
    return _why_compared(text, objects) or _why_computed(text, objects)


def _why_compared(text: TestText, objects: OwnObjects) -> str:
    for node in text.nodes[ast.Compare]:
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if isinstance(operator, ast.Is | ast.IsNot):
                continue
            if isinstance(operator, ast.In | ast.NotIn):
                if objects.kind(right) or objects.kind(left) == OBJECT:
                    return COMPARES
            elif any(objects.kind(a) and not _guess(text, a, b) for a, b in ((left, right), (right, left))):
                return COMPARES
    keys = [node.slice for node in text.nodes[ast.Subscript]]
    keys += [part for node in text.nodes[ast.Dict] for part in node.keys if part is not None]
    keys += [part for node in text.nodes[ast.Set] for part in node.elts]
    keys += [node.elt for node in text.nodes[ast.SetComp]] + [node.key for node in text.nodes[ast.DictComp]]
    return COMPARES if any(objects.kind(key) == OBJECT for key in keys) else ""


def _member(text: TestText, expression: ast.AST) -> bool:
    """Return whether an expression looks like a member of an enumeration of the solution, such as `Color.RED`."""
    return isinstance(expression, ast.Attribute) and expression.attr.isupper() and text.is_class(expression.value)


def _guess(text: TestText, side: ast.expr, other: ast.expr) -> bool:
    """Return whether `side` may be the result of a function that is only written like a class.

    Published problems have functions such as `Split`. A test compares their results with literals.
    """
    if not (isinstance(side, ast.Call) and text.is_class(side.func)):
        return False
    name = side.func.id if isinstance(side.func, ast.Name) else ""
    return not text.certain_class(name) and is_literal(other)


def _why_computed(text: TestText, objects: OwnObjects) -> str:
    for node in text.nodes[ast.BinOp]:
        formats = isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant | ast.JoinedStr)
        joins = isinstance(node.op, ast.Add | ast.Mult) and CONTAINER in map(objects.kind, (node.left, node.right))
        if not formats and not joins and (objects.kind(node.left) or objects.kind(node.right)):
            return COMPUTES
    for node in text.nodes[ast.UnaryOp]:
        if not isinstance(node.op, ast.Not) and objects.kind(node.operand):
            return COMPUTES
    for node in text.nodes[ast.AugAssign]:
        if objects.kind(node.target) == OBJECT or objects.kind(node.value) == OBJECT:
            return COMPUTES
    for node in text.nodes[ast.Call]:
        if _hands_to_library(text, node, objects):
            return COMPUTES
    return ""


def _hands_to_library(text: TestText, call: ast.Call, objects: OwnObjects) -> bool:
    """Return whether a call seems to need more of an object of the solution than a proxy has.

    Such a call gives the object to a function of Python or of a library or to a method such as `assertIn`, or it sorts
    or searches a list of such objects.
    """
    path = text.path(call.func)
    if isinstance(call.func, ast.Attribute) and not path and _needs_order(call, call.func, objects):
        return True
    parts = [*call.args, *(part.value for part in call.keywords)]
    if not path or not any(map(objects.kind, parts)):
        return (
            isinstance(call.func, ast.Attribute)
            and call.func.attr.startswith("assert")
            and any(objects.kind(part) for part in parts)
        )
    name = path.removeprefix("builtins.")
    if name in _ORDERING:
        return not any(part.arg == "key" for part in call.keywords)
    if name == "isinstance" and len(parts) == 2 and text.path(parts[1]) in ("builtins.object", "builtins.type"):
        return False
    return name not in _HARMLESS and not path.startswith("pytest.")


def _needs_order(call: ast.Call, method: ast.Attribute, objects: OwnObjects) -> bool:
    """Return whether a call sorts a list of objects of the solution, or searches a list for one."""
    if method.attr == "sort":
        return objects.kind(method.value) == CONTAINER and not call.keywords
    searches = method.attr in ("index", "count", "remove") and objects.kind(method.value) != OBJECT
    return searches and any(objects.kind(part) == OBJECT for part in call.args)
