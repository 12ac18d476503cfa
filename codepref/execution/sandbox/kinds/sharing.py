"""Decides before a test runs whether it must share a process with the solution.

Only the text of the test and of its problem decides. Nothing that a solution does, defines or returns has a part in it.
A test that needs no shared process gets the answers of the solution as data and proxies. While it runs, a value of its
own that cannot cross may still move it to a shared process (see `TestRunner._may_share`).
"""

from __future__ import annotations

import ast

from ..confinement.allowlist import words
from .answers import CHANGING, asked_of_answers, needs_originals
from .free_names import bound_at_top
from .handing import ANSWER, MADE_BY_TEST, MIXED, Origins, asks_data, hands_own_things, may_hand_over
from .library_things import compares_with_library, instances_cross
from .own_objects import ENTERS, USES_CLASS, why_objects
from .reach import EVALUATES, LOOKS, PATCHES, why_reaches
from .test_text import Surroundings, TestText

CHECKS_TYPE = "it checks the type of an answer that cannot cross"
COMPARES_LIBRARY = "it compares an answer with a class or a function that cannot cross"
KEEPS_DATA = "it changes or keeps data of the solution"

_TYPE_CALLS = frozenset({"builtins.isinstance", "builtins.issubclass", "contextlib.suppress", "pytest.raises"})
_TYPE_METHODS = words("raises assertRaises assertRaisesRegex assertIsInstance assertNotIsInstance suppress register")
_SAFE_WITH_CLASS = frozenset(
    f"builtins.{name}"
    for name in words("""
        callable hasattr getattr setattr print id repr str map filter list len iter tuple enumerate zip""")
)
_KNOWN_DUNDERS = words("__name__ __class__ __init__ __str__ __len__ __getitem__ __iter__ __next__")
_ABILITIES = _KNOWN_DUNDERS | {"__setitem__", "__delitem__", "__contains__", "__call__"}
"""Names for which `hasattr` usually says the same of a proxy as of its original."""

_SYMPY_NUMBERS = words("""
    isprime prime primepi primerange nextprime prevprime randprime factorint primefactors divisors divisor_count
    divisor_sigma totient mobius gcd lcm igcd ilcm factorial binomial fibonacci lucas catalan bell""")
"""Functions of sympy that return numbers or collections of numbers.

They evaluate a text too, so a test that gives an answer to one of them shares a process with the solution.
"""


class Analysis:
    """What the text of a test decides.

    Attributes:
        shared: why the test must share a process with the solution, or "".
        hands_over: whether a value that only the test's text supplies, and that cannot cross, may be an argument.
        libraries: names of libraries that the test uses without an import, with their dotted paths.
        live: names of the solution whose values the test reads anew at each use, since calls may change them.
        modules: names of modules by which the test imports the solution.
        own: names that stand for things of the solution.
        binds: names that the test itself binds in its module.
        hidden: the names of `binds` that must not come from the solution.
        stays: whether the test must not move to a shared process when it hands over a value that cannot cross.
        asks: names of methods of builtin data by which the test may ask if an answer is right (see `asked_of_answers`).
    """

    __slots__ = ("asks", "binds", "hands_over", "hidden", "libraries", "live", "modules", "own", "shared", "stays")

    def __init__(self, tree: ast.Module, around: Surroundings) -> None:
        text = TestText(tree, around)
        self.live = _live_names(text)
        self.shared = why_shared(text, self.live)
        self.stays = not self.shared and asks_data(text)
        self.hands_over = not self.shared and may_hand_over(text)
        self.asks = asked_of_answers(text)
        self.libraries = text.libraries
        self.modules = text.solution_modules
        self.own = frozenset(text.own | text.from_solution)
        self.binds = frozenset(bound_at_top(tree))
        self.hidden = self.binds - self.own - {around.entry_point} - around.definitions.keys()

    @property
    def needs_own_scope(self) -> bool:
        """Whether the test must not run with the plain bindings of the solution."""
        return bool(self.shared or self.live or self.libraries)


class HelperAnalysis:
    """What the text of a problem's helpers decides.

    Attributes:
        after: whether the helpers use names that only the solution can supply, so that they must run after it.
        hidden, libraries, modules: as in `Analysis`.
    """

    __slots__ = ("after", "hidden", "libraries", "modules")

    def __init__(self, helpers: ast.Module, definitions: dict[str, str]) -> None:
        text = TestText(helpers, Surroundings(None, "", definitions))
        self.after = bool(text.own or text.modules or text.solution_modules)
        self.libraries, self.modules = text.libraries, text.solution_modules
        self.hidden = frozenset(bound_at_top(helpers)) - text.own - text.from_solution


