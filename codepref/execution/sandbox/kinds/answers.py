"""Finds tests for which an answer must be the very object that the solution holds, and not a copy of it.

Typically such a test changes an answer in place and then asks the solution again, or it asks if two answers are one
object. Across processes, the solution would not see the change, and two answers are usually two lists.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..confinement.allowlist import words
from .handing import ANSWER, MIXED, Origins
from .test_text import TestText

CHANGING = words("""
    append extend insert remove pop clear sort reverse add discard update popitem setdefault appendleft popleft
    extendleft rotate""")
"""Methods that change a container in place."""

_ADDING = CHANGING - words("remove pop sort reverse discard popitem popleft rotate")
"""The methods in CHANGING that a test hardly ever uses to read an answer."""


_ASKING = words("""
    startswith endswith issubset issuperset isdisjoint isalnum isalpha isascii isdecimal isdigit isidentifier islower
    isnumeric isprintable isspace istitle isupper is_integer count difference symmetric_difference""")
"""Methods of builtin data that say if an answer is right."""


def asked_of_answers(text: TestText) -> frozenset[str]:
    """Return the methods of builtin data by which the test may ask if an answer of a function is right.

    With `assert greet("Ann").startswith("Hello")`, a test expects a text. An object of the solution would get the
    expected value and decide itself. If the test constructs objects of the solution's classes, and calls such a method
    on anything but the answer of a function, the result is empty. A class such as a trie may define the method.
    """
    asked = set[str]()
    classes = any(text.is_class(call.func) for call in text.nodes[ast.Call])
    for call in text.nodes[ast.Call]:
        if isinstance(call.func, ast.Attribute) and call.func.attr in _ASKING:
            if call.func.attr == "count" and not call.args:
                continue  # builtin data have no `count` without an argument
            if classes and not _of_function(text, call.func.value):
                return frozenset()
            asked.add(call.func.attr)
    return frozenset(asked)


def needs_originals(text: TestText) -> bool:
    """Return whether the test must have the very objects that the solution holds, as far as its text shows.

    It must in these cases:
    - It asks whether two answers of functions are one object.
    - It changes an attribute of an answer in place, or adds to what a method of an answer returned.
    - It adds to an answer or sets an item of one, and a later call may show this. A call such as `f(1).append(2)`
      counts without a later call. A method that also reads, such as `pop`, does not count.
    """
    for node in text.nodes[ast.Compare]:
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if isinstance(operator, ast.Is | ast.IsNot) and _of_function(text, left) and _of_function(text, right):
                return True
    changed = list(_changed(text))
    if not changed:
        return False
    origins = Origins(text)
    return any(_is_held(text, origins, *change) for change in changed)


def _changed(text: TestText) -> Iterator[tuple[ast.expr, bool, bool]]:
    """Yield each expression that the test changes in place, whether it adds or sets something, and whether it sets."""
    for call in text.nodes[ast.Call]:
        if isinstance(call.func, ast.Attribute) and call.func.attr in CHANGING:
            yield call.func.value, call.func.attr in _ADDING, False
    for node in text.nodes[ast.Subscript]:
        if not isinstance(node.ctx, ast.Load):
            yield node.value, True, True


def _is_held(text: TestText, origins: Origins, target: ast.expr, adds: bool, sets: bool) -> bool:
    base = target
    while isinstance(base, ast.Subscript):
        base = base.value
    if isinstance(base, ast.Name):
        return adds and _of_function(text, base) and _asks_again(text, base, same=target is not base or sets)
    if isinstance(base, ast.Call):
        if not adds or text.is_own(base.func):
            return adds and _of_function(text, base)
        base = base.func
    # Only an attribute or a method of an answer is the solution's. `groups.setdefault(f(1), [])` is the test's.
    return isinstance(base, ast.Attribute) and not text.path(base) and origins.of(base.value) in (ANSWER, MIXED)


def _of_function(text: TestText, expression: ast.expr) -> bool:
    """Return whether an expression is the answer of a function of the solution, and not a call of a class."""
    if isinstance(expression, ast.Call):
        return text.is_own(expression.func) and not text.is_class(expression.func)
    if not isinstance(expression, ast.Name):
        return False
    values = [
        node.value
        for node in text.nodes[ast.Assign]
        if any(isinstance(target, ast.Name) and target.id == expression.id for target in node.targets)
    ]
    return bool(values) and all(isinstance(value, ast.Call) and _of_function(text, value) for value in values)


def _asks_again(text: TestText, name: ast.Name, *, same: bool) -> bool:
    """Return whether a later call of the solution does not get the changed object, so that it may show the change.

    same: whether only a call counts that equals the call whose answer was changed. A test that sets an item of a matrix
    usually asks for other matrices afterwards.
    """
    made = {
        ast.dump(node.value)
        for node in text.nodes[ast.Assign]
        if any(isinstance(target, ast.Name) and target.id == name.id for target in node.targets)
    }
    for call in text.nodes[ast.Call]:
        if call.lineno > name.lineno and text.is_own(call.func) and (not same or ast.dump(call) in made):
            parts = (*call.args, *(part.value for part in call.keywords))
            given = {node.id for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)}
            if name.id not in given:
                return True
    return False
