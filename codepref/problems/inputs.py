"""Tests of kind "inputs": a problem's inputs and its reference solution, from which expected outputs are computed.

`Test.source` is a JSON object:

| key | value |
|---|---|
| `entry_point` | name of the function that is called |
| `inputs` | text of a Python expression: the list of argument lists; see `encode_inputs` and `decode_inputs` |
| `reference` | program that defines `entry_point`; what it returns is the expected output |
| `atol` | absolute tolerance; 0 asks for equality, save that outputs made of floats are held to 1e-6 |
| `compare` | "equal", "set", "not_none" or "oracle:NAME" |
| `oracle` | program that defines `accept(arguments, output, expected, atol)`; "" unless `compare` names an oracle |

The test passes when every input's output is accepted. With `output` and `expected` (each made from its own copy of the
arguments):

- "equal": `output == expected`. Otherwise, when the tolerance is not zero, the types and (for lists and tuples) the
  lengths must agree and `numpy.allclose(output, expected, rtol=1e-7, atol=tolerance)` must hold. The tolerance is
  `atol`, or 1e-6 where `atol` is 0 and `expected` is a float or a non-empty list or tuple of floats.
- "set": `set(output) == set(expected)`, otherwise as "equal".
- "not_none": the reference's output counts only by whether it is None: with `expected = reference_output is not None`,
  a bool must equal `expected`, anything else must be not-None exactly when `expected`.
- "oracle:NAME": accepted when "equal" accepts it or when `accept(...)` returns a true value; an `accept` that raises
  does not accept.

The comparisons are those of EvalPlus 0.3.1 (`evalplus/eval/__init__.py`, arXiv 2305.01210) with one difference: there a
tolerance that one float output raised stays raised for the inputs after it; here each output is held to its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codepref.errors import UserError

COMPARISONS = ("equal", "set", "not_none")
ORACLE_PREFIX = "oracle:"
_NAMES = {"float": float, "complex": complex, "set": set, "frozenset": frozenset}


@dataclass(frozen=True, slots=True)
class InputsTest:
    """The parsed source of a test of kind "inputs". Fields as in the module's table."""

    entry_point: str
    inputs: str
    reference: str
    atol: float = 0.0
    compare: str = "equal"
    oracle: str = ""

    def to_source(self) -> str:
        """The JSON text that `Test.source` holds."""
        return json.dumps(
            {
                "entry_point": self.entry_point,
                "inputs": self.inputs,
                "reference": self.reference,
                "atol": self.atol,
                "compare": self.compare,
                "oracle": self.oracle,
            },
            ensure_ascii=False,
        )


def parse_inputs(source: str) -> InputsTest:
    """Read the source of a test of kind "inputs". Raises UserError when it is malformed."""
    try:
        document = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise UserError(f'a test of kind "inputs" needs a JSON object as its source ({error})') from None
    if not isinstance(document, dict):
        raise UserError(f'a test of kind "inputs" needs a JSON object as its source, not {type(document).__name__}')
    texts = {key: document.get(key) for key in ("entry_point", "inputs", "reference")}
    if wrong := [key for key, value in texts.items() if not isinstance(value, str) or not value.strip()]:
        raise UserError(f'a test of kind "inputs" needs text under {", ".join(wrong)}')
    compare, oracle, atol = document.get("compare", "equal"), document.get("oracle", ""), document.get("atol", 0)
    named = isinstance(compare, str) and compare.startswith(ORACLE_PREFIX)
    if not named and compare not in COMPARISONS:
        raise UserError(f"unknown comparison {compare!r}; known are {', '.join(COMPARISONS)} and oracle:NAME")
    if not isinstance(oracle, str) or named != bool(oracle):
        raise UserError('"oracle" must hold a program exactly when "compare" names an oracle')
    if isinstance(atol, bool) or not isinstance(atol, int | float) or not 0 <= atol < math.inf:
        raise UserError(f"atol must be a finite number that is not negative, not {atol!r}")
    return InputsTest(**{key: str(value) for key, value in texts.items()}, atol=atol, compare=compare, oracle=oracle)


MOST_QUICK = 100


def encode_inputs(inputs: Sequence[Sequence[Any]]) -> str:
    """The list of argument lists as Python text that `decode_inputs` turns back into equal values of the same types.

    The text uses literals and calls of float, complex, set and frozenset alone, so `eval` without other names does.
    Raises TypeError for a value of another type.
    """
    return "[" + ", ".join(_text(list(arguments)) for arguments in inputs) + "]"


def encode_json_inputs(inputs: Any) -> str:
    """The same text for what the `json` module gave, whose values Python's own `repr` writes in the same way, but for
    the floats that have no literal; ten times as fast.
    """
    if type(inputs) is list and all(type(arguments) is list for arguments in inputs) and _is_shallow(inputs):
        text = repr(inputs)
        if "inf" not in text and "nan" not in text:
            return text
    return encode_inputs(inputs)


def _is_shallow(value: Any) -> bool:
    """Whether containers are nested at most MOST_QUICK deep; Python's own parser gives up at 200."""
    level = [value]
    for _ in range(MOST_QUICK):
        level = [
            item
            for container in level
            for item in (container if type(container) is list else container.values())
            if type(item) is list or type(item) is dict
        ]
        if not level:
            return True
    return False


def decode_inputs(text: str) -> list[list[Any]]:
    """The list of argument lists that `text` denotes.

    The text is code: evaluate texts of your own making or of a benchmark that you trust, elsewhere use the sandbox.
    Raises UserError when it denotes no list of lists or tuples.
    """
    try:
        value = eval(text, {"__builtins__": {}, **_NAMES})
    except (SyntaxError, NameError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"the inputs cannot be read ({type(error).__name__}: {error})") from None
    if not isinstance(value, list) or not all(isinstance(arguments, list | tuple) for arguments in value):
        raise UserError("the inputs must be a list of argument lists")
    return [list(arguments) for arguments in value]


def _text(value: Any) -> str:
    kind = type(value)
    if value is None or kind in (bool, int, str, bytes):
        return repr(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else f"float('{value}')"
    if kind is complex:
        # repr loses the sign of a zero: eval("(-0-1j)") has the real part 0.0
        return f"complex({_text(value.real)}, {_text(value.imag)})"
    if kind is dict:
        return "{" + ", ".join(f"{_text(key)}: {_text(item)}" for key, item in value.items()) + "}"
    if kind is list:
        return "[" + ", ".join(map(_text, value)) + "]"
    if kind is tuple:
        return "(" + ", ".join(map(_text, value)) + ("," if len(value) == 1 else "") + ")"
    if kind in (set, frozenset):
        items = ", ".join(sorted(map(_text, value)))  # sorted: sets of strings have no order of their own
        return f"{kind.__name__}([{items}])"
    raise TypeError(f"a {kind.__name__} cannot be an input")
