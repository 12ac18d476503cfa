"""Tests of kind "inputs". They hold inputs, and a reference solution that gives the expected outputs.

`Test.source` is a JSON object:

| key | value |
|---|---|
| `entry_point` | name of the function that the test calls |
| `inputs` | Python expression of the list of argument lists; see `encode_inputs` and `decode_inputs` |
| `reference` | program that defines the function; what the function returns is the expected output |
| `atol` | absolute tolerance; 0 stands for 1e-6 where floats are expected, and elsewhere requires equality |
| `compare` | "equal", "set", "not_none" or "oracle:NAME" |
| `oracle` | program that defines `accept(arguments, output, expected, atol)`, if `compare` names an oracle; else "" |

The test passes if the output for every input is accepted. The solution and the reference each get their own copy of the
arguments. `compare` says which outputs are accepted:

- "equal": `output == expected`. An int is also accepted where a rounded float is expected: if it differs from the
  float by at most 1e-12, absolute or relative, and below 2^53 by less than one half. With a tolerance above zero, an
  unequal output is also accepted if it has the type of `expected` and is close to it. Lists and tuples are close if
  they are equally long and their items are close. Numbers are close if
  `abs(output - expected) <= tolerance + 1e-7 * abs(expected)`. Other values must be equal. The tolerance is `atol`, or
  1e-6 if `atol` is 0 and `expected` is a float or a non-empty list or tuple of floats.
- "set": `set(output) == set(expected)`, or an unequal output that "equal" accepts. An output for which `set` raises an
  exception is not accepted.
- "not_none": only whether the reference's output is None matters. Let `expected` be `reference_output is not None`. A
  bool is accepted if it equals `expected`. Any other output is accepted if `(output is not None) == expected`.
- "oracle:NAME": what "equal" accepts, or an output for which `accept(...)` returns a true value. If `accept` raises an
  exception, it does not accept the output.

The comparisons follow EvalPlus 0.3.1 (`evalplus/eval/__init__.py`, arXiv 2305.01210), but differ in some cases. For
example, EvalPlus accepts no int that differs from an expected float, so it fails exact solutions of Mbpp/287. EvalPlus
compares with `numpy.allclose`, which broadcasts, and in EvalPlus one float output raises the tolerance for all later
inputs. Here it raises the tolerance for its own input.
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
    """The parsed source of a test of kind "inputs". The table in the module's docstring describes the fields."""

    entry_point: str
    inputs: str
    reference: str
    atol: float = 0.0
    compare: str = "equal"
    oracle: str = ""

    def to_source(self) -> str:
        """Return the JSON text for `Test.source`."""
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
    """Parse the source of a test of kind "inputs". Raises UserError if the source is malformed."""
    try:
        document = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise UserError(f'the source of a test of kind "inputs" must be a JSON object ({error})') from None
    if not isinstance(document, dict):
        raise UserError(f'the source of a test of kind "inputs" must be a JSON object, not {type(document).__name__}')
    texts = {key: document.get(key) for key in ("entry_point", "inputs", "reference")}
    if wrong := [key for key, value in texts.items() if not isinstance(value, str) or not value.strip()]:
        raise UserError(
            f'the source of a test of kind "inputs" needs a text that is not blank under {", ".join(wrong)}'
        )
    compare, oracle, atol = document.get("compare", "equal"), document.get("oracle", ""), document.get("atol", 0)
    named = isinstance(compare, str) and compare.startswith(ORACLE_PREFIX)
    if not named and compare not in COMPARISONS:
        raise UserError(f"unknown comparison {compare!r}. The comparisons are {', '.join(COMPARISONS)} and oracle:NAME")
    if not isinstance(oracle, str) or named != bool(oracle):
        raise UserError('"oracle" must hold a program exactly when "compare" names an oracle')
    if isinstance(atol, bool) or not isinstance(atol, int | float) or not 0 <= atol < math.inf:
        raise UserError(f"atol must be a finite number that is not negative, not {atol!r}")
    return InputsTest(**{key: str(value) for key, value in texts.items()}, atol=atol, compare=compare, oracle=oracle)


MAX_REPR_DEPTH = 100
"""`encode_json_inputs` uses `repr` only for values that are nested at most this deep.

Python's parser rejects more than 200 nested brackets.
"""


def encode_inputs(inputs: Sequence[Sequence[Any]]) -> str:
    """Return the list of argument lists as Python text.

    `decode_inputs` gives the values back with their types, unless they are nested too deeply for Python's parser. The
    text holds only literals and calls of float, complex, set and frozenset, so `eval` needs no other names. Raises
    TypeError for a value that cannot be written in this way, ValueError for an integer with too many digits, and
    RecursionError for very deep nesting.
    """
    return "[" + ", ".join(_text(list(arguments)) for arguments in inputs) + "]"


def encode_json_inputs(inputs: Any) -> str:
    """Return what `encode_inputs` returns, usually much faster, for values that the `json` module read.

    `repr` writes such values in the same way, except for floats that have no literal (inf and nan).
    """
    if type(inputs) is list and all(type(arguments) is list for arguments in inputs) and _is_shallow(inputs):
        text = repr(inputs)
        if "inf" not in text and "nan" not in text:
            return text
    return encode_inputs(inputs)


def _is_shallow(value: Any) -> bool:
    """Return whether lists and dicts in `value` are nested at most MAX_REPR_DEPTH deep."""
    level = [value]
    for _ in range(MAX_REPR_DEPTH):
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
    """Return the list of argument lists that `text` denotes.

    This function evaluates the text as code. Call it only with a text that you trust, and use the sandbox for any other
    text. Raises UserError if the text is not Python, needs other names than those of `encode_inputs`, or denotes
    anything but a list of lists or tuples. Some other exceptions of the text, such as ZeroDivisionError, pass through.
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
        # repr loses the sign of a zero: the real part of eval("(-0-1j)") is 0.0, not -0.0
        return f"complex({_text(value.real)}, {_text(value.imag)})"
    if kind is dict:
        return "{" + ", ".join(f"{_text(key)}: {_text(item)}" for key, item in value.items()) + "}"
    if kind is list:
        return "[" + ", ".join(map(_text, value)) + "]"
    if kind is tuple:
        return "(" + ", ".join(map(_text, value)) + ("," if len(value) == 1 else "") + ")"
    if kind in (set, frozenset):
        # sorted, because the order of a set of strings changes from process to process
        items = ", ".join(sorted(map(_text, value)))
        return f"{kind.__name__}([{items}])"
    raise TypeError(f"a value of type {kind.__name__} cannot be an input")
