"""Finds what a test hands to the functions of the solution: values of its own, and values that it made of answers."""

from __future__ import annotations

import ast
import types

from ..confinement.allowlist import words
from .test_text import TestText, is_literal, target_names

MADE_BY_TEST = "it hands a function or an object of its own to the solution"

PLAIN, ANSWER, UNKNOWN, MIXED = range(4)
"""Where a value comes from. A value crosses if it can be sent from the test runner to the solution's process.

PLAIN: the analysis assumes that the value crosses. ANSWER: the value comes from the solution and crosses back. UNKNOWN:
the value comes from the test's own text, and it may be unable to cross. MIXED: the test made the value of an answer, as
in `type(answer)`. Such a value may be unable to cross because of the solution.
"""

_FILES = ("<test>", "<doctest ")
"""How the file names in code objects of tests and helpers begin."""

_SURE = words("""
    int float str bool complex bytes bytearray len abs round sum min max sorted list tuple dict set frozenset
    range divmod pow ord chr hex oct bin repr ascii format any all hash print isinstance issubclass callable id""")
_WRAPPING = words("functools.partial functools.cmp_to_key functools.lru_cache functools.cache")
"""Functions of libraries that wrap a function."""

_CROSSING = words("""
    decimal.Decimal fractions.Fraction datetime.date datetime.datetime datetime.time datetime.timedelta uuid.UUID
    pathlib.Path pathlib.PurePosixPath numpy.array collections.Counter collections.deque collections.OrderedDict""")
"""Classes and functions of libraries whose results cross from a test."""

_OF_LISTS = frozenset({"sort"})
_OF_TABLES = words("""
    equals apply map applymap agg aggregate transform groupby filter pipe assign merge join compare isin eq ne dot
    combine where mask""")

_SEQUENCES = (ast.List, ast.Tuple, ast.Set)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp)
_SURE_NODES = (ast.Constant, ast.JoinedStr, ast.Compare)


class Origins:
    """Where the values of a test come from. `names` maps a name to PLAIN, ANSWER, UNKNOWN or MIXED."""

    def __init__(self, text: TestText) -> None:
        self.text = text
        self.names: dict[str, int] = {}
        for _ in range(4):
            before = dict(self.names)
            self._follow()
            if before == self.names:
                break

    def _follow(self) -> None:
        nodes = self.text.nodes
        pairs = [(target, node.value) for node in nodes[ast.Assign] for target in node.targets]
        for kind in (ast.AnnAssign, ast.NamedExpr, ast.AugAssign):
            pairs += [(node.target, node.value) for node in nodes[kind] if node.value is not None]
        pairs += [(node.target, node.iter) for node in (*nodes[ast.For], *nodes[ast.comprehension])]
        pairs += [(node.optional_vars, node.context_expr) for node in nodes[ast.withitem] if node.optional_vars]
        for target, value in pairs:
            origin = self.of(value)
            for name in target_names(target):
                self.names[name] = max(origin, self.names.get(name, PLAIN))

    def of(self, expression: ast.AST | None) -> int:
        """Return where the value of an expression comes from."""
        if expression is None or isinstance(expression, _SURE_NODES) or is_literal(expression):
            return PLAIN
        if isinstance(expression, ast.Name):
            if self.text.is_own(expression):
                return ANSWER
            return self.names.get(expression.id, UNKNOWN if expression.id in self.text.imported else PLAIN)
        if isinstance(expression, ast.Call):
            return self._of_call(expression)
        if isinstance(expression, ast.Attribute | ast.Subscript):
            if self.text.is_own(expression):
                return ANSWER
            # An attribute of a list may be a method, such as `found.append`, which cannot cross.
            unknown = isinstance(expression, ast.Attribute) or self.text.path(expression)
            return self._made_of(self.of(expression.value), UNKNOWN if unknown else PLAIN)
        if isinstance(expression, _SEQUENCES):
            return max(map(self.of, expression.elts), default=PLAIN)
        if isinstance(expression, ast.Dict):
            return max(map(self.of, (*expression.keys, *expression.values)), default=PLAIN)
        if isinstance(expression, _COMPREHENSIONS):
            return self.of(expression.elt)
        return max(map(self.of, ast.iter_child_nodes(expression)), default=PLAIN)

    def _of_call(self, call: ast.Call) -> int:
        if self.text.is_own(call.func):
            return ANSWER
        inner = max(map(self.of, (*call.args, *(part.value for part in call.keywords))), default=PLAIN)
        path = self.text.path(call.func)
        if path.removeprefix("builtins.") in _SURE or path in _CROSSING:
            return inner
        if isinstance(call.func, ast.Attribute) and not path:
            inner = max(inner, self.of(call.func.value))
        if isinstance(call.func, ast.Name):
            own = call.func.id in self.text.functions and self._uses_solution(call.func.id)
            inner = max(inner, MIXED if own else self.of(call.func) if not path else PLAIN)
        elif isinstance(call.func, ast.Call):
            inner = max(inner, self.of(call.func))
        return self._made_of(inner, UNKNOWN)

    def _uses_solution(self, name: str) -> bool:
        nodes = ast.walk(self.text.functions[name])
        return any(isinstance(node, ast.Name | ast.Attribute) and self.text.is_own(node) for node in nodes)

    def _made_of(self, origin: int, otherwise: int) -> int:
        return MIXED if origin in (ANSWER, MIXED) else max(origin, otherwise)


