"""HumanEval (arXiv 2107.03374), and sets in the same form: HumanEval+ OriginFmt, McEval's Python file and others.

The hub's humanevalplus has this form too. McEval (arXiv 2406.07436) has tests that call themselves, unittest suites and
bare asserts beside tests in HumanEval's manner, and prompts without a newline at their end.
"""

from __future__ import annotations

import re

from codepref.errors import UserError
from codepref.problems.fields import Row, entry_point_field, prompt_parts, task_id_field, text_field
from codepref.problems.formats.base import Format
from codepref.problems.repairs import repair
from codepref.problems.source import parse
from codepref.problems.test_text import read_test_text
from codepref.records import Problem, Test, TestKind

_CHECK = re.compile(r"^def check\(\w", re.MULTILINE)

_OTHER_LANGUAGES = re.compile(
    r"awk|c|c\+\+|c#|coffee_?script|common[ _-]?lisp|cpp|csharp|dart|elixir|emacs[ _-]?lisp|erlang|f#|fortran|fsharp|"
    r"go|groovy|haskell|html|java|java_?script|js|json|julia|kotlin|lua|markdown|pascal|perl|php|powershell|r|racket|ruby|"
    r"rust|scala|scheme|shell|swift|tcl|type_?script|ts|vb|vim_?script|visual[ _-]?basic",
    re.IGNORECASE,
)
"""Names of languages other than Python with which a task id can begin, as in HumanEval-X, HumanEvalPack and McEval."""


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row, with one test. The text of the test decides its kind (see `read_test`)."""
    task_id = task_id_field(row, where)
    prompt, entry_point = text_field(row, "prompt", where), entry_point_field(row, where)
    solution = text_field(row, "canonical_solution", where)
    refuse_other_languages(task_id, prompt + solution, where)
    prompt = whole_lines(prompt, solution)
    source, repairs = repair(task_id, text_field(row, "test", where))
    kind, source = read_test(source, entry_point)
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

    This is so if Python can read the prompt and the solution with a newline between them, and also the prompt alone. It
    is also so if Python can read the two only with the newline.
    """
    if prompt.endswith("\n") or parse(f"{prompt}\n{solution}") is None:
        return prompt
    return prompt + "\n" if parse(prompt) is not None or parse(prompt + solution) is None else prompt


def read_test(source: str, entry_point: str) -> tuple[TestKind, str]:
    """Return "check" and the text if it defines a `check` with a parameter, or else what `read_test_text` returns."""
    if _CHECK.search(source):
        return "check", source  # without parsing, since the tests of HumanEval+ can be megabytes long
    return read_test_text(source, entry_point)


FORMAT = Format(
    "HumanEval, HumanEval+ OriginFmt",
    frozenset({"task_id", "prompt", "entry_point", "canonical_solution", "test"}),
    read,
)
