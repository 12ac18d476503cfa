"""Reads Python text that may be broken: parses it, splits it into statements, and finds names. Pure."""

from __future__ import annotations

import ast
import builtins
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

BUILTIN_NAMES = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}
MAX_CHARACTERS = 1_000_000
"""Longer texts are not parsed. Solutions are far shorter, and the parser would need much memory."""

MAX_DEPTH = 10
"""Largest depth of nested broken blocks that is searched for whole statements."""

_MAX_JOINED_LINES = 60
_CONTINUES = ("else", "elif", "except", "finally", ")", "]", "}", "#")
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, *_COMPREHENSIONS)
_ALLOW_INCOMPLETE = 0x4000  # codeop.PyCF_ALLOW_INCOMPLETE_INPUT, which type stubs leave out


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """The tree and the text of one top-level statement.

    The text includes the decorators and the comments directly above the statement. The text leaves out these comments
    if the statement shares a line with another statement, and can leave them out if another part of the whole text is
    not Python. A `Statement` equals only itself, and can be an element of a set.
    """

    node: ast.stmt
    text: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A part of a text that is not Python.

    It is a line that could start a statement, with the lines up to the next such line. Or it is the lines before the
    first such line.

    Attributes: `after` is the number of statements before the part.
    """

    text: str
    after: int


@dataclass(frozen=True, slots=True)
class Reading:
    """The statements of a text, and its parts that are not Python, each in order."""

    statements: tuple[Statement, ...]
    broken: tuple[Broken, ...]


def parse(text: str) -> ast.Module | None:
    """Return the tree of `text`, or None if Python cannot read it or it is longer than MAX_CHARACTERS.

    Python cannot read texts with syntax errors, null bytes, lone surrogates, too deep nesting or integers with too many
    digits.
    """
    if len(text) > MAX_CHARACTERS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # model text is full of "\d" and "x is 1"
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def unparse(node: ast.AST) -> str | None:
    """Return the text of a tree as Python formats it, or None if Python cannot write it.

    Trees that are nested too deeply or hold an integer with too many digits cannot be written.
    """
    try:
        return ast.unparse(node)
    except (RecursionError, ValueError):
        return None


def read_statements(text: str, *, depth: int = 0) -> Reading:
    """Split `text` into top-level statements and parts that are not Python, such as prose and unfinished code.

    After a broken statement, reading goes on at the next line that could start a statement. Indented lines below a line
    of prose are usually read as if they were not indented, to at most MAX_DEPTH levels, and so are the lines before the
    first line that could start a statement. depth: the level of this call.
    """
    text = _plain_lines(text)
    tree = parse(text)
    if tree is not None:
        return Reading(tuple(_statements(tree, text)), ())
    text = textwrap.dedent(text)
    lines = text.split("\n")
    starts = [place for place, line in enumerate(lines) if _starts_statement(line)]
    statements: list[Statement] = []
    broken: list[Broken] = []
    above = "\n".join(lines[: starts[0]] if starts else lines)
    if above.strip():
        if depth < MAX_DEPTH and starts:
            inner = read_statements(above, depth=depth + 1)
            statements += inner.statements
            broken += inner.broken
        else:
            broken.append(Broken(above.rstrip(), 0))
    position = 0
    while position < len(starts):
        taken, read = _first_statements(lines, starts, position)
        if not taken:
            end = starts[position + 1] if position + 1 < len(starts) else len(lines)
            first, below = lines[starts[position]], "\n".join(lines[starts[position] + 1 : end])
            broken.append(Broken(f"{first}\n{below}".rstrip(), len(statements)))
            if below.strip() and depth < MAX_DEPTH and not may_go_on(first):
                inner = read_statements(below, depth=depth + 1)
                read = list(inner.statements)
                broken += [Broken(item.text, item.after + len(statements)) for item in inner.broken]
        statements += read
        position += taken or 1
    return Reading(tuple(statements), tuple(broken))


def bound_names(node: ast.AST) -> set[str]:
    """Return the names that a statement or expression can bind in the scope in which it stands.

    These include targets of `:=` inside comprehensions, decorators, default values and base classes, which Python binds
    in that scope too. `from module import *` gives the name `*`.
    """
    names: set[str] = set()
    waiting = [node]
    while waiting:
        child = waiting.pop()
        if isinstance(child, _COMPREHENSIONS):
            names |= _walrus_names(child)
            continue
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            names.add(child.id)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(child.name)
        elif isinstance(child, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in child.names}
        elif isinstance(child, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and child.name:
            names.add(child.name)
        elif isinstance(child, ast.MatchMapping) and child.rest:
            names.add(child.rest)
        waiting.extend(_parts_outside_bodies(child))
    return names


def _walrus_names(comprehension: ast.AST) -> set[str]:
    """Return the targets of `:=` that a comprehension binds in the scope around it, nested comprehensions included."""
    names: set[str] = set()
    waiting = [comprehension]
    while waiting:
        child = waiting.pop()
        if isinstance(child, ast.NamedExpr):
            names.add(child.target.id)
        waiting.extend(_parts_outside_bodies(child))
    return names


def _parts_outside_bodies(node: ast.AST) -> Iterable[ast.AST]:
    """Return the children of `node`, except the body of a function, class or lambda, which is a scope of its own."""
    if isinstance(node, ast.Lambda):
        return [node.args]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [child for name, part in ast.iter_fields(node) if name != "body" for child in _nodes(part)]
    return ast.iter_child_nodes(node)


def _nodes(part: Any) -> list[ast.AST]:
    return [item for item in (part if isinstance(part, list) else [part]) if isinstance(item, ast.AST)]


def used_names(node: ast.AST) -> set[str]:
    """Return the names that the node reads or deletes anywhere, nested scopes included.

    A name that is only the target of an assignment such as `x += 1` is not among them.
    """
    return {
        child.id for child in ast.walk(node) if isinstance(child, ast.Name) and not isinstance(child.ctx, ast.Store)
    }


def global_names(node: ast.AST) -> set[str]:
    """Return the names that a statement or expression reads or deletes, except those that belong to a nested scope.

    Arguments and names that a function binds belong to the function, and loop names of a comprehension belong to the
    comprehension. Its first iterable is outside it, so `[x for x in x]` gives `x`. Names that a class body binds count
    as names of the module. A name that is only the target of an assignment such as `x += 1` is not returned.
    """
    names: set[str] = set()
    # an explicit stack, because a tree can be deeper than Python's recursion limit
    waiting: list[tuple[ast.AST, frozenset[str]]] = [(node, frozenset())]
    while waiting:
        current, own = waiting.pop()
        if isinstance(current, ast.Name):
            if not isinstance(current.ctx, ast.Store) and current.id not in own:
                names.add(current.id)
            continue
        body: list[ast.AST] = []
        inner = own
        if isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            body = [current.body] if isinstance(current, ast.Lambda) else [*current.body]
            inner = own | _own_names(current.args, body)
        elif isinstance(current, _COMPREHENSIONS):
            targets = [child for loop in current.generators for child in ast.walk(loop.target)]
            inner = own | {child.id for child in targets if isinstance(child, ast.Name)}
            first = current.generators[0]  # its iterable is evaluated outside the comprehension
            waiting += [(first.iter, own), *((part, inner) for part in (first.target, *first.ifs))]
            waiting += [(part, inner) for part in ast.iter_child_nodes(current) if part is not first]
            continue
        # decorators, defaults and annotations are evaluated outside the function
        waiting += [(child, inner if child in body else own) for child in ast.iter_child_nodes(current)]
    return names


def _own_names(arguments: ast.arguments, body: list[ast.AST]) -> frozenset[str]:
    inside = [child for item in body for child in walk_scope(item)]
    declared = {name for child in inside if isinstance(child, ast.Global) for name in child.names}
    own = {child.arg for child in ast.walk(arguments) if isinstance(child, ast.arg)}
    return frozenset(own.union(*map(bound_names, body)) - declared)


def called_names(node: ast.AST) -> set[str]:
    """Return the names that are called directly: `f` in `f(1)`, but not in `g(f)` or `x.f(1)`."""
    return {
        child.func.id for child in ast.walk(node) if isinstance(child, ast.Call) and isinstance(child.func, ast.Name)
    }


def walk_scope(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node and all nodes inside it, except those inside functions, classes, lambdas and comprehensions."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        if not isinstance(current, _SCOPES):
            waiting.extend(ast.iter_child_nodes(current))


def definitions(statements: Iterable[Statement]) -> dict[str, Statement]:
    """Return the statements that are definitions of functions or classes, by name. The last one of a name counts."""
    return {
        statement.node.name: statement
        for statement in statements
        if isinstance(statement.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


def _plain_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")


def may_go_on(chunk: str) -> bool:
    """Return whether `chunk` breaks off, as after an open bracket, so that more lines may turn it into Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(chunk, "<text>", "exec", ast.PyCF_ONLY_AST | _ALLOW_INCOMPLETE)
    except SyntaxError as error:
        return "incomplete input" in str(error.msg)
    except (ValueError, RecursionError, MemoryError):
        return False
    return False


