"""Extracts tests from raw model text. Each test is one assert statement in a normal form. Pure.

Asserts are taken from the module level, and from classes, from the first blocks of statements such as `if`, `for` and
`try`, and from functions that are named like tests or have no parameters. Each of these can be inside another. A test
must run alone. Local variables that are assigned in a simple way are therefore replaced by their values,
`self.assertEqual(a, b)` becomes `assert a == b`, and the parameter of `check(candidate)` becomes the entry point. If an
assert that was taken cannot run alone, it is dropped and counted.
"""

from __future__ import annotations

import ast
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from codepref.problems.source import (
    BUILTIN_NAMES,
    MAX_DEPTH,
    bound_names,
    called_names,
    global_names,
    parse,
    read_statements,
    unparse,
)
from codepref.records import Problem
from codepref.sampling.blocks import code_blocks, code_texts
from codepref.sampling.tags import answer_text
from codepref.sampling.unittests import condition_of

DROP_REASONS = ("unparsable", "no_call", "trivial", "not_self_contained", "duplicate", "over_limit")
"""Why an assert is dropped. "unparsable": it is not Python, or it is too long or too deep. "no_call": it does not call
the entry point. "trivial": its form shows that its result hardly depends on the function, as in `f(1) == f(1)`.
"not_self_contained": it needs a name that is not a builtin, not defined by the problem's helpers, not in MODULES, and
not imported from a module in MODULES. "duplicate": an equal test was kept from the same completion. "over_limit":
`limit` tests were kept already."""

_ALLOWED = """math cmath re string json copy random itertools functools operator collections datetime decimal fractions
    statistics heapq bisect typing numpy"""
MODULES = {**{name: f"import {name}" for name in _ALLOWED.split()}, "np": "import numpy as np"}
"""Modules that a test may use, by name, with the import that is put before the assert.

Another module can be used only under a name that the problem's helpers bind.
"""

_MAX_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class ExtractedTests:
    """The tests in one completion.

    Attributes:
    kept: the tests in their order. Each is one assert statement, after the imports that it needs.
    dropped: the number of dropped asserts by reason; see DROP_REASONS.
    """

    kept: tuple[str, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)


def extract_tests(
    raw: str, problem: Problem, *, limit: int | None, prefix: str = "", keep_duplicates: bool = False
) -> ExtractedTests:
    """Return the tests in a raw answer, at most `limit` of them. A limit of None means no limit.

    prefix: the end of the prompt that the text continues, such as "assert ". keep_duplicates: keep a test as often as
    it is written, instead of once. Without a prefix, tests are read from the texts of
    `codepref.sampling.blocks.code_texts`. With a prefix, they are read from the text before the first fenced block and
    from all blocks. Extraction can be repeated: the kept tests, joined by newlines, usually give the same tests again
    if `prefix` is empty and all other arguments are equal.

    >>> problem = Problem("t", "Add two numbers.", "add")
    >>> extract_tests("add(1, 2) == 3\\nassert add(0,", problem, limit=None, prefix="assert ")
    ExtractedTests(kept=('assert add(1, 2) == 3',), dropped={'unparsable': 1})
    """
    dropped: Counter[str] = Counter()
    kept: list[str] = []
    known = _known_names(problem)
    for text in _texts(raw, prefix):
        nodes = _nodes(text, dropped)
        imports = _imports(nodes)
        for condition in _conditions(nodes, problem.entry_point, {}):
            test = _normal_test(condition, problem.entry_point, known, imports)
            if test in DROP_REASONS:
                dropped[test] += 1
            elif test in kept and not keep_duplicates:
                dropped["duplicate"] += 1
            elif limit is not None and len(kept) >= limit:
                dropped["over_limit"] += 1
            else:
                kept.append(test)
    return ExtractedTests(tuple(kept), {reason: dropped[reason] for reason in DROP_REASONS if dropped[reason]})


def normal_test(source: str, problem: Problem) -> str | None:
    """Return the normal form of a test, or None if it has no normal form.

    A test has a normal form if it consists of one assert statement that `extract_tests` would keep, with or without
    imports before it.
    """
    tree = parse(source)
    if tree is None or not tree.body or not isinstance(tree.body[-1], ast.Assert):
        return None
    if not all(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body[:-1]):
        return None
    test = _normal_test(tree.body[-1].test, problem.entry_point, _known_names(problem), _imports(tree.body))
    return None if test in DROP_REASONS else test


def _texts(raw: str, prefix: str) -> list[str]:
    if not prefix:
        return code_texts(raw)
    text = prefix + answer_text(raw)
    before = text.replace("\r\n", "\n").split("\n```")[0]
    return [before, *(block.text for block in code_blocks(text) if block.text not in before)]


def _nodes(text: str, dropped: Counter[str], depth: int = 0) -> list[ast.stmt]:
    """Return the statements of a text, with the readable statements of unfinished functions and classes.

    Asserts that are not Python are counted in `dropped`.
    """
    reading = read_statements(text)
    nodes: list[ast.stmt] = [statement.node for statement in reading.statements]
    for broken in reversed(reading.broken):
        first, _, below = broken.text.partition("\n")
        dropped["unparsable"] += first.startswith(("assert", "self.assert"))
        header = parse(first + "\n    pass") if below and depth < MAX_DEPTH else None
        if header is not None and isinstance(header.body[0], ast.FunctionDef | ast.ClassDef):
            header.body[0].body = _nodes(textwrap.dedent(below), dropped, depth + 1)
            nodes.insert(broken.after, header.body[0])
    return nodes


