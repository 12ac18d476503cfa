"""Finds the function or class that a problem asks for, from the problem's tests and its gold solution. Pure."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Sequence

from codepref.errors import UserError
from codepref.problems.source import BUILTIN_NAMES, bound_names, called_names, read_statements
from codepref.problems.test_names import names_of_solution


def infer_entry_point(tests: Iterable[str], gold: str | None, where: str, *, known: Iterable[str] = ()) -> str:
    """Return the name of the function or class that the tests ask for.

    A name fits if every test calls it, and if `gold` defines it when there is a gold solution. Without tests, all
    functions and classes of `gold` fit. Names that a test binds itself do not count, except those that it imports from
    `solution`. known: names that cannot be the entry point, such as names that helpers define. The name of a builtin
    fits only if `gold` defines it.

    If no function or class of `gold` is called by every test, those fit that the largest number of tests call. Other
    names of `gold` are considered in the same way, but only if the tests call none of its functions and classes. If
    `gold` defines several fitting names, the entry point is the one whose result the tests check: in
    `assert worth([Coin(5)]) == 5` it is `worth`, since the call of `Coin` is an argument of its call. If there are
    still several, functions go before classes. Raises UserError if no name or more than one name fits.
    """
    statements = [[statement.node for statement in read_statements(test).statements] for test in tests]
    candidates, classes = _candidates(statements, gold, known)
    if len(candidates) > 1 and gold is not None:
        candidates = _common([_checked_calls(test, candidates) for test in statements]) or candidates
    if len(candidates) > 1:
        candidates = candidates - classes or candidates
    if len(candidates) == 1:
        return candidates.pop()
    reason = f"several functions fit ({', '.join(sorted(candidates))})" if candidates else "no function fits"
    raise UserError(
        f"{where}: no entry_point is given, and it cannot be inferred from the tests and the gold solution, because "
        f"{reason}"
    )


def _candidates(
    statements: Sequence[Sequence[ast.stmt]], gold: str | None, known: Iterable[str]
) -> tuple[set[str], set[str]]:
    """Return the names that may be the entry point, and those that are classes in the gold solution."""
    calls = [_calls(test) for test in statements]
    if gold is None:
        return _common(calls) - {*known, *BUILTIN_NAMES}, set()
    nodes = [statement.node for statement in read_statements(gold).statements]
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    if not statements:
        return (functions | classes) - {*known}, classes
    # the entry point of Mbpp/126 is named sum, so a builtin fits if the gold solution defines it
    for defined in (functions | classes, set[str]().union(*map(bound_names, nodes))):
        fitting = [(names & defined) - {*known} for names in calls]
        if candidates := _common(fitting) or _most_frequent(fitting):
            return candidates, classes
    return set(), classes


def _calls(test: Sequence[ast.stmt]) -> set[str]:
    """Return the names that a test calls and does not bind, and those that it imports from the solution."""
    called = set[str]().union(*map(called_names, test)) - set[str]().union(*map(bound_names, test))
    return called.union(*map(names_of_solution, test))


def _common(sets: Sequence[set[str]]) -> set[str]:
    return set.intersection(*sets) if sets else set()


def _most_frequent(sets: Sequence[set[str]]) -> set[str]:
    counts = Counter(name for names in sets for name in names)
    return {name for name, count in counts.items() if count == max(counts.values())}


def _checked_calls(test: Sequence[ast.stmt], names: set[str]) -> set[str]:
    """Return those of `names` whose calls the test checks, apart from calls that are arguments of such a call.

    The test checks the calls in its asserts. If they hold none, all its calls count.
    """
    asserts = [node.test for statement in test for node in ast.walk(statement) if isinstance(node, ast.Assert)]
    return _outermost_calls(asserts, names) or _outermost_calls(test, names)


def _outermost_calls(nodes: Iterable[ast.AST], names: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = [*nodes]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            found.add(node.func.id)
        else:
            waiting.extend(ast.iter_child_nodes(node))
    return found
