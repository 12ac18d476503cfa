"""Finds the expression that an `assert` or a unittest method such as `self.assertEqual(a, b)` asserts. Pure."""

from __future__ import annotations

import ast

_COMPARE: dict[str, ast.cmpop] = {
    "assertEqual": ast.Eq(),
    "assertEquals": ast.Eq(),
    "assertListEqual": ast.Eq(),
    "assertTupleEqual": ast.Eq(),
    "assertDictEqual": ast.Eq(),
    "assertSetEqual": ast.Eq(),
    "assertSequenceEqual": ast.Eq(),
    "assertMultiLineEqual": ast.Eq(),
    "assertNotEqual": ast.NotEq(),
    "assertIs": ast.Is(),
    "assertIsNot": ast.IsNot(),
    "assertIn": ast.In(),
    "assertNotIn": ast.NotIn(),
    "assertGreater": ast.Gt(),
    "assertGreaterEqual": ast.GtE(),
    "assertLess": ast.Lt(),
    "assertLessEqual": ast.LtE(),
}
_NONE: dict[str, ast.cmpop] = {"assertIsNone": ast.Is(), "assertIsNotNone": ast.IsNot()}


def condition_of(node: ast.stmt) -> ast.expr | None:
    """Return the expression that the statement asserts.

    Return None if the statement is neither an assert nor a call of a known unittest method of `self` with its values as
    positional arguments.
    """
    if isinstance(node, ast.Assert):
        return node.test
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return None
    function, values = node.value.func, node.value.args
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return None
    if function.value.id != "self" or any(isinstance(value, ast.Starred) for value in values):
        return None
    return _condition(function.attr, values, {item.arg: item.value for item in node.value.keywords})


def _condition(name: str, values: list[ast.expr], options: dict[str | None, ast.expr]) -> ast.expr | None:
    if name in ("assertTrue", "assertFalse") and values:
        return values[0] if name == "assertTrue" else ast.UnaryOp(ast.Not(), values[0])
    if name in _NONE and values:
        return ast.Compare(values[0], [_NONE[name]], [ast.Constant(None)])
    if len(values) < 2:
        return None
    if name in _COMPARE:
        return ast.Compare(values[0], [_COMPARE[name]], [values[1]])
    if name == "assertIsInstance":
        return _call("isinstance", *values[:2])
    if name == "assertCountEqual":
        return ast.Compare(_call("sorted", values[0]), [ast.Eq()], [_call("sorted", values[1])])
    if name == "assertAlmostEqual":
        return _almost_equal(values, options)
    return None


def _almost_equal(values: list[ast.expr], options: dict[str | None, ast.expr]) -> ast.expr:
    """Return a condition that decides about finite numbers as `assertAlmostEqual` does.

    The condition is that the difference rounds to zero at `places` digits (default 7). With the keyword `delta`, it is
    that the difference is at most `delta`.
    """
    difference = _call("abs", ast.BinOp(values[0], ast.Sub(), values[1]))
    if "delta" in options:
        return ast.Compare(difference, [ast.LtE()], [options["delta"]])
    places = options.get("places", values[2] if len(values) > 2 else ast.Constant(7))
    return ast.Compare(_call("round", difference, places), [ast.Eq()], [ast.Constant(0)])


def _call(name: str, *values: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), list(values), [])