def _known_names(problem: Problem) -> frozenset[str]:
    helpers = read_statements(problem.helpers).statements
    return BUILTIN_NAMES.union({problem.entry_point}, *(bound_names(statement.node) for statement in helpers))


def _imports(nodes: Sequence[ast.stmt]) -> dict[str, str]:
    """Return import statements by the name that they bind: MODULES, and the imports of these modules in `nodes`."""
    imports = dict(MODULES)
    for node in nodes:
        if not isinstance(node, ast.Import | ast.ImportFrom) or (isinstance(node, ast.ImportFrom) and node.level):
            continue
        for alias in node.names:
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            if module.split(".")[0] in MODULES and alias.name != "*":
                name = (alias.asname or alias.name).split(".")[0]
                single = (
                    ast.ImportFrom(node.module, [alias], 0) if isinstance(node, ast.ImportFrom) else ast.Import([alias])
                )
                imports[name] = ast.unparse(single)
    return imports


def _conditions(nodes: Sequence[ast.stmt], entry_point: str, values: dict[str, ast.expr]) -> Iterator[ast.expr]:
    """Yield the asserted expressions, with variables replaced by their values. `values` is updated by assignments."""
    for node in nodes:
        condition = condition_of(node)
        if condition is not None:
            yield _replace(condition, values)
        elif isinstance(node, ast.FunctionDef) and node.name != entry_point and _is_test_function(node):
            yield from _conditions(node.body, entry_point, {**values, **_candidate(node, entry_point)})
        elif isinstance(node, ast.ClassDef):
            yield from _conditions(node.body, entry_point, dict(values))
        elif isinstance(node, ast.If | ast.With | ast.For | ast.While | ast.Try):
            changed = [_touched(child) for child in ast.walk(node) if isinstance(child, ast.Expr)]
            for name in bound_names(node).union(*changed):
                values.pop(name, None)
            yield from _conditions(node.body, entry_point, dict(values))
        elif (assigned := _assignment(node)) and assigned[0] != entry_point:
            values[assigned[0]] = _replace(assigned[1], values)
        else:
            for name in bound_names(node) | _touched(node):
                values.pop(name, None)


def _assignment(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """Return (name, value) of a statement `name = value`, and None for another statement."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value
    return None


def _is_test_function(node: ast.FunctionDef) -> bool:
    return node.name.lower().startswith(("test", "check")) or not node.args.args


def _candidate(node: ast.FunctionDef, entry_point: str) -> dict[str, ast.expr]:
    """Return {parameter: entry point} for a function such as `check(candidate)`, and {} for other functions."""
    names = [argument.arg for argument in node.args.args]
    if len(names) == 1 and (names[0] == "candidate" or node.name == "check"):
        return {names[0]: ast.Name(entry_point, ast.Load())}
    return {}


def _touched(node: ast.stmt) -> set[str]:
    """Return the names of all variables in a statement. The statement can change their objects in place."""
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


class _Replacer(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.values.get(node.id, node) if isinstance(node.ctx, ast.Load) else node


def _replace(expression: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    """Return the expression with variables replaced by values, or unchanged if it calls `next` or is too deep."""
    used = global_names(expression) & values.keys()
    if not used:
        return expression
    copied = parse(unparse(expression) or "")
    if copied is None or not isinstance(copied.body[0], ast.Expr) or "next" in called_names(expression):
        return expression
    try:
        replaced: ast.expr = _Replacer({name: values[name] for name in used}).visit(copied.body[0].value)
    except RecursionError:
        return expression
    return replaced


def _normal_test(condition: ast.expr, entry_point: str, known: frozenset[str], imports: Mapping[str, str]) -> str:
    """Return the text of the test, or one of DROP_REASONS if it must be dropped."""
    text = unparse(ast.Assert(condition, None))
    if text is None or len(text) > _MAX_CHARACTERS or parse(text) is None:
        return "unparsable"
    if entry_point not in called_names(condition):
        return "no_call"
    if _is_trivial(condition):
        return "trivial"
    needed = global_names(condition) - known
    if needed - imports.keys():
        return "not_self_contained"
    return "\n".join([*sorted({imports[name] for name in needed}), text])


def _is_trivial(condition: ast.expr) -> bool:
    """Return whether the condition has a form whose truth value hardly depends on the results of the function."""
    if isinstance(condition, ast.Tuple | ast.List | ast.Set | ast.Dict | ast.Lambda | ast.JoinedStr | ast.GeneratorExp):
        return True
    if isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not):
        return _is_trivial(condition.operand)
    if isinstance(condition, ast.BoolOp):
        deciding = isinstance(condition.op, ast.Or)
        return any(isinstance(item, ast.Constant) and bool(item.value) == deciding for item in condition.values)
    if isinstance(condition, ast.Compare) and len(condition.comparators) == 1:
        return unparse(condition.left) == unparse(condition.comparators[0])
    return False
