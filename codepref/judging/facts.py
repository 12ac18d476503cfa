"""Collects facts about a program and the text around it, without running the program. Pure."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass

from codepref.judging.requirements import Function, extras, is_docstring, missing
from codepref.problems.source import bound_names, parse
from codepref.records import Problem
from codepref.sampling.blocks import code_blocks, code_texts
from codepref.sampling.tags import answer_text

BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
TOO_DEEP = "is nested too deeply to be analysed"
USUAL_SHORT = {"i", "j", "k", "n", "m", "x", "y", "z", "_"}
"""Names of one character that are common in good code, such as counters, sizes and coordinates."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about a response that holds a program.

    Attributes:
    code: the program.
    lines: the number of lines that are not blank.
    longest_line: the length of the longest of these lines in characters.
    nodes: the number of expressions in the program.
    densest: the largest number of expressions in one statement. Expressions of the statements inside a statement do not
        count for it.
    nesting: the depth of blocks inside blocks, such as 2 for a loop with a branch in it. The blocks are those of
        BLOCKS, without `try` with `except*`. Each function counts from 0. Blocks in the body of a class count only
        inside its methods.
    inner_comprehensions: the number of comprehensions that contain another comprehension.
    vague_names: of the names of arguments and of names that are assigned, the share with one or two characters. Names
        in USUAL_SHORT are not vague. Names of loop variables and names in the instruction do not count at all.
    crowded: the number of statements that begin on the line of an earlier statement. A statement that is only a
        constant, such as `...`, does not count.
    functions: the number of functions, methods included.
    documented: the share of functions with a docstring, and 0 without functions.
    comments: the number of lines with a comment. If the tokenizer rejects the program, only lines that begin with `#`
        after white space count.
    prose_words: the number of runs of two or more letters outside the blocks of code and the <think> parts, and 0
        without blocks.
    missing: what the instruction asks for and the program lacks, in words.
    extras: what the program holds although the instruction does not ask for it, in words.
    """

    code: str
    lines: int
    longest_line: int
    nodes: int
    densest: int
    nesting: int
    inner_comprehensions: int
    vague_names: float
    crowded: int
    functions: int
    documented: float
    comments: int
    prose_words: int
    missing: tuple[str, ...]
    extras: tuple[str, ...]


def read_code(text: str, problem: Problem) -> str:
    """Return the code of a response: the texts that `code_texts` returns, joined.

    `code_texts` returns the Python and untagged blocks, or all blocks if there are none of these, or the whole response
    if it has no blocks. It drops <think> parts. Example calls and asserts are kept, because they are a part of the
    answer. A problem of style "complete" differs in one case: if a response without blocks does not define the entry
    point, the code is the prompt followed by the response without its <think> parts, provided that this parses. A
    response without blocks is returned even if it is only prose. The result is "" if only white space is left.
    """
    code = "\n\n\n".join(part.strip("\n") for part in code_texts(text)).rstrip()
    if not code.strip():
        return ""
    answer = answer_text(text)
    if problem.style == "complete" and not code_blocks(answer) and not _defines(code, problem.entry_point):
        whole = problem.prompt + answer.rstrip()
        return whole + "\n" if parse(whole) else code + "\n"
    return code + "\n"


def read_facts(text: str, problem: Problem) -> Facts | str:
    """Return the facts about one response to `problem`, or the reason why there are none, such as "holds no code"."""
    code = read_code(text, problem)
    tree = parse(code)
    if tree is None:
        return "does not parse as Python"
    if not tree.body:
        return "holds no code"
    try:
        return _facts(text, code, tree, problem)
    except RecursionError:
        return TOO_DEEP


def _facts(text: str, code: str, tree: ast.Module, problem: Problem) -> Facts:
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    documented = [function for function in functions if ast.get_docstring(function)]
    lines = [line for line in code.splitlines() if line.strip()]
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not is_docstring(node)]
    return Facts(
        code=code,
        lines=len(lines),
        longest_line=max(map(len, lines)),
        nodes=sum(isinstance(node, ast.expr) for node in ast.walk(tree)),
        densest=max((_own_expressions(node) for node in statements), default=0),
        nesting=max(_nesting(part.body) for part in (tree, *functions)),
        inner_comprehensions=sum(_inner_comprehensions(node) for node in ast.walk(tree)),
        vague_names=_vague_names(tree, problem),
        crowded=_crowded(statements),
        functions=len(functions),
        documented=len(documented) / len(functions) if functions else 0.0,
        comments=_comments(code),
        prose_words=_prose_words(text),
        missing=tuple(missing(tree, problem)),
        extras=tuple(extras(tree, problem)),
    )


def _defines(code: str, name: str) -> bool:
    tree = parse(code)
    return tree is not None and any(name in bound_names(node) for node in tree.body)


def _own_expressions(statement: ast.stmt) -> int:
    """Return the number of expressions in a statement. Expressions of the statements inside it do not count."""
    count, waiting = 0, list(ast.iter_child_nodes(statement))
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.stmt):
            count += isinstance(node, ast.expr)
            waiting += ast.iter_child_nodes(node)
    return count


def _nesting(body: list[ast.stmt]) -> int:
    """Return the depth of nested blocks in `body`, without functions and classes. An `elif` is as deep as its `if`."""
    deepest = 0
    for node in body:
        inner = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
        inner += [part.body for name in ("handlers", "cases") for part in getattr(node, name, [])]
        if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            inner[1] = []
            deepest = max(deepest, _nesting(node.orelse))
        if isinstance(node, BLOCKS):
            deepest = max(deepest, 1 + max((_nesting(part) for part in inner), default=0))
    return deepest


def _inner_comprehensions(node: ast.AST) -> int:
    if not isinstance(node, COMPREHENSIONS):
        return 0
    return any(isinstance(inner, COMPREHENSIONS) for inner in ast.walk(node) if inner is not node)


def _vague_names(tree: ast.Module, problem: Problem) -> float:
    loop_names = {
        part.id
        for node in ast.walk(tree)
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension)
        for part in ast.walk(node.target)
        if isinstance(part, ast.Name)
    }
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names = (bound | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}) - loop_names
    names -= set(re.findall(r"\w+", problem.prompt))
    vague = [name for name in names if len(name) <= 2 and name not in USUAL_SHORT]
    return len(vague) / len(names) if names else 0.0


def _crowded(statements: list[ast.stmt]) -> int:
    """Return how many of `statements` begin on the line of an earlier one. `a = 1; b = 2` gives 1."""
    starts = [node.lineno for node in statements]
    return len(starts) - len(set(starts))


def _comments(code: str) -> int:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError, ValueError):
        # the parser accepts some programs whose last lines the tokenizer rejects
        return sum(line.lstrip().startswith("#") for line in code.splitlines())
    return len({token.start[0] for token in tokens if token.type == tokenize.COMMENT})


def _prose_words(text: str) -> int:
    answer = answer_text(text)
    blocks = code_blocks(answer)
    if not blocks:
        return 0
    for block in blocks:
        answer = answer.replace(block.text, " ", 1)
    return len(re.findall(r"[^\W\d_]{2,}", re.sub(r"^\s*(```|~~~).*$", "", answer, flags=re.MULTILINE)))
