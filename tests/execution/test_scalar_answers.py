"""Tests that scalar answers are compared as Python compares plain values, whatever way they cross."""

import pytest

from codepref.execution.execute import execute
from codepref.execution.limits import Limits
from codepref.records import Problem, Solution, Test

pytestmark = pytest.mark.xdist_group("execution")

LITERALS = (
    "None",
    "True",
    "False",
    "0",
    "1",
    "-1",
    "0.0",
    "-0.0",
    "1.0",
    "0.1",
    "0.1 + 0.2",
    "1e308 * 10",
    "2**53 + 1",
    "float(2**53)",
    "2**63 - 1",
    "2**63",
    "-(2**63)",
    "-(2**63) - 1",
    "10**400",
    "''",
    "'a'",
    "'1'",
    "'\\ud800'",
    "'\\x00'",
    "'a' * 256",
    "'a' * 257",
    "b'a'",
    "1j",
    "[1]",
    "(1,)",
    "float('nan')",
)
"""Values of builtin types, as expressions."""

OTHERS = {
    "Number(1)": 1,
    "Number(5)": 5,
    "Real(0.1)": 0.1,
    "Text('a')": "a",
    "Decimal('0.1')": None,
    "Fraction(1, 10)": None,
}
"""Values of other types, and the plain values that equal them. None: the value equals none of LITERALS."""

MODULE = """
from decimal import Decimal
from fractions import Fraction


class Number(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


class Real(float):
    def __eq__(self, other):
        return True

    def __rsub__(self, other):
        return 0.0

    __hash__ = float.__hash__


class Text(str):
    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


VALUES = [
VALUES_HERE
]


def f(at):
    return VALUES[at]()
"""


def close(value: object, expected: object) -> bool:
    """Return whether two numbers differ by less than a millionth.

    Raises TypeError for other values, and OverflowError for an int that is too large for a float.
    """
    return abs(value - expected) < 1e-6  # type: ignore[operator, no-any-return]


def code(holds: object, *values: object) -> str:
    """Return the code of a test that asserts `holds(*values)`."""
    try:
        return "P" if holds(*values) else "F"  # type: ignore[operator]
    except (TypeError, OverflowError):
        return "E"


def test_scalar_answers_equal_what_python_says_that_they_equal() -> None:
    expressions = [*LITERALS, *OTHERS]
    plain = [eval(one) for one in LITERALS] + list(OTHERS.values())
    sources, expected = [], ""
    for at, value in enumerate(plain):
        for wanted in LITERALS:
            right = eval(wanted)
            known = at < len(LITERALS) or value is not None
            sources.append(f"assert f({at}) == {wanted}")
            expected += code(lambda first, second: first == second, value, right) if known else "F"
            if known:
                sources.append(f"assert abs(f({at}) - ({wanted})) < 1e-6")
                expected += code(close, value, right)
    tests = tuple(Test("t", str(at), source) for at, source in enumerate(sources))
    values = ",\n".join(f"    lambda: {one}" for one in expressions)
    solution = Solution("t", 0, MODULE.replace("VALUES_HERE", values))
    (matrix,) = execute([Problem("t", "", "f", tests)], [solution], limits=Limits(), vacuous_tests="keep", jobs=1)
    codes = matrix.verdicts[0].codes
    wrong = [item for item in zip(sources, codes, expected, strict=True) if item[1] != item[2]]
    assert not wrong
