"""Rewrites a test so that it runs as the main program, and so that a condition at its top level counts.

A test is a program, and it is the main one. Its statements under `if __name__ == "__main__":` are therefore run. A
comparison whose result is thrown away would test nothing, so `as_program` makes an assert of it where it can. It does
the same with some printed comparisons. A program may end with `sys.exit`, which would otherwise end the test runner's
work as an exception.

Only the text of the test is rewritten. A `sys.exit` of the solution still raises SystemExit in the test.
"""

from __future__ import annotations

import ast

from .reported import count_reports, printed_choice

_CONDITIONS = frozenset({"all", "any", "isinstance", "issubclass", "isclose"})
_METHODS = frozenset({"allclose", "array_equal", "array_equiv", "startswith", "endswith", "issubset", "issuperset"})
_METHODS |= {"isdisjoint", "isclose"}
_EXITS = frozenset({"exit", "quit"})
_BLOCKS = (ast.For, ast.While, ast.With, ast.Try)


def as_program(tree: ast.Module) -> ast.Module:
    """Return the tree of a test, changed in place so that it runs as the main program.

    - A block under `if __name__ == "__main__":` at the top level always runs.
    - At the top level and in the bodies of its `for`, `while`, `with` and `try` statements, `f(1) == 2` and
      `print(f(1) == 2)` become `assert f(1) == 2`. A body under `if` is left alone unless its condition is a constant.
    - In functions, `f(1) == 2` as a statement becomes `assert f(1) == 2` too. In a function that is a test by its name,
      `print(f(1) == 2)` also becomes an assert.
    - Some failures that a test only reports count (see `count_reports`).
    - A last statement `sys.exit(status)` or `raise SystemExit(status)` becomes `assert not status`, also at the end of
      a function that the last statement calls.
    """
    _run_main_block(tree.body)
    if (
        count_reports(tree)
        | _assert_conditions(tree.body)
        | _assert_in_functions(tree.body)
        | _end(tree.body, _functions(tree))
    ):
        ast.fix_missing_locations(tree)
    return tree


def _run_main_block(body: list[ast.stmt]) -> None:
    for node in body:
        if is_main_guard(node):
            assert isinstance(node, ast.If)
            node.test = ast.copy_location(ast.Constant(True), node.test)


def is_main_guard(node: ast.stmt) -> bool:
    """Return whether a statement is `if __name__ == "__main__":`."""
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare) or len(node.test.comparators) != 1:
        return False
    sides = (node.test.left, node.test.comparators[0])
    name = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    value = any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)
    return name and value and isinstance(node.test.ops[0], ast.Eq)


def _assert_conditions(body: list[ast.stmt]) -> bool:
    """Replace unused conditions by asserts, as `as_program` says for the top level. Return whether there were any."""
    changed = False
    new: list[ast.stmt] = []
    for node in body:
        conditions = _thrown_away(node)
        new += [ast.copy_location(ast.Assert(condition, None), node) for condition in conditions] or [node]
        changed = changed or bool(conditions)
        if isinstance(node, _BLOCKS) or (isinstance(node, ast.If) and isinstance(node.test, ast.Constant)):
            changed = _assert_conditions(node.body) or changed
    body[:] = new
    return changed


def _assert_in_functions(body: list[ast.stmt], inside: bool = False, named: bool = False) -> bool:
    """Replace unused conditions in functions by asserts. Return whether there were any.

    Printed equalities are replaced only in functions that are tests by their name.
    inside, named: whether the statements are those of a function, and of one that is a test by its name.
    """
    changed = False
    for at, node in enumerate(body):
        conditions = _thrown_away(node) if named else []
        if inside and isinstance(node, ast.Expr) and _is_condition(node.value):
            conditions = [node.value]
        if conditions:
            both = ast.BoolOp(ast.And(), conditions) if len(conditions) > 1 else conditions[0]
            body[at] = ast.copy_location(ast.Assert(both, None), node)
            changed = True
        deeper = (inside, named)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            deeper = (True, node.name == "check" or node.name.startswith("test"))
        for block in _blocks(node):
            changed = _assert_in_functions(block, *deeper) or changed
    return changed


def _blocks(node: ast.stmt) -> list[list[ast.stmt]]:
    """Return the lists of statements that a statement holds."""
    blocks = [getattr(node, field, None) for field in ("body", "orelse", "finalbody")]
    blocks += [part.body for field in ("handlers", "cases") for part in getattr(node, field, ())]
    return [block for block in blocks if isinstance(block, list)]


def _thrown_away(node: ast.stmt) -> list[ast.expr]:
    """Return the condition that a statement only computes, or the equalities and choices that it only prints."""
    if not isinstance(node, ast.Expr):
        return []
    if _is_condition(node.value):
        return [node.value]
    call = node.value
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print":
        # The text does not show whether `print(f(1) > 2)` expects True. An equality does.
        shown = [printed_choice(part) for part in call.args]
        return [part for part in call.args if _is_equality(part)] + [part for part in shown if part is not None]
    return []


def _is_condition(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(map(_is_condition, node.values))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            of_numpy = isinstance(node.func.value, ast.Name) and node.func.value.id in ("np", "numpy")
            return node.func.attr in _METHODS and not (of_numpy and node.func.attr == "isclose")  # it gives an array
        return isinstance(node.func, ast.Name) and node.func.id in _CONDITIONS
    return isinstance(node, ast.Compare)


def _is_equality(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return isinstance(node.op, ast.And) and all(map(_is_equality, node.values))
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "all"
    return isinstance(node, ast.Compare) and all(isinstance(part, ast.Eq | ast.Is) for part in node.ops)


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _end(body: list[ast.stmt], functions: dict[str, ast.FunctionDef]) -> bool:
    """Replace an exit at the end of `body` by an assert (see `as_program`). Return whether there was one.

    If the last statement calls a function of the test, the exit may also stand at the end of that function. functions:
    the functions of the test by name.
    """
    if not body:
        return False
    last = body[-1]
    status = _exit_status(last)
    if status is not None:
        body[-1] = ast.copy_location(ast.Assert(ast.UnaryOp(ast.Not(), status), None), last)
        _end(body, functions)
        return True
    if isinstance(last, ast.If):
        return _end(last.body, functions) | _end(last.orelse, functions)
    call = last.value if isinstance(last, ast.Expr) else None
    if isinstance(last, ast.Assert) and isinstance(last.test, ast.UnaryOp):
        call = last.test.operand
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args:
        function = functions.get(call.func.id)
        left = {name: node for name, node in functions.items() if node is not function}  # a function may call itself
        return function is not None and _end(function.body, left)
    return False


def _exit_status(node: ast.stmt) -> ast.expr | None:
    """Return the status with which a statement ends the program, or None for any other statement."""
    call = node.value if isinstance(node, ast.Expr) else node.exc if isinstance(node, ast.Raise) else None
    if isinstance(node, ast.Raise) and isinstance(call, ast.Name) and call.id == "SystemExit":
        return ast.Constant(None)
    if not isinstance(call, ast.Call) or call.keywords or len(call.args) > 1:
        return None
    function = call.func
    if isinstance(node, ast.Raise):
        ends = isinstance(function, ast.Name) and function.id == "SystemExit"
    elif isinstance(function, ast.Attribute):
        ends = function.attr == "exit" and isinstance(function.value, ast.Name) and function.value.id == "sys"
    else:
        ends = isinstance(function, ast.Name) and function.id in _EXITS
    if not ends:
        return None
    return call.args[0] if call.args else ast.Constant(None)
