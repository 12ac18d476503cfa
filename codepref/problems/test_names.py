"""Finds what a test that is given as text takes from the solution, and the code of its examples. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codepref.problems.source import parse

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef
EXAMPLE = ">>>"
"""The prompt with which an example begins."""

SOLUTION = "solution"
"""The name of the module from which tests import the solution."""

CANDIDATES = frozenset({"candidate", "f", "fn", "func", "function", "implementation", "impl", "solution", "target"})
"""Names of parameters of test functions that get the entry point."""


def takes_candidate(tree: ast.AST) -> bool:
    """Return whether a function in `tree` has a parameter of CANDIDATES or is a `check` that can take the candidate."""
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            names = {part.arg for part in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
            if names & CANDIDATES or (node.name == "check" and can_take_candidate(node)):
                return True
    return False


def names_of_solution(tree: ast.AST) -> set[str]:
    """Return the names that a text imports from the module `solution`, as in `from solution import f`.

    With `import solution`, they include `f` for each attribute `solution.f` in the text. `from solution import *` gives
    no names.
    """
    names: set[str] = set()
    aliases: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == SOLUTION and not node.level:
            names |= {alias.name for alias in node.names if alias.name != "*"}
        elif isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name for alias in node.names if alias.name == SOLUTION}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            names.add(node.attr)
    return names


def example_texts(tree: ast.Module) -> Iterator[str]:
    """Yield the string constants that stand as statements at the top level of a text."""
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def example_code(source: str) -> str:
    """Return a text of Python, followed by the code of its examples without their prompts.

    A text without `>>>` is returned unchanged. A text with `>>>` that is not Python gives only the code of its
    examples.
    """
    if EXAMPLE not in source:
        return source
    lines = [line.strip() for line in source.splitlines()]
    code = "\n".join(line[4:] for line in lines if line.startswith((">>> ", "... ")))
    return code if parse(source) is None else f"{source}\n{code}"


def required(node: Function) -> list[str]:
    """Return the names of the parameters without default values, except `*args` and `**kwargs`."""
    positional = [part.arg for part in (*node.args.posonlyargs, *node.args.args)]
    keywords = [
        part.arg for part, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value is None
    ]
    return positional[: len(positional) - len(node.args.defaults)] + keywords


def can_take_candidate(node: Function) -> bool:
    """Return whether a function takes a positional argument, such as the candidate, and needs at most one argument."""
    positional = len(node.args.posonlyargs) + len(node.args.args)
    if None in node.args.kw_defaults:  # a parameter without default value that only takes a keyword
        return False
    return len(required(node)) <= 1 and (positional >= 1 or node.args.vararg is not None)
