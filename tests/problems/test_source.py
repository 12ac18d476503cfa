"""Tests of the names that a statement binds and reads, in cases in which Python's scopes are easily misread."""

from __future__ import annotations

import ast
import textwrap

import pytest

from codepref.problems.source import bound_names, global_names, read_statements

STATEMENTS = (
    ("x: int = 1", {"x"}),
    ("import a.b, c.d as e", {"a", "e"}),
    ("for i, (j, *k) in [(1, (2, 3))]: pass", {"i", "j", "k"}),
    ("[i for i in range(3)]", set()),
    ("[(y := i) for i in range(3)]", {"y"}),
    ("[[(z := i) for i in range(j)] for j in range(3) if (w := j)]", {"z", "w"}),
    ("any((last := i) for i in range(3))", {"last"}),
    ("{(k := i): (v := i) for i in range(3)}", {"k", "v"}),
    ("[(lambda a=(d := 1): (b := a))() for i in range(3)]", {"d"}),
    ("lambda a=(d := 1): (b := a)", {"d"}),
    ("@(deco := (lambda g: g))\ndef f(x=(one := 1), *, y=(two := 2)):\n    inner = 1", {"deco", "f", "one", "two"}),
    ("@(deco := (lambda c: c))\nclass A((base := object)):\n    field = 1", {"deco", "A", "base"}),
    ("match {'a': 1, 'b': [1, 2]}:\n    case {'a': one, **rest}: pass", {"one", "rest"}),
    ("match [1, 2, 3]:\n    case [first, *others] as whole: pass", {"first", "others", "whole"}),
)


@pytest.mark.parametrize(("text", "names"), STATEMENTS)
def test_bound_names_are_those_that_python_binds_in_the_module(text: str, names: set[str]) -> None:
    (node,) = ast.parse(text).body
    assert bound_names(node) == names
    module: dict[str, object] = {}
    exec(text.replace("import a.b, c.d as e", "a = e = 0"), module)
    assert module.keys() - {"__builtins__", "__annotations__"} == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[x for x in x]", {"x"}),
        ("{x: y for x, y in x}", {"x"}),
        ("[x for x in y for y in x]", {"y"}),  # only the first iterable is evaluated outside
        ("[x for x in range(3) if x]", {"range"}),
        ("[[x for x in x] for x in z]", {"z"}),
        ("(lambda x: x)(x)", {"x"}),
    ],
)
def test_global_names_are_those_that_python_reads_in_the_module(text: str, names: set[str]) -> None:
    (node,) = ast.parse(text).body
    assert global_names(node) == names


@pytest.mark.parametrize(
    ("text", "statements", "broken"),
    [
        ("    return x\n\ndef f():\n    pass\nprose here\n", ["return x", "def f():\n    pass"], ["prose here"]),
        ("    assert f(1) == 2\n    assert f(\ndef f(): pass\n", ["assert f(1) == 2", "def f(): pass"], ["assert f("]),
        (")\nx = 1\ny =\n", ["x = 1"], [")", "y ="]),
    ],
)
def test_lines_above_the_first_statement_are_read(text: str, statements: list[str], broken: list[str]) -> None:
    reading = read_statements(text)
    assert [statement.text for statement in reading.statements] == statements
    assert [part.text for part in reading.broken] == broken


@pytest.mark.parametrize(("text", "names"), STATEMENTS)
def test_names_that_a_function_binds_are_not_read_from_the_module(text: str, names: set[str]) -> None:
    reads = "".join(f"    {name}\n" for name in names)
    (node,) = ast.parse(f"def function():\n{textwrap.indent(text, '    ')}\n{reads}").body
    assert not global_names(node) & names
