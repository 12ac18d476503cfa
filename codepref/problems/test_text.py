"""Finds out what a test that is given as text is: a suite, pytest's functions, `check`, examples or statements. Pure.

A text can define tests without running them. Run as statements, such a text would pass every solution. The function
`read_test_text` therefore returns the kind under which the text is run, and adds the call that a text lacks.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from codepref.problems.source import parse, used_names
from codepref.problems.test_names import EXAMPLE, FUNCTIONS, Function, can_take_candidate, example_texts, required
from codepref.records import TestKind

_BOOLEAN_CALLS = frozenset({"all", "any", "bool", "callable", "hasattr", "isinstance", "issubclass"})


def read_test_text(source: str, entry_point: str = "") -> tuple[TestKind, str]:
    """Return the kind of a test in Python that is given as text, and the text to run.

    The first row that fits decides:

    | the text                                                              | kind       |
    |-----------------------------------------------------------------------|------------|
    | is not Python and holds examples (`>>>`)                              | `doctest`  |
    | defines a `check` that takes the candidate, and does not call it      | `check`    |
    | has test functions or test classes of pytest that it does not call    | `pytest`   |
    | has classes derived from `unittest.TestCase` that hold a test         | `unittest` |
    | does nothing and has functions that need no argument and that nothing uses | `asserts`, with their calls added |
    | does nothing and has one function that takes the candidate and that nothing uses | `check`, which is added |
    | does nothing and holds examples (`>>>`) in a text at its top level    | `doctest`  |
    | anything else                                                         | `asserts`  |

    A text does nothing if no statement outside its definitions is an `assert`, a `raise`, or an expression other than a
    constant or a name, such as a call. Calls are only added for functions that look like checks and are not `async`.
    Without such functions, one of the last two rows decides.
    entry_point: the entry point, if it is known. If it is "check", a function `check` in the text does not decide.

    >>> read_test_text("def check():\\n    assert f(1) == 2\\n")
    ('asserts', 'def check():\\n    assert f(1) == 2\\n\\n\\ncheck()\\n')
    """
    tree = parse(source)
    if tree is None:
        return ("doctest" if EXAMPLE in source else "asserts"), source
    text = _Text(tree)
    check = text.functions.get("check")
    if check is not None and entry_point != "check" and can_take_candidate(check) and "check" not in text.reached:
        return "check", source
    if text.pytest_tests():
        return "pytest", source
    if text.suites():
        return "unittest", source
    if not any(map(_is_active, tree.body)):
        calls = text.calls_to_add()
        if calls:
            return ("check" if "check(candidate)" in calls or "check =" in calls else "asserts"), _joined(source, calls)
        if any(EXAMPLE in example for example in example_texts(tree)):
            return "doctest", source
    return "asserts", source


class _Text:
    """The definitions of a text.

    Attributes:
        functions, classes: by name, at the top level and in its blocks. The last definition of a name counts.
        reached: the names of functions and classes that the statements of the text use, directly or through others.
    """

    def __init__(self, tree: ast.Module) -> None:
        statements = list(_statements(tree.body))
        self.functions = {node.name: node for node in statements if isinstance(node, FUNCTIONS)}
        self.classes = {node.name: node for node in statements if isinstance(node, ast.ClassDef)}
        self.reached = self._closure(_used_outside_definitions(statements))

    def _closure(self, names: set[str]) -> set[str]:
        reached: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            node = self.functions.get(name) or self.classes.get(name)
            if node is None or name in reached:
                continue
            reached.add(name)
            waiting += used_names(node)
        return reached

    def pytest_tests(self) -> list[str]:
        """Return the names of the test functions and test classes of pytest's manner that the text does not use."""
        found = [
            name
            for name, node in self.functions.items()
            if name.startswith("test") and name not in self.reached and not _is_fixture(node)
        ]
        for name, node in self.classes.items():
            methods = {method.name for method in self._methods(node)}
            if not name.startswith("Test") or name in self.reached or self._is_suite(node) or "__init__" in methods:
                continue
            nested = [
                item for item in ast.walk(node) if isinstance(item, ast.ClassDef) and item.name.startswith("Test")
            ]
            methods |= {method.name for item in nested for method in item.body if isinstance(method, FUNCTIONS)}
            if any(method.startswith("test") for method in methods):
                found.append(name)
        return found

    def suites(self) -> list[str]:
        """Return the names of the classes that have a base with a name such as `TestCase`, and that hold a test."""
        return [
            name
            for name, node in self.classes.items()
            if self._is_suite(node)
            and any(method.name.startswith("test") or method.name == "runTest" for method in self._methods(node))
        ]

    def calls_to_add(self) -> str:
        """Return the code to add to a text that only defines functions, so that they are run, or ""."""
        used = set[str]().union(*(used_names(node) - {name} for name, node in self.functions.items()))
        used = used.union(*map(used_names, self.classes.values()))
        roots = [node for name, node in self.functions.items() if name not in used and not _is_fixture(node)]
        own = [node for node in roots if not required(node) and isinstance(node, ast.FunctionDef)]
        lines = [line for node in own if (line := _call(node, ""))]
        if lines:
            return "\n".join(lines)
        taking = [node for node in roots if can_take_candidate(node) and isinstance(node, ast.FunctionDef)]
        if len(taking) != 1:
            return ""
        call = _call(taking[0], "candidate")
        if call.startswith("assert"):
            return f"def check(candidate):\n    {call}"
        return f"check = {taking[0].name}" if call else ""

    def _bases(self, node: ast.ClassDef) -> Iterator[ast.ClassDef]:
        seen: set[str] = set()
        waiting = [node]
        while waiting:
            current = waiting.pop()
            if current.name in seen:
                continue
            seen.add(current.name)
            yield current
            known = [self.classes.get(base.id) for base in current.bases if isinstance(base, ast.Name)]
            waiting += [base for base in known if base is not None]

    def _methods(self, node: ast.ClassDef) -> list[Function]:
        return [item for base in self._bases(node) for item in base.body if isinstance(item, FUNCTIONS)]

    def _is_suite(self, node: ast.ClassDef) -> bool:
        return any(_last_name(part).endswith("TestCase") for base in self._bases(node) for part in base.bases)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, and those in blocks (`if`, `try`, `with`) at the same level."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, part, ()))
            for handler in getattr(node, "handlers", ()):
                yield from _statements(handler.body)


