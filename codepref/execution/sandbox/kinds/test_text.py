"""What the text of a test shows about its names: its own names, those of libraries, and those of the solution.

All of this follows from the text of the test and of the problem, and from the installed modules. Nothing depends on the
solution that is tested.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ..confinement.allowlist import words
from .free_names import bound_at_top, bound_names, read_from_module, star_names, within
from .libraries import Uses, module_of_name

_USUAL_MODULES = words("""
    solution solutions main my_module your_module mymodule yourmodule module candidate my_solution your_solution answer
    submission implementation program solution_module code_under_test""")
"""Usual names of the module by which a test imports the solution. The standard library has no module of these names."""

CALLBACK_PARAMETER = "candidate"
"""The name under which tests of the kind "check" usually get the solution's function."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Surroundings:
    """What a test sees of its problem.

    Attributes:
        helpers: the syntax tree of the problem's helpers.
        entry_point: the name of the function that tests call.
        definitions: names that the problem's prompt, preamble or gold solution defines, each with "class" or "def".
        bound: names that the helpers bind.
        decides: whether the helpers may evaluate an answer, or None if this is not known yet.
    """

    def __init__(
        self, helpers: ast.Module | None = None, entry_point: str = "", definitions: dict[str, str] | None = None
    ) -> None:
        self.helpers = helpers or ast.Module([], [])
        self.entry_point = entry_point
        self.definitions = definitions or {}
        self.bound = frozenset(bound_names(walk(self.helpers)))
        self.decides: bool | None = None if self.helpers.body else False


def walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes of a tree, apart from those inside literals. Published tests have very long literals."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        if not is_literal(node):
            stack += ast.iter_child_nodes(node)