def arguments(text: TestText, origins: Origins | None = None) -> list[ast.expr]:
    """Return the arguments that the test gives to functions of the solution and to methods of their answers.

    With `origins`, methods of values that the test made of answers count too. Without `origins`, a method counts only
    if it is called directly on an answer, as in `f(1).add(x)`.
    """
    found: list[ast.expr] = []
    for node in text.nodes[ast.Call]:
        method = isinstance(node.func, ast.Attribute) and not text.path(node.func) and not is_of_data(text, node)
        if text.is_own(node.func) or (method and _answers(text, node.func, origins)):
            found += [*node.args, *(part.value for part in node.keywords)]
    return found


def is_of_data(text: TestText, call: ast.Call) -> bool:
    """Return whether a call hands something other than literals to `sort` or to a method in _OF_TABLES.

    _OF_TABLES has methods of pandas' tables. They count only in a test that uses pandas. A method of a new object of
    the solution's class does not count. A test with a call that counts expects data as the answer. If the answer were
    an object of the solution that has this method, the argument might be unable to cross. The answer must not decide in
    this way that the test moves to a shared process.
    """
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _OF_LISTS | _OF_TABLES:
        return False
    base = call.func.value
    if isinstance(base, ast.Call) and text.is_class(base.func):
        return False
    given = [*call.args, *(part.value for part in call.keywords)]
    tables = any(path.split(".")[0] == "pandas" for path in (*text.imported.values(), *text.libraries.values()))
    return (tables or call.func.attr in _OF_LISTS) and not all(map(is_literal, given))


def asks_data(text: TestText) -> bool:
    """Return whether `is_of_data` accepts a call of the test to a method of an answer, or of a value made of one."""
    calls = [node for node in text.nodes[ast.Call] if is_of_data(text, node)]
    origins = Origins(text) if calls else None
    return origins is not None and any(origins.of(node.func.value) in (ANSWER, MIXED) for node in calls)


def made_by_test(value: object, module: str) -> bool:
    """Return whether a value is a function, generator, coroutine, class or instance of a class of a test or of helpers.

    A function, generator or coroutine counts if its code comes from a test or from helpers. module: the name of the
    module in which tests run.
    """
    function = getattr(value, "__func__", value)
    if type(function) in (types.FunctionType, types.GeneratorType, types.CoroutineType):
        for name in ("__code__", "gi_code", "cr_code"):
            if code := getattr(function, name, None):
                return str(code.co_filename).startswith(_FILES)
    kind = value if isinstance(value, type) else type(value)
    return kind.__module__ in (module, "test_solution")