def helpers_decide(around: Surroundings) -> bool:
    """Return whether the helpers may evaluate an answer, so that a test with a plain call must be analysed too."""
    if around.decides is None:
        text = TestText(around.helpers, Surroundings(None, "", around.definitions))
        around.decides = why_shared(text) == EVALUATES
    return around.decides


def why_shared(text: TestText, live: frozenset[str] = frozenset()) -> str:
    """Return why a test must share a process with the solution, or "" if it runs apart from it."""
    if reason := why_reaches(text):
        return reason
    if _evaluates(text):
        return EVALUATES
    if _uses_type(text):
        return USES_CLASS
    if any(_is_from_solution(text, node.context_expr) for node in text.nodes[ast.withitem]):
        return ENTERS
    if _looks(text):
        return LOOKS
    if _checks_type(text):
        return CHECKS_TYPE
    if compares_with_library(text):
        return COMPARES_LIBRARY
    if _sets_names(text):
        return PATCHES
    if _keeps_data(text, live) or needs_originals(text):
        return KEEPS_DATA
    hands = hands_own_things(text) or (asks_data(text) and may_hand_over(text))
    return why_objects(text) or (MADE_BY_TEST if hands else "")


def _evaluates(text: TestText) -> bool:
    """Return whether the test calls a function that may evaluate an answer as Python, or look up what it names.

    Most functions of sympy evaluate texts, and so do `query` and `eval` of a table. `getattr` looks up a name. Any call
    of a function of sympy that is not in _SYMPY_NUMBERS counts, since most objects of sympy do not cross.
    """
    paths = {text.path(node.func) for node in text.nodes[ast.Call] if isinstance(node.func, ast.Name | ast.Attribute)}
    if any(path.startswith("sympy.") and path.split(".")[-1] not in _SYMPY_NUMBERS for path in paths):
        return True
    tables = any(path.split(".")[0] == "pandas" for path in (*text.imported.values(), *text.libraries.values()))
    asked: list[ast.expr] = []
    for node in text.nodes[ast.Call]:
        path, method = text.path(node.func), node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if path.startswith("sympy.") or (tables and not path and method in ("query", "eval")):
            asked += node.args
        elif path in ("builtins.getattr", "operator.attrgetter", "operator.methodcaller"):
            asked += [part for part in node.args if path != "builtins.getattr" or part is not node.args[0]]
    if not asked:
        return False
    origins = Origins(text)
    return any(origins.of(part) in (ANSWER, MIXED) for part in asked)


def _uses_type(text: TestText) -> bool:
    """Return whether the test uses a name of the solution as a type: to catch, derive from, compare or hand over."""
    types: list[ast.AST] = [node.type for node in text.nodes[ast.ExceptHandler] if node.type is not None]
    types += [base for node in text.nodes[ast.ClassDef] for base in (*node.bases, *(k.value for k in node.keywords))]
    types += [node.cls for node in text.nodes[ast.MatchClass]]
    types += [node.exc for node in text.nodes[ast.Raise] if node.exc is not None and text.is_own(_function(node.exc))]
    for node in text.nodes[ast.Call]:
        path = text.path(node.func)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if path in _TYPE_CALLS or method in _TYPE_METHODS:
            types += node.args[:1] if path not in ("builtins.isinstance", "builtins.issubclass") else []
            types += node.args[1:2] if "nstance" in (path + method) or "subclass" in path else []
            types += [part.value for part in node.keywords if part.arg == "expected_exception"]
            types += node.args[:1] if path == "builtins.issubclass" else []
        elif path and path not in _SAFE_WITH_CLASS and any(text.is_class(part) for part in node.args):
            return True
    for node in text.nodes[ast.Compare]:
        types += [side for side in (node.left, *node.comparators) if text.is_class(side)]
    return any(_holds_own(text, part) for part in types if part is not None)


def _function(expression: ast.AST) -> ast.AST:
    return expression.func if isinstance(expression, ast.Call) else expression


def _holds_own(text: TestText, expression: ast.AST) -> bool:
    if isinstance(expression, ast.Tuple | ast.List):
        return any(_holds_own(text, part) for part in expression.elts)
    return text.is_own(_function(expression)) or (
        isinstance(expression, ast.Attribute) and text.is_own(expression.value)
    )


def _is_from_solution(text: TestText, expression: ast.AST) -> bool:
    """Return whether an expression is a name of the solution, or comes from one by calls and attributes."""
    if isinstance(expression, ast.Name):
        return text.is_own(expression) or expression.id in _assigned_from_calls(text)
    if isinstance(expression, ast.Call):
        return text.is_own(expression.func) or (
            isinstance(expression.func, ast.Attribute) and _is_from_solution(text, expression.func.value)
        )
    if not isinstance(expression, ast.Attribute) or expression.attr == "__class__":
        return False
    return _is_from_solution(text, expression.value)


