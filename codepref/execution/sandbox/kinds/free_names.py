"""Finds the names that a text reads from its module, by Python's rules of scopes, and what star imports bind."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterable, Iterator

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (*_FUNCTIONS, *_COMPREHENSIONS, ast.ClassDef)
_STAR_LIBRARIES = sys.stdlib_module_names - {"antigravity", "this", "turtle"} | {"numpy", "pandas", "scipy", "sympy"}


def read_from_module(tree: ast.AST) -> set[str]:
    """Return the names that functions, comprehensions and classes of a text use and that mean names of its module.

    A name counts if no scope around its use has it as a local name. For example, a name counts if one function binds it
    and another function reads it, or if a class binds it and a method of this class reads it. Simplification: default
    values and decorators of a function are taken as parts of its scope, as if its parameters were known there.
    """
    found: set[str] = set()
    waiting = [(node, frozenset[str]()) for node in within(tree) if isinstance(node, _SCOPES)]
    while waiting:
        scope, around = waiting.pop()
        own = list(within(scope))
        declared = {name for node in own if isinstance(node, ast.Global) for name in node.names}
        bound = set(bound_names(own))
        local = (around | bound) - declared
        found |= {node.id for node in own if isinstance(node, ast.Name) and node.id not in local}
        inner = around if isinstance(scope, ast.ClassDef) else frozenset(local)
        waiting += [(node, inner) for node in own if isinstance(node, _SCOPES)]
    return found


def within(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of one scope. An inner scope, or a container display of constants, yields only its own node."""
    waiting = [*ast.iter_child_nodes(scope)]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES) and not _only_constants(node):
            waiting += ast.iter_child_nodes(node)


def _only_constants(node: ast.AST) -> bool:
    """Return whether a node is a list, tuple or set display of constants. Published tests have very long ones."""
    return isinstance(node, ast.List | ast.Tuple | ast.Set) and all(type(part) is ast.Constant for part in node.elts)


def bound_names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield each name that one of these nodes binds, for example by assignment, definition or import."""
    for node in nodes:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.split(".")[0]
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest


def bound_at_top(tree: ast.AST) -> set[str]:
    """Return the names that the statements of a module bind in the module itself, not in a function or class of it.

    The target of an assignment expression in a comprehension counts too, since Python binds it outside the
    comprehension.
    """
    nodes = list(within(tree))
    inner = (part for node in nodes if isinstance(node, _COMPREHENSIONS) for part in ast.walk(node))
    return set(bound_names(nodes)) | {node.target.id for node in inner if isinstance(node, ast.NamedExpr)}


def star_names(module: str) -> frozenset[str]:
    """Return the names that `from MODULE import *` binds.

    Return an empty set for a module that belongs to no known library or cannot be imported.
    """
    if module.split(".")[0] not in _STAR_LIBRARIES:
        return frozenset()
    try:
        space = vars(importlib.import_module(module))
    except (ImportError, AttributeError):
        return frozenset()
    names = space.get("__all__") or [name for name in space if not name.startswith("_")]
    return frozenset(name for name in names if type(name) is str)
