"""HumanEval (arXiv 2107.03374), and sets in the same form: HumanEval+ OriginFmt, McEval's Python file and others.

The hub's humanevalplus has this form too. McEval (arXiv 2406.07436) has tests that call themselves, unittest suites and
bare asserts beside tests in HumanEval's manner, and prompts without a newline at their end.
"""

from __future__ import annotations

import ast
import re

from codepref.errors import UserError
from codepref.problems.fields import Row, entry_point_field, prompt_parts, task_id_field, text_field
from codepref.problems.formats.base import Format
from codepref.problems.repairs import repair
from codepref.problems.source import parse, read_statements
from codepref.records import Problem, Test, TestKind

_CHECK = re.compile(r"^def check\(\w", re.MULTILINE)

_OTHER_LANGUAGES = re.compile(
    r"awk|c|c\+\+|c#|coffee_?script|common[ _-]?lisp|cpp|csharp|dart|elixir|emacs[ _-]?lisp|erlang|f#|fortran|fsharp|"
    r"go|groovy|haskell|html|java|java_?script|js|json|julia|kotlin|lua|markdown|pascal|perl|php|powershell|r|racket|ruby|"
    r"rust|scala|scheme|shell|swift|tcl|type_?script|ts|vb|vim_?script|visual[ _-]?basic",
    re.IGNORECASE,
)
"""The beginnings of task ids in the files of HumanEval-X, HumanEvalPack and McEval."""


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row, with one test. The text of the test decides its kind (see `read_test`)."""
    task_id = task_id_field(row, where)
    prompt, entry_point = text_field(row, "prompt", where), entry_point_field(row, where)
    solution = text_field(row, "canonical_solution", where)
    refuse_other_languages(task_id, prompt + solution, where)
    prompt = whole_lines(prompt, solution)
    source, repairs = repair(task_id, text_field(row, "test", where))
    kind, source = read_test(source)
    parts = prompt_parts(prompt, entry_point)
    return Problem(
        task_id=task_id,
        prompt=prompt,
        entry_point=entry_point,
        tests=(Test(task_id, kind, source, kind),),
        gold=prompt + solution,
        style="complete",
        helpers=parts.helpers,
        preamble=parts.preamble,
        meta={"format": "humaneval", **({"repaired": repairs} if repairs else {})},
    )


def refuse_other_languages(task_id: str, program: str, where: str) -> None:
    """Raise UserError if a task id such as "CPP/3" names another language than Python, and the program is no Python."""
    language = task_id.partition("/")[0]
    if _OTHER_LANGUAGES.fullmatch(language) and parse(program) is None:
        raise UserError(f"{where}: the problem asks for {language}, and codepref runs Python only")


def whole_lines(prompt: str, solution: str) -> str:
    """Return the prompt with a newline at its end if the solution continues it in a new line.

    This is so if the prompt ends with a whole statement, such as a docstring.
    """
    if prompt.endswith("\n") or parse(f"{prompt}\n{solution}") is None:
        return prompt
    return prompt + "\n" if parse(prompt) is not None or parse(prompt + solution) is None else prompt


def read_test(source: str) -> tuple[TestKind, str]:
    """Return the kind of a test that is published as a text, and the text to run.

    The kind is "check" if the text defines a function `check` with a parameter, "unittest" if it defines a class of
    test cases, and otherwise "asserts", for texts that run the test themselves. Top-level calls of `unittest.main` are
    left out of suites, since the kind "unittest" runs the suite itself.
    """
    if _CHECK.search(source):
        return "check", source  # without parsing, since the tests of HumanEval+ can be megabytes long
    statements = read_statements(source).statements
    nodes = [statement.node for statement in statements]
    if any(isinstance(node, ast.FunctionDef) and node.name == "check" and _positional(node.args) for node in nodes):
        return "check", source
    if any(isinstance(node, ast.ClassDef) and any(map(_is_test_case, node.bases)) for node in nodes):
        kept = [statement for statement in statements if not _is_main_call(statement.node)]
        suite = "".join(f"{statement.text}\n" for statement in kept)
        return "unittest", source if len(kept) == len(statements) else suite
    return "asserts", source


def _positional(arguments: ast.arguments) -> bool:
    return bool(arguments.posonlyargs or arguments.args or arguments.vararg)


def _is_test_case(base: ast.expr) -> bool:
    return getattr(base, "attr", getattr(base, "id", "")).endswith("TestCase")


def _is_main_call(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith(("unittest.main(", "main("))


FORMAT = Format(
    "HumanEval, HumanEval+ OriginFmt",
    frozenset({"task_id", "prompt", "entry_point", "canonical_solution", "test"}),
    read,
)