def _assigned_from_calls(text: TestText) -> set[str]:
    return {
        target.id
        for node in text.nodes[ast.Assign]
        if isinstance(node.value, ast.Call) and text.is_own(node.value.func)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _checks_type(text: TestText) -> bool:
    """Return whether the test asks if an answer is an instance of a class whose instances may be unable to cross."""
    asked = [node for node in text.nodes[ast.Call] if text.path(node.func) == "builtins.isinstance"]
    asked = [node for node in asked if len(node.args) == 2 and _foreign(text, node.args[1])]
    if not asked:
        return False
    origins = Origins(text)
    return any(origins.of(node.args[0]) in (ANSWER, MIXED) for node in asked)


def _foreign(text: TestText, kind: ast.expr) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(_foreign(text, part) for part in kind.elts)
    path = text.path(kind)
    return bool(path) and not instances_cross(path)


def _sets_names(text: TestText) -> bool:
    """Return whether the test, after a call of the solution, sets a name that it never reads itself.

    Such a name is probably meant for the solution, as in `TAX = 0.5` between two calls of `price`.
    """
    read = {node.id for node in text.nodes[ast.Name] if isinstance(node.ctx, ast.Load)}
    called = False
    for statement in text.statements:
        own = any(text.is_own(node.func) for node in ast.walk(statement) if isinstance(node, ast.Call))
        if called and not own and isinstance(statement, ast.Assign):
            names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
            if names - read - {"_"}:
                return True
        called = called or (own and not isinstance(statement, ast.FunctionDef | ast.ClassDef))
    return False


def _looks(text: TestText) -> bool:
    """Return whether the test reads an attribute with double underscores that may be the solution's own."""
    for node in text.nodes[ast.Attribute]:
        if node.attr.startswith("__") and node.attr.endswith("__") and not text.path(node.value):
            own = text.is_own(node.value) if node.attr == "__class__" else _is_from_solution(text, node.value)
            known = node.attr in _KNOWN_DUNDERS and not own
            if not known and not _of_exception(text, node):
                return True
    for node in text.nodes[ast.Call]:
        if text.path(node.func) in ("builtins.getattr", "builtins.hasattr") and len(node.args) > 1:
            name = node.args[1]
            text_ = str(name.value) if isinstance(name, ast.Constant) else ""
            if text_.startswith("__") and (text_ not in _ABILITIES or text.is_own(node.args[0])):
                return True
    return False


def _of_exception(text: TestText, node: ast.Attribute) -> bool:
    """Return whether an attribute is read from the name of a caught exception, as in `error.__cause__`."""
    caught = {handler.name for handler in text.nodes[ast.ExceptHandler]}
    return isinstance(node.value, ast.Name) and node.value.id in caught


def _live_names(text: TestText) -> frozenset[str]:
    """Return the names of the solution that the test reads and neither calls nor binds, without the entry point."""
    read = {node.id for node in text.nodes[ast.Name] if isinstance(node.ctx, ast.Load)}
    return frozenset((text.own & read) - text.called - text.bound - {text.around.entry_point})


def _keeps_data(text: TestText, live: frozenset[str]) -> bool:
    """Return whether the test may change data of the solution's module, or keep it from one call to the next.

    A lower-case name that the test imports from the solution and reads without calling it counts as kept, unless it is
    the entry point or known to be a function or class.
    """
    imported = {name for name in text.from_solution if name in text.own and not name.isupper()}
    read = {node.id for node in text.nodes[ast.Name] if isinstance(node.ctx, ast.Load)}
    classes = {name for name in imported if text.around.definitions.get(name) or name[:1].isupper()}
    if (imported & read) - text.called - classes - {text.around.entry_point}:
        return True
    for call in text.nodes[ast.Call]:
        method = call.func
        if isinstance(method, ast.Attribute) and method.attr in CHANGING and _is_live(text, method.value, live):
            return True
    for node in text.nodes[ast.Subscript]:
        if not isinstance(node.ctx, ast.Load) and _is_live(text, node.value, live):
            return True
    kept = [node.value for node in (*text.nodes[ast.Assign], *text.nodes[ast.NamedExpr])]
    return any(_is_live(text, value, live) and not _constant(value) for value in kept)


def _is_live(text: TestText, expression: ast.AST, live: frozenset[str]) -> bool:
    if isinstance(expression, ast.Name):
        return expression.id in live
    return isinstance(expression, ast.Attribute) and text.is_module(expression.value)


def _constant(expression: ast.AST) -> bool:
    name = expression.id if isinstance(expression, ast.Name) else getattr(expression, "attr", "")
    return bool(name.isupper())
