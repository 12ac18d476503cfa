"""Gives programs a normal form without comments, layout and docstrings, in which local names have new names. Pure.

Only local names inside top-level functions are replaced, not those of methods of top-level classes.
"""

from __future__ import annotations

import ast
import warnings

from codepref.problems.source import bound_names
from codepref.problems.tokens import code_tokens


def normal_form(program: str) -> str:
    """Return `program` as a text without comments, layout and docstrings, in which local names have new names.

    Local names are the arguments of top-level functions and the variables that are assigned in them, also inside their
    inner functions, lambdas and methods. They get new names by order of appearance. If several scopes of one top-level
    function use the same name, they share its new name. All other names stay: those of functions, attributes, fields of
    inner classes, keyword arguments, globals and builtins, those that `import`, `except` and `match` bind, those that
    are declared `global` or `nonlocal`, and local names in methods of top-level classes. Decorators, annotations and
    default values of a function are renamed like its body. A constant that begins a body counts as a docstring. For a
    program that does not parse or is nested too deeply, the text is its tokens without comments, and its words from the
    place where the tokenizer fails.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # model text has invalid escapes such as "\d"
            tree = ast.parse(program)
            for node in ast.walk(tree):
                _drop_docstring(node)
            for node in tree.body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    _Renamer(node).visit(node)
            return ast.unparse(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return " ".join(code_tokens(program, layout=False))


def _drop_docstring(node: ast.AST) -> None:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
        return
    if node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
        node.body = node.body[1:] or [ast.Pass()]


class _Renamer(ast.NodeTransformer):
    """Renames the variables that one top-level function binds. Functions inside it share the new names.

    Programs with equal text before the renaming have equal text after it. Programs that become equal by the renaming
    usually behave in the same way. Calls with keyword arguments and `locals()` can show a difference, and so can a
    global name that is also a variable of an inner function.
    """

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.names: dict[str, str] = {}
        outside = {
            name for node in ast.walk(function) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names
        }
        for node in ast.walk(function):
            if isinstance(node, ast.ClassDef):  # its fields are attributes too, which keep their names
                outside |= {name for statement in node.body for name in bound_names(statement)}
        for node in _in_order(function):
            bound = ""
            if isinstance(node, ast.arg):
                bound = node.arg
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound = node.id
            if bound and bound not in outside:
                self.names.setdefault(bound, f"_v{len(self.names)}")

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.arg = self.names.get(node.arg, node.arg)
        if node.annotation:
            self.visit(node.annotation)
        return node


def _in_order(node: ast.AST) -> list[ast.AST]:
    nodes = [node]
    for child in ast.iter_child_nodes(node):
        nodes += _in_order(child)
    return nodes