def _used_outside_definitions(statements: Sequence[ast.stmt]) -> set[str]:
    """Return the names that the statements read outside functions and classes, or in their decorators and bases.

    A statement that is only a name does not count.
    """
    names: set[str] = set()
    for node in statements:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            for part in (*node.decorator_list, *getattr(node, "bases", ())):
                names |= used_names(part)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            headers = [node.test] if isinstance(node, ast.If) else getattr(node, "items", [])
            names = names.union(*map(used_names, headers))
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Name)):
            names |= used_names(node)
    return names


def _is_active(node: ast.stmt) -> bool:
    """Return whether a statement is an `assert`, a `raise`, or an expression other than a constant or name.

    A block, such as `if`, `try` or a loop, is active if a statement inside it is.
    """
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant | ast.Name)
    if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While | ast.AsyncFor | ast.AsyncWith):
        return any(_is_active(child) for child in ast.walk(node) if isinstance(child, ast.stmt) and child is not node)
    return isinstance(node, ast.Assert | ast.Raise)


def _call(node: ast.FunctionDef, arguments: str) -> str:
    """Return the statement that runs a function as a test, or "" if nothing in the function looks like a check.

    If all values that the function returns are conditions, the statement asserts its result.
    """
    inside = list(_own_nodes(node))
    returns = [child.value for child in inside if isinstance(child, ast.Return) and child.value is not None]
    if returns and all(map(_is_condition, returns)):
        return f"assert {node.name}({arguments})"
    asserts = any(isinstance(child, ast.Assert | ast.Raise | ast.With) for child in inside)
    return f"{node.name}({arguments})" if asserts or node.name == "check" else ""


def _own_nodes(node: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, without those inside its inner functions, lambdas and classes."""
    waiting: list[ast.AST] = [*node.body]
    while waiting:
        child = waiting.pop()
        yield child
        if not isinstance(child, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(child))


def _is_condition(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(map(_is_condition, node.values))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _BOOLEAN_CALLS
    return isinstance(node, ast.Compare) or (isinstance(node, ast.Constant) and isinstance(node.value, bool))


def _is_fixture(node: Function) -> bool:
    return any(
        _last_name(part.func if isinstance(part, ast.Call) else part).endswith("fixture")
        for part in node.decorator_list
    )


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _joined(source: str, added: str) -> str:
    return f"{source.rstrip()}\n\n\n{added}\n"
