"""ClassEval (arXiv 2308.01861): the answer is a class, and a unittest suite tests it."""

from __future__ import annotations

from codepref.errors import UserError
from codepref.problems.columns import listed, row_id
from codepref.problems.fields import Row, prompt_parts, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.python_tests import program_of, text_tests
from codepref.problems.source import parse
from codepref.records import Problem

_REQUEST = "Complete the class {name} in the following code.\n\n```python\n{code}\n```\n"


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row.

    A solution may leave out the imports of `import_statement` and what the skeleton imports and defines beside the
    class.
    """
    skeleton, name = text_field(row, "skeleton", where), text_field(row, "class_name", where).strip()
    if not name.isidentifier():
        raise UserError(f"{where}: class_name must be the name of a class, not {name[:80]!r}")
    task_id = row_id(row, "ClassEval", ("task_id", "id"), [skeleton])
    imports = _imports(row, where)
    lacking = "".join(f"{line}\n" for line in imports.splitlines() if line not in skeleton)
    tests = text_tests([text_field(row, "test", where)], task_id, "test", where)
    gold = program_of(text_field(row, "solution_code", where, default=""))
    preamble = imports + prompt_parts(skeleton, name).preamble
    return Problem(
        task_id=task_id,
        prompt=_REQUEST.format(name=name, code=f"{lacking}{skeleton}".rstrip("\n")),
        entry_point=name,
        tests=tests,
        gold=gold or None,
        style="instruct",
        helpers=imports,
        preamble=preamble,
        meta={"format": "classeval"},
    )


def _imports(row: Row, where: str) -> str:
    """Return the text of `import_statement`, which is a list of lines or one text.

    Raises UserError if it is neither, or is not Python.
    """
    value = row.get("import_statement")
    if isinstance(value, str) and parse(value) is not None:
        text = value
    else:
        items = listed(value, "import_statement", where)
        if not all(isinstance(item, str) for item in items):
            raise UserError(f"{where}: import_statement must be a list of texts")
        text = "".join(f"{item.strip()}\n" for item in items)
    if parse(text) is None:
        raise UserError(f"{where}: import_statement is not Python: {text[:80]!r}")
    return text


FORMAT = Format("ClassEval", frozenset({"skeleton", "class_name", "test"}), read)
