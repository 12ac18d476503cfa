"""Chooses the whole program in the blocks of an answer to a problem of style "program". Pure.

A complete program reads its input, writes, and lacks no name except those in _FORGOTTEN. Snippets, trials on a fixed
input and examples of usage are usually not complete.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from codepref.problems.source import (
    Reading,
    Statement,
    bound_names,
    global_names,
    may_go_on,
    parse,
    read_statements,
)
from codepref.sampling.joining import Definition, join, missing_names, names, put_before
from codepref.sampling.python_text import is_trivial

_MAX_RUNS = 100
"""Of a text without fences, only this many of the last pieces of code are read."""

_MAX_DEPTH = 5
"""The largest depth to which `_is_definition` follows assignments, and the largest number that it follows from each."""

_READERS = {"input", "stdin", "fileinput", "raw_input"}
_READ_ATTRIBUTES = {"stdin", "__stdin__", "fdopen", "loadtxt", "genfromtxt"}
_WRITERS = {"print", "stdout", "pprint"}
_WRITE_ATTRIBUTES = {"stdout", "__stdout__", "write", "writelines", "savetxt", "pprint"}
_REPLACED = {"sys.stdin", "builtins.input"}
_FORGOTTEN = sys.stdlib_module_names | {
    "np",
    "pd",
    "deque",
    "defaultdict",
    "Counter",
    "List",
    "Dict",
    "Tuple",
    "Optional",
}
"""Names that a complete program may use without an import, since models often forget these imports."""


@dataclass(eq=False)
class _Block:
    """A block of Python, or several that were joined.

    Attributes:
    text: the text of the program. statements: its statements.
    """

    text: str
    statements: Sequence[Statement]
    nodes: list[ast.AST] = field(init=False)

    def __post_init__(self) -> None:
        self.nodes = [child for item in self.statements for child in ast.walk(item.node)]

    @cached_property
    def reads(self) -> bool:
        """Whether the program reads its input, and does not replace it by a text of its own."""
        replaced = _replaced(self.nodes)
        if "stdin" in replaced or any(
            isinstance(node, ast.Constant) and node.value in _REPLACED for node in self.nodes
        ):
            return False
        return any(_reads(node, replaced) for node in self.nodes)

    @cached_property
    def writes(self) -> bool:
        return any(
            (isinstance(node, ast.Name) and node.id in _WRITERS)
            or (isinstance(node, ast.Attribute) and node.attr in _WRITE_ATTRIBUTES)
            for node in self.nodes
        )

    @cached_property
    def missing(self) -> set[str]:
        return missing_names(self.statements)

    @cached_property
    def complete(self) -> bool:
        return self.reads and self.writes and not self.missing - _FORGOTTEN

    @cached_property
    def binders(self) -> dict[str, list[Statement]]:
        """The statements that bind each name."""
        found: dict[str, list[Statement]] = {}
        for statement in self.statements:
            for name in bound_names(statement.node):
                found.setdefault(name, []).append(statement)
        return found


def whole_program(texts: Sequence[str]) -> str:
    """Return the last complete program in some blocks of an answer, or "" if no block is Python that does something.

    A block gets what it uses and lacks from the other blocks: functions, classes, imports and constants. If it needs
    other statements of a block, it gets this whole block. If that block is a complete program, the block that needs it
    repeats a part of the program, and is ignored. Without a complete program, the result is the longest of the programs
    that read their input and write, or else of those that read it. Otherwise it is the last program that writes, lacks
    no name and has more than one statement, or else the last with one statement, or else the longest block. The text of
    a block is kept, except for newlines at its ends, unless imports from `__future__` must come before what it gets.
    """
    blocks = _blocks(texts)
    joined = [program for place in range(len(blocks)) if (program := _joined(blocks, place)) is not None]
    for program in reversed(joined):
        if program.complete:
            return program.text
    readers = [program for program in joined if program.reads]
    writers = [program for program in joined if program.writes and not program.missing]
    if readers:
        return max(readers, key=lambda program: (program.writes, len(program.text))).text
    if writers:
        return max(enumerate(writers), key=lambda item: (len(item[1].statements) > 1, item[0]))[1].text
    return max((block.text for block in blocks), key=len, default="")


def program_in_prose(text: str) -> str:
    """Return the program that `whole_program` chooses between lines of prose.

    Return "" if this program does not write, or if the text breaks off in code.
    """
    reading = read_statements(text)
    last = reading.broken[-1] if reading.broken else None
    if last is not None and last.after == len(reading.statements) and may_go_on(last.text):
        return ""
    program = whole_program([join(run) for run in _runs(reading)[-_MAX_RUNS:]])
    tree = parse(program)
    return program if tree is not None and _Block(program, read_statements(program).statements).writes else ""


def _runs(reading: Reading) -> list[list[Statement]]:
    """Return the runs of statements between parts that are not Python, without statements that do nothing."""
    ends = [*dict.fromkeys(item.after for item in reading.broken), len(reading.statements)]
    starts = [0, *ends]
    runs = [
        [item for item in reading.statements[start:end] if not is_trivial(item.node)]
        for start, end in zip(starts, ends, strict=False)
    ]
    return [run for run in runs if run]


def _blocks(texts: Sequence[str]) -> list[_Block]:
    blocks = []
    for text in texts:
        tree = parse(text)
        if tree is not None and any(not is_trivial(node) for node in tree.body):
            blocks.append(_Block(text.strip("\n") + "\n", read_statements(text).statements))
    return blocks


def _joined(blocks: Sequence[_Block], place: int) -> _Block | None:
    """Return a block, preceded by what it lacks and other blocks hold, or None if it continues a complete program.

    Of several blocks that bind a name, the nearest before the block counts, or else the first after it.
    """
    block = blocks[place]
    order = [*range(place - 1, -1, -1), *range(place + 1, len(blocks))]
    taken: dict[Statement, None] = {}
    bound = names(bound_names, block.statements)
    waiting = sorted(block.missing)
    while waiting:
        name = waiting.pop()
        other = next((blocks[number] for number in order if name in blocks[number].binders), None)
        if other is None or name in bound:
            continue
        new = other.binders[name]
        if not all(_is_definition(statement, other) for statement in new):
            if other.complete:
                return None
            new = list(other.statements)
        taken |= dict.fromkeys(new)
        bound |= names(bound_names, new)
        waiting += sorted(missing_names(new) - bound)
    added = [statement for other in blocks for statement in other.statements if statement in taken]
    if not added:
        return block
    text = put_before(added, block.text, block.statements)
    return _Block(text, [*added, *block.statements])


def _is_definition(statement: Statement, block: _Block, depth: int = 0) -> bool:
    """Return whether a statement defines something and needs no input and no other kind of statement of its block."""
    node = statement.node
    if isinstance(node, Definition | ast.Import | ast.ImportFrom):
        return True
    if not isinstance(node, ast.Assign) or any(_reads(child, set()) for child in ast.walk(node)):
        return False
    needed = [other for name in global_names(node) for other in block.binders.get(name, []) if other is not statement]
    return depth < _MAX_DEPTH and all(_is_definition(other, block, depth + 1) for other in needed[:_MAX_DEPTH])


def _reads(node: ast.AST, replaced: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in _READERS - replaced and isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Attribute):
        is_descriptor = node.attr == "read" and isinstance(node.value, ast.Name) and node.value.id == "os"
        return is_descriptor or (node.attr in _READ_ATTRIBUTES and isinstance(node.ctx, ast.Load))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
        modes = [
            part.value
            for part in [*node.args[1:2], *(item.value for item in node.keywords)]
            if isinstance(part, ast.Constant)
        ]
        return not any(
            isinstance(mode, str) and set(mode) & set("wax") and set(mode) <= set("wax+bt") for mode in modes
        )
    return False


def _replaced(nodes: Sequence[ast.AST]) -> set[str]:
    """Return which of "stdin" and "input" the program replaces by a text of its own, as trials do."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Assign):
            own = not any(_reads(child, set()) for child in ast.walk(node.value))
            targets = {getattr(target, "attr", getattr(target, "id", "")) for target in node.targets}
            found |= targets & {"stdin", "input"} if own else set()
        elif isinstance(node, ast.FunctionDef) and node.name == "input":
            found |= set() if any(_reads(child, {"input"}) for child in ast.walk(node)) else {"input"}
    return found
