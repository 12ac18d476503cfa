"""Names that a statement binds and reads, in the cases in which Python's scopes are easily misread."""

from __future__ import annotations

import ast
import textwrap

import pytest

from codepref.problems.source import bound_names, global_names

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


@pytest.mark.parametrize(("text", "names"), STATEMENTS)
def test_names_that_a_function_binds_are_not_read_from_the_module(text: str, names: set[str]) -> None:
    reads = "".join(f"    {name}\n" for name in names)
    (node,) = ast.parse(f"def function():\n{textwrap.indent(text, '    ')}\n{reads}").body
    assert not global_names(node) & names