def _answers(text: TestText, function: ast.Attribute, origins: Origins | None) -> bool:
    if origins is not None:
        return origins.of(function.value) in (ANSWER, MIXED)
    return isinstance(function.value, ast.Call) and text.is_own(function.value.func)


def may_hand_over(text: TestText) -> bool:
    """Return whether an argument may be unable to cross although the solution has no part in it.

    Return False if the test makes an argument out of an answer, since the solution could then cause the failure.
    """
    origins = Origins(text)
    found = {origins.of(part) for part in arguments(text, origins)}
    return UNKNOWN in found and MIXED not in found


def hands_own_things(text: TestText) -> bool:
    """Return whether the test visibly hands a function, a generator, a class or an instance of its own to the solution.

    A decorator of the solution counts, since it gets a function or a class of the test.
    """
    made = {name for name, node in text.functions.items() if not any(map(_is_fixture, node.decorator_list))}
    made |= text.classes
    for _ in range(2):
        for node in text.nodes[ast.Assign]:
            if _made(text, node.value, made):
                made |= {name for target in node.targets for name in target_names(target)}
    decorators = [part for node in text.functions.values() for part in node.decorator_list]
    decorators += [part for node in text.nodes[ast.ClassDef] for part in node.decorator_list]
    if any(text.is_own(part.func if isinstance(part, ast.Call) else part) for part in decorators):
        return True
    return any(_made(text, part, made) for part in arguments(text)) or _gives_to_answer(text, made)


def _gives_to_answer(text: TestText, made: set[str]) -> bool:
    """Return whether the test gives a function's answer something that may be unable to cross, as in `f(1).add(thing)`.

    It does so by calling a method of the answer, by using the thing as a subscript, or by assigning it into the answer.
    If the answer is data, the call runs in the test and nothing crosses. If it is an object of the solution, the thing
    would have to cross. The answer must not decide whether the test shares a process. A test that constructs objects of
    the solution does not count here.
    """
    given: list[tuple[ast.expr, ast.expr]] = []
    for call in text.nodes[ast.Call]:
        if isinstance(call.func, ast.Attribute) and not text.path(call.func) and not is_of_data(text, call):
            given += [(call.func.value, part) for part in (*call.args, *(part.value for part in call.keywords))]
    for node in text.nodes[ast.Assign]:
        given += [(part.value, node.value) for part in node.targets if isinstance(part, ast.Subscript | ast.Attribute)]
    given += [(node.value, node.slice) for node in text.nodes[ast.Subscript]]
    given = [(base, part) for base, part in given if not is_literal(part)]
    if not given or any(text.is_class(node.func) for node in text.nodes[ast.Call]):
        return False
    origins = Origins(text)
    return any(
        origins.of(base) in (ANSWER, MIXED) and (_made(text, part, made) or origins.of(part) == UNKNOWN)
        for base, part in given
    )


def _is_fixture(decorator: ast.expr) -> bool:
    """Return whether a decorator makes a function a fixture of pytest, whose name then means the value it returns."""
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")) == "fixture"


def _made(text: TestText, expression: ast.expr, made: set[str]) -> bool:
    if isinstance(expression, ast.Lambda | ast.GeneratorExp):
        return True
    if isinstance(expression, ast.Name):
        return expression.id in made
    if isinstance(expression, ast.Call):
        if text.path(expression.func) in _WRAPPING:
            return True
        return isinstance(expression.func, ast.Name) and expression.func.id in text.classes
    if isinstance(expression, _SEQUENCES):
        return any(_made(text, part, made) for part in expression.elts)
    if isinstance(expression, ast.Dict):
        return any(_made(text, part, made) for part in expression.values)
    return isinstance(expression, ast.Starred) and _made(text, expression.value, made)