def is_literal(node: ast.AST | None) -> bool:
    """Return whether a node is a constant, a negated one, or a display of a container of such nodes."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return not isinstance(getattr(node, "ctx", None), ast.Store) and all(map(is_literal, node.elts))
    if isinstance(node, ast.Dict):
        return all(map(is_literal, node.keys)) and all(map(is_literal, node.values))
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and is_literal(node.operand)


def target_names(target: ast.expr) -> list[str]:
    """Return the names that the target of an assignment, a loop or a `with` binds.

    An attribute of `self` counts as the name "self.NAME".
    """
    if isinstance(target, ast.Name):
        return [target.id]
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
        return [f"self.{target.attr}"]
    if isinstance(target, ast.Tuple | ast.List):
        return [name for part in target.elts for name in target_names(part)]
    return target_names(target.value) if isinstance(target, ast.Starred) else []


class TestText:
    """The syntax tree of a test together with that of the helpers, and what both show about names.

    Attributes:
        nodes: the nodes of both trees by their type, apart from those inside literals.
        own: names that only the solution can supply, and names that the test binds to things of the solution.
        modules: names under which the test knows the solution's module.
        solution_modules: names of modules by which the test imports the solution.
        from_solution: names that the test imports from the solution.
        libraries: names that the test uses without an import and that belong to a library: name -> dotted path.
        statements: the statements of the test's module.
        called: names that the test or the helpers call.
        functions: the functions and methods that the test or the helpers define, by name.
        classes: the names of the classes that they define.
        imported: names that they import from elsewhere than the solution: name -> dotted path.
        bound: names that they bind in any scope.
    """

    __test__ = False  # keeps pytest from collecting a class of this name

    def __init__(self, tree: ast.Module, around: Surroundings) -> None:
        self.solution_modules, self.from_solution = set[str](), set[str]()
        self.around, self.statements = around, tree.body
        self.nodes: dict[type, list[Any]] = defaultdict(list)
        for node in (*walk(tree), *walk(around.helpers)):
            self.nodes[type(node)].append(node)
        self.functions = {node.name: node for kind in _FUNCTIONS for node in self.nodes[kind]}
        self.classes = {node.name for node in self.nodes[ast.ClassDef]}
        self.called = {node.func.id for node in self.nodes[ast.Call] if isinstance(node.func, ast.Name)}
        self.imported: dict[str, str] = {}
        self.modules, self.own = set[str](), set[str]()
        self._read_imports()
        self._add_parameters()
        everything = [node for nodes in self.nodes.values() for node in nodes]
        self.bound = set(bound_names(everything)) | (star := self._star_imports()) | around.bound
        free = {node.id for node in self.nodes[ast.Name] if isinstance(node.ctx, ast.Load)} - self.bound
        free |= self._elsewhere(tree, star)
        free = {name for name in free if not hasattr(builtins, name)} - {"__file__", "__builtins__"}
        self.libraries = self._library_names(free)
        self.own |= free - set(self.libraries)
        if around.entry_point and around.entry_point not in self.functions:
            self.own.add(around.entry_point)
        self._follow_aliases()

    def _read_imports(self) -> None:
        for node in self.nodes[ast.Import]:
            for alias in node.names:
                if is_solution_module(alias.name):
                    self.modules.add(alias.asname or alias.name.split(".")[0])
                    self.solution_modules.add(alias.name)
                else:
                    top = alias.name.split(".")[0]
                    self.imported[alias.asname or top] = alias.name if alias.asname else top
        known = {self.around.entry_point, *self.around.definitions}
        for node in self.nodes[ast.ImportFrom]:
            module, names = node.module or "solution", {alias.name for alias in node.names}
            own = is_solution_module(module) or bool(node.level) or (bool(names & known) and not is_installed(module))
            if own:
                self.solution_modules.add(module)
            for alias in node.names:
                if own:
                    self.own.add(alias.asname or alias.name)
                    self.from_solution.add(alias.name)
                else:
                    self.imported[alias.asname or alias.name] = f"{module}.{alias.name}"

    def _star_imports(self) -> set[str]:
        """Read what `from LIBRARY import *` binds. Return the names of it that the text uses."""
        used = {node.id for node in self.nodes[ast.Name]}
        found: set[str] = set()
        for node in self.nodes[ast.ImportFrom]:
            if node.module and any(alias.name == "*" for alias in node.names):
                names = used & star_names(node.module) if node.module not in self.solution_modules else set()
                self.imported |= {name: f"{node.module}.{name}" for name in names}
                found |= names
        return found

    def _elsewhere(self, tree: ast.Module, star: set[str]) -> set[str]:
        """Return names that the text reads from its module, although only an inner scope of the text binds them."""
        top = {*bound_at_top(tree), *bound_at_top(self.around.helpers)}
        declared = {name for node in self.nodes[ast.Global] for name in node.names}
        outside = {node.id for node in within(tree) if isinstance(node, ast.Name)}
        read = outside | read_from_module(tree)
        return (read & self.bound) - top - declared - star

    def _library_names(self, free: set[str]) -> dict[str, str]:
        around, found = self.around, {}
        attributes: dict[str, set[str]] = {name: set() for name in free}
        for node in self.nodes[ast.Attribute]:
            if isinstance(node.value, ast.Name) and node.value.id in free:
                attributes[node.value.id].add(node.attr)
        for name in free - {around.entry_point} - around.definitions.keys():
            if path := module_of_name(name, attributes[name]):
                found[name] = path
        if not found:
            return found
        others = (free - found.keys()) | self.own | self.modules | ({around.entry_point} & free)
        uses = Uses(self.nodes, others)
        return {name: path for name, path in found.items() if attributes[name] or not uses.of_solution(name)}

    def _add_parameters(self) -> None:
        """Add parameters that stand for the solution's function, such as the one of `check`."""
        for function in self.functions.values():
            parameters = [part.arg for part in (*function.args.posonlyargs, *function.args.args)]
            if CALLBACK_PARAMETER in parameters:
                self.own.add(CALLBACK_PARAMETER)
            if function.name == "check" and len(parameters) == 1:
                self.own.add(parameters[0])

    def _follow_aliases(self) -> None:
        """Add names that are assigned from names of the solution."""
        for _ in range(2):
            for node in self.nodes[ast.Assign]:
                if self.is_own(node.value):
                    self.own.update(target.id for target in node.targets if isinstance(target, ast.Name))

    def is_own(self, expression: ast.AST) -> bool:
        """Return whether an expression names something of the solution: `f`, or `solution.f`."""
        if isinstance(expression, ast.Name):
            return expression.id in self.own
        return isinstance(expression, ast.Attribute) and self.is_module(expression.value)

    def is_module(self, expression: ast.AST) -> bool:
        """Return whether an expression names the solution's module."""
        return isinstance(expression, ast.Name) and expression.id in self.modules

    def is_class(self, expression: ast.AST) -> bool:
        """Return whether an expression names something of the solution that seems to be a class.

        The problem's own definitions decide. A name that they do not define seems to be a class if it is written like
        one, as `Point` is. A name of one letter must also be called.
        """
        if not self.is_own(expression):
            return False
        name = expression.id if isinstance(expression, ast.Name) else expression.attr  # type: ignore[attr-defined]
        if name in self.around.definitions:
            return self.certain_class(name)
        return _looks_like_class(name) and (len(name) > 1 or name in self.called)

    def certain_class(self, name: str) -> bool:
        """Return whether the problem's prompt, preamble or gold solution defines a class of this name."""
        return self.around.definitions.get(name) == "class"

    def path(self, expression: ast.AST) -> str:
        """Return the dotted path of an expression that names something of a library or of Python, or ""."""
        if isinstance(expression, ast.Attribute):
            base = self.path(expression.value)
            return f"{base}.{expression.attr}" if base else ""
        if isinstance(expression, ast.Call):
            return self._path_of_getattr(expression)
        if not isinstance(expression, ast.Name):
            return ""
        name = expression.id
        if name == "__builtins__":
            return "builtins.__dict__"
        if name in self.imported:
            return self.imported[name]
        if name in self.libraries:
            return self.libraries[name]
        return f"builtins.{name}" if hasattr(builtins, name) and name not in self.bound else ""

    def _path_of_getattr(self, call: ast.Call) -> str:
        if not (is_name(call.func, "getattr") and len(call.args) > 1 and isinstance(call.args[1], ast.Constant)):
            return ""
        base = self.path(call.args[0])
        return f"{base}.{call.args[1].value!s}" if base else ""


def is_name(node: ast.AST, name: str) -> bool:
    """Return whether a node is the name `name`."""
    return isinstance(node, ast.Name) and node.id == name


def is_solution_module(name: str) -> bool:
    """Return whether a part of the name is a usual name of a solution's module, and the module is not installed."""
    return not _USUAL_MODULES.isdisjoint(name.split(".")) and not is_installed(name)


@functools.lru_cache(maxsize=1000)
def is_installed(module: str) -> bool:
    """Return whether the first part of the name is a module or package that this interpreter finds.

    The module `solution` counts as not installed.
    """
    top = module.split(".")[0]
    if top == "solution" or not top:
        return False
    try:
        return top in sys.builtin_module_names or importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _looks_like_class(name: str) -> bool:
    word = name.lstrip("_")
    return "_" not in word and word[:1].isupper() and (len(word) == 1 or not word.isupper())
