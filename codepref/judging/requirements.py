"""Compares a program with its instruction: what the program lacks, and what nobody asked for. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from codepref.problems.source import bound_names, parse, unparse, used_names
from codepref.records import Problem

Function = ast.FunctionDef | ast.AsyncFunctionDef


def missing(tree: ast.Module, problem: Problem) -> Iterator[str]:
    """Yield at most one text that says what the program lacks.

    A text is yielded if the entry point is missing, if its body holds nothing but `pass`, constants and `raise`, or if
    it does not take the number of arguments that the instruction shows. If no function at module level has the name of
    the entry point, only the name is checked.
    """
    name = problem.entry_point
    if not any(name in bound_names(node) for node in tree.body):
        yield f"no {name} is defined"
        return
    function = next((node for node in reversed(tree.body) if isinstance(node, Function) and node.name == name), None)
    if function is None:
        return
    body = [node for node in function.body if not is_docstring(node) and not isinstance(node, ast.Pass)]
    if not body or all(isinstance(node, ast.Raise) for node in body):
        yield f"{name} does nothing"
        return
    required = required_arguments(problem)
    fewest, most = _arity(function.args)
    if required is not None and not fewest <= required <= most:
        yield f"{name} does not take {required} argument{'s' * (required != 1)}"


def required_arguments(problem: Problem) -> int | None:
    """Return the number of arguments that the instruction shows for the entry point.

    The first signature or call of the entry point that can be read counts. Keyword-only and starred arguments of a
    signature do not count, and calls with a `*` argument are passed over. A text that can be read as both, such as
    `solve(*xs)`, counts as a signature. None means that no signature or call can be read. Examples: "solve(xs): sort
    them" and "def solve(xs: list) -> list:" both give 1 for the entry point `solve`.
    """
    for match in re.finditer(rf"\b{re.escape(problem.entry_point)}\s*\(", problem.prompt):
        depth, end = 1, match.end()
        while end < len(problem.prompt) and depth:
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(problem.prompt[end], 0)
            end += 1
        inside = problem.prompt[match.end() : end - 1]
        if (tree := parse(f"def _({inside}): pass")) and isinstance(tree.body[0], ast.FunctionDef):
            arguments = tree.body[0].args
            return len(arguments.posonlyargs) + len(arguments.args)
        if (tree := parse(f"_({inside})")) and isinstance(tree.body[0], ast.Expr):
            call = tree.body[0].value
            if isinstance(call, ast.Call) and not any(isinstance(part, ast.Starred) for part in call.args):
                return len(call.args) + len(call.keywords)
    return None


def _arity(arguments: ast.arguments) -> tuple[int, float]:
    """Return the number of positional arguments without a default, and the largest number of arguments.

    The largest number is infinite for a function with *args or **kwargs.
    """
    positional = len(arguments.posonlyargs) + len(arguments.args)
    most = float("inf") if arguments.vararg or arguments.kwarg else positional + len(arguments.kwonlyargs)
    return positional - len(arguments.defaults), most


def extras(tree: ast.Module, problem: Problem) -> Iterator[str]:
    """Yield texts about what the instruction did not ask for.

    Texts are yielded for statements at module level: asserts, calls and other expressions except constants, and `for`,
    `while`, `if` and `try` statements that import nothing. Texts are also yielded for functions and classes at module
    level that the prompt does not name and no other statement at module level uses. A call of `print` or `input` gives
    a text if a function or class at module level uses the name and the prompt does not mention it.
    """
    prompt = problem.prompt.lower()
    for node in tree.body:
        if isinstance(node, ast.Assert):
            yield "an assert"
        elif isinstance(node, ast.Expr) and not is_docstring(node):
            yield "a call"
        elif isinstance(node, ast.For | ast.While | ast.If | ast.Try) and not _imports(node):
            yield "a main part" if "__main__" in (unparse(node) or "") else "a loop or branch"
        elif isinstance(node, Function | ast.ClassDef) and node.name not in problem.prompt:
            others = [other for other in tree.body if other is not node]
            if not any(node.name in used_names(other) for other in others):
                yield f"{node.name}, which nothing uses"
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    for name in ("print", "input"):
        definitions = [part for part in tree.body if isinstance(part, Function | ast.ClassDef)]
        if name in called and name not in prompt and any(name in used_names(part) for part in definitions):
            yield f"{name}() in the program"


def _imports(node: ast.stmt) -> bool:
    return any(isinstance(part, ast.Import | ast.ImportFrom) for part in ast.walk(node))


def is_docstring(node: ast.stmt) -> bool:
    """Return whether a statement consists of a constant only, as a docstring does."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