def _first_statements(lines: list[str], starts: list[int], position: int) -> tuple[int, list[Statement]]:
    """Join the parts from `starts[position]` on until they are Python.

    Return how many parts were joined, and their statements. The number is 0 if they do not become Python. At most
    _MAX_JOINED_LINES parts are joined, and fewer if more lines cannot turn them into Python.
    """
    for taken in range(1, min(_MAX_JOINED_LINES, len(starts) - position) + 1):
        end = starts[position + taken] if position + taken < len(starts) else len(lines)
        chunk = "\n".join(lines[starts[position] : end])
        tree = parse(chunk)
        if tree is not None:
            return taken, list(_statements(tree, chunk))
        if not may_go_on(chunk):
            break
    return 0, []


def _starts_statement(line: str) -> bool:
    return bool(line.strip()) and not line[0].isspace() and not line.startswith(_CONTINUES)


def _statements(tree: ast.Module, text: str) -> Iterator[Statement]:
    lines = text.split("\n")
    encoded: dict[int, bytes] = {}  # ast.get_source_segment would split the whole text for every statement
    previous_end = 0
    for place, node in enumerate(tree.body):
        start = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", []))]) - 1
        end = node.end_lineno or node.lineno
        shares_line = start < previous_end or (place + 1 < len(tree.body) and tree.body[place + 1].lineno == end)
        above, previous_end = previous_end, end
        if shares_line:
            encoded = {number: encoded.get(number) or lines[number].encode() for number in {node.lineno - 1, end - 1}}
            yield Statement(node, _segment(node, lines, encoded))
            continue
        while start > above and lines[start - 1].startswith("#"):
            start -= 1
        yield Statement(node, "\n".join(lines[start:end]))


def _segment(node: ast.stmt, lines: list[str], encoded: dict[int, bytes]) -> str:
    """Return the text of a statement, whose columns count bytes. encoded: its first and its last line in UTF-8."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    if first == last:
        return encoded[first][node.col_offset : node.end_col_offset].decode()
    return "\n".join(
        [
            encoded[first][node.col_offset :].decode(),
            *lines[first + 1 : last],
            encoded[last][: node.end_col_offset].decode(),
        ]
    )
