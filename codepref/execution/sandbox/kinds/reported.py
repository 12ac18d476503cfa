"""Rewrites a test so that what it only reports counts: a printed failure, a caught AssertionError, an unused result.

Models write tests that print "PASS" or "FAIL", and functions that return whether all is well. Run as they are, such
tests pass wrong solutions too. Only the text of the test decides what is rewritten.
"""

from __future__ import annotations

import ast
import re

from .test_text import walk

_FAILS = re.compile(r"\b(fail(s|ed|ure)?|wrong|incorrect|mismatch|unexpected(ly)?)\b|[❌✗✘]", re.IGNORECASE)
_PASSES = re.compile(r"\b(pass(es|ed)?|success(ful|fully)?|ok(ay)?|correct(ly)?|as expected)\b|[✅✓✔]", re.IGNORECASE)
_ERRORS = re.compile(r"\berror\b", re.IGNORECASE)
_CATCHES_ALL = frozenset({"", "AssertionError", "Exception", "BaseException"})
_BOOLEAN_CALLS = frozenset({"all", "any", "bool", "isinstance", "issubclass"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.Lambda, ast.ClassDef)


def count_reports(tree: ast.Module) -> bool:
    """Make the reports of a test count, in place. Return whether anything changed.

    - A branch of `if` or `match` that prints a failure, such as `else: print("FAIL")`, gets `assert False` at its end,
      unless it ends with `return`, `raise`, `continue` or `break`.
    - A handler around asserts that only reports a failure raises it again (see `_let_through`).
    - An assert of a tuple or list of conditions and at most one text, such as `assert (f(1) == 2, "text")`, asserts the
      conditions. An assert of a generator or a list comprehension of conditions asserts all of them. An assert of a
      lambda without parameters asserts the condition in it.
    - A function that returns only conditions asserts them, if the test calls it and at most prints its value. A
      function that is not called asserts them too, if its name is `check` or begins with `test`.
    """
    nodes = list(walk(tree))
    shown = [node.value for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    shown += [part for call in shown if _is_print(call) for part in call.args if isinstance(part, ast.Call)]
    reads = [node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    dropped = {id(call.func) for call in shown if call.args == [] or not _is_print(call)}
    used = {node.id for node in reads if id(node) not in dropped}
    called = {node.id for node in reads}
    changed = False
    for node in nodes:
        if isinstance(node, ast.If | ast.Match):
            changed = _count_branches(node) or changed
        elif isinstance(node, ast.Try):
            changed = _let_through(node) or changed
        elif isinstance(node, ast.Assert):
            changed = _assert_inside(node) or changed
        elif isinstance(node, _FUNCTIONS) and node.name not in used and _is_test(node, called):
            changed = _assert_answers(node) or changed
    return changed


def printed_choice(node: ast.expr) -> ast.expr | None:
    """Return the condition of an expression such as `"PASS" if condition else "FAIL"`, or None for any other one."""
    if isinstance(node, ast.IfExp) and _fails(_constants(node.orelse)) and not _fails(_constants(node.body)):
        return node.test
    return None


def _count_branches(node: ast.If | ast.Match) -> bool:
    bodies = [node.body, node.orelse] if isinstance(node, ast.If) else [case.body for case in node.cases]
    changed = False
    for body in bodies:
        if body and any(_fails(_printed(part)) for part in body) and not _leaves(body[-1]):
            body.append(ast.copy_location(ast.Assert(ast.Constant(False), None), body[-1]))
            changed = True
    return changed


def _let_through(node: ast.Try) -> bool:
    """Let the first handler of a `try` that only reports failed asserts raise them again. Return whether one does.

    A handler of AssertionError raises it again. A handler of all errors that only prints raises an AssertionError
    again. If it prints a failure, the word "error" or the traceback, it raises every error again. Handlers that print a
    success, or that end with `return`, `raise`, `continue` or `break`, stay as they are. So do all handlers if the
    `try` holds `assert False`, or neither an assert nor a call of a function that is named like a test.
    """
    asserts: list[ast.AST] = [child for child in _inside(node.body) if isinstance(child, ast.Assert)]
    asserts += [child for child in _inside(node.body) if isinstance(child, ast.Call) and _calls_test(child)]
    if not asserts or any(isinstance(child, ast.Assert) and _is_never(child.test) for child in asserts):
        return False  # `assert False` after a call says that the call must raise
    for at, handler in enumerate(node.handlers):
        kind = "" if handler.type is None else getattr(handler.type, "id", "?")
        texts = " ".join(map(_printed, handler.body))
        if kind not in _CATCHES_ALL or _PASSES.search(texts) or _leaves(handler.body[-1]):
            continue
        if kind != "AssertionError" and not all(map(_only_prints, handler.body)):
            continue
        if kind == "AssertionError" or _FAILS.search(texts) or _ERRORS.search(texts) or "print_exc" in texts:
            handler.body.append(ast.copy_location(ast.Raise(None, None), handler))
        else:
            again = ast.ExceptHandler(ast.Name("AssertionError", ast.Load()), None, [ast.Raise(None, None)])
            node.handlers.insert(at, ast.copy_location(again, handler))
        return True
    return False


def _calls_test(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id.startswith(("test", "check", "assert", "run_test"))


def _is_never(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and not test.value


def _assert_inside(node: ast.Assert) -> bool:
    """Make an assert of a display or a generator assert the conditions in it. Return whether this changed it."""
    test, conditions = node.test, list[ast.expr]()
    if isinstance(test, ast.Tuple | ast.List):
        conditions = [part for part in test.elts if _is_condition(part)]
        others = [part for part in test.elts if not _is_condition(part)]
        if len(others) > 1 or not all(isinstance(part, ast.Constant | ast.JoinedStr) for part in others):
            return False
    elif isinstance(test, ast.GeneratorExp | ast.ListComp) and _is_condition(test.elt):
        conditions = [ast.Call(ast.Name("all", ast.Load()), [test], [])]
    elif isinstance(test, ast.Lambda) and not test.args.args and _is_condition(test.body):
        conditions = [test.body]
    if conditions:
        node.test = conditions[0] if len(conditions) == 1 else ast.BoolOp(ast.And(), conditions)
    return bool(conditions)


def _is_test(node: ast.FunctionDef | ast.AsyncFunctionDef, called: set[str]) -> bool:
    if any(isinstance(part, ast.Name) for part in node.decorator_list):
        return False
    return node.name in called or node.name == "check" or node.name.startswith("test")


def _assert_answers(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Assert the values that a function returns, if all are conditions. Return whether this changed the function."""
    answers = [child for child in _inside(node.body) if isinstance(child, ast.Return) and child.value is not None]
    if not answers or not all(child.value is not None and _is_condition(child.value) for child in answers):
        return False
    for parent in (node, *_inside(node.body)):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(parent, field, None)
            if not isinstance(block, list) or (parent is not node and isinstance(parent, _SCOPES)):
                continue
            for at in reversed(range(len(block))):
                answer = block[at]
                if isinstance(answer, ast.Return) and answer.value is not None:
                    check = ast.copy_location(ast.Assert(answer.value, None), answer)
                    block[at : at + 1] = [check, ast.copy_location(ast.Return(None), answer)]
    return True


def _inside(body: list[ast.stmt]) -> list[ast.AST]:
    """Return the nodes of statements, apart from the nodes inside functions and classes."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [*body]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def _is_condition(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(map(_is_condition, node.values))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _BOOLEAN_CALLS
    return isinstance(node, ast.Compare) or (isinstance(node, ast.Constant) and isinstance(node.value, bool))


def _leaves(node: ast.stmt) -> bool:
    return isinstance(node, ast.Raise | ast.Return | ast.Continue | ast.Break)


def _only_prints(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or bool(_print_call(node))


def _print_call(node: ast.stmt) -> ast.Call | None:
    call = node.value if isinstance(node, ast.Expr) else None
    return call if isinstance(call, ast.Call) and _is_print(call) else None


def _is_print(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in ("print", "print_exc")


def _printed(node: ast.stmt) -> str:
    """Return the literal texts that a statement prints, "print_exc" for a call of `traceback.print_exc`, or ""."""
    call = _print_call(node)
    if call is None:
        return ""
    return "print_exc" if getattr(call.func, "attr", "") == "print_exc" else " ".join(map(_constants, call.args))


def _constants(node: ast.expr) -> str:
    parts = [child.value for child in ast.walk(node) if isinstance(child, ast.Constant)]
    return " ".join(part for part in parts if isinstance(part, str))


def _fails(text: str) -> bool:
    return bool(_FAILS.search(text)) and not _PASSES.search(text)
