"""Tasks of HumanEval+ and MBPP+ with special rules about which outputs are right.

The tasks and the rules come from EvalPlus 0.3.1 (`evalplus/eval/_special_oracle.py` and
`evalplus/eval/__init__.py`). The programs below are written for codepref.
"""

from __future__ import annotations

from codepref.problems.inputs import ORACLE_PREFIX

_SET_TASKS = frozenset(
    {
        "similar_elements",
        "find_char_long",
        "common_in_nested_lists",
        "extract_singly",
        "larg_nnum",
        "intersection_array",
        "find_dissimilar",
        "Diff",
    }
)
"""Entry points of MBPP tasks whose outputs are compared as sets."""

_NOT_NONE_TASKS = frozenset({"check_str", "text_match_three", "text_starta_endb"})
"""Entry points of MBPP tasks for which it only matters whether the output is None."""

_ROOT_OF_POLYNOMIAL = """\
def accept(arguments, output, expected, atol):
    total = 0.0
    for coefficient in reversed(arguments[0]):
        total = total * output + coefficient
    return abs(total) <= atol
"""

_ANYTHING = """\
def accept(arguments, output, expected, atol):
    return True
"""

_ZERO = """\
def accept(arguments, output, expected, atol):
    return output == 0
"""

_SURFACE_OF_PYRAMID = """\
def accept(arguments, output, expected, atol):
    edge, height = arguments
    slant = ((edge / 2) ** 2 + height**2) ** 0.5
    return abs(output - round(edge**2 + 2 * edge * slant)) <= atol
"""

_DISTANCE_OF_PADDED_DIGITS = """\
def accept(arguments, output, expected, atol):
    first, second = (str(number) for number in arguments)
    width = max(len(first), len(second))
    pairs = zip(first.zfill(width), second.zfill(width))
    return output == sum(abs(int(left) - int(right)) for left, right in pairs)
"""

_ORACLES = {
    ("HumanEval", "find_zero"): _ROOT_OF_POLYNOMIAL,
    ("Mbpp", "are_equivalent"): _ANYTHING,
    ("Mbpp", "sum_div"): _ZERO,
    ("Mbpp", "surface_Area"): _SURFACE_OF_PYRAMID,
    ("Mbpp", "digit_distance_nums"): _DISTANCE_OF_PADDED_DIGITS,
}


def comparison(task_id: str, entry_point: str) -> tuple[str, str]:
    """Return the fields `compare` and `oracle` of this task's tests, which `codepref.problems.inputs` explains."""
    benchmark = task_id.partition("/")[0]
    if oracle := _ORACLES.get((benchmark, entry_point)):
        return ORACLE_PREFIX + entry_point, oracle
    if benchmark == "Mbpp" and entry_point in _SET_TASKS:
        return "set", ""
    if benchmark == "Mbpp" and entry_point in _NOT_NONE_TASKS:
        return "not_none", ""
    return "equal", ""
