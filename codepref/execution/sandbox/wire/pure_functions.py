"""Functions of libraries that cross by name: an answer may be such a function, and a test may compare or call it.

The receiver's process runs such a function, and the sender may be an untrusted solution. So each function here only
computes a value from its arguments. None of them evaluates a text, looks up a name, or reaches files or the process.
A function that is not in PURE crosses from a solution as a handle.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from .plain_data import Malformed

_NAMES = {
    "builtins": "abs all any bin chr divmod hex len max min oct ord pow round sorted sum",
    "math": """
        acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist erf erfc exp exp2 expm1
        fabs factorial floor fmod frexp fsum gamma gcd hypot isclose isfinite isinf isnan isqrt lcm ldexp lgamma log
        log10 log1p log2 modf nextafter perm pow prod radians remainder sin sinh sqrt tan tanh trunc ulp""",
    "operator": """
        abs add and_ concat contains countOf eq floordiv ge getitem gt index indexOf inv invert is_ is_not le lshift lt
        matmul mod mul ne neg not_ or_ pos pow rshift sub truediv truth xor""",
    "statistics": """
        fmean geometric_mean harmonic_mean mean median median_high median_low mode pstdev pvariance stdev variance""",
    "numpy": """
        abs absolute add all allclose amax amin any append arange arccos arcsin arctan arctan2 argmax argmin argsort
        around array array_equal asarray average bincount bitwise_and bitwise_or bitwise_xor cbrt ceil clip concatenate
        convolve corrcoef correlate cos cosh count_nonzero cov cross cumprod cumsum deg2rad degrees diag diff digitize
        divide dot equal exp exp2 expm1 eye flip float_power floor floor_divide fmax fmin full gcd gradient greater
        greater_equal histogram hstack hypot identity inner interp invert isclose isfinite isin isinf isnan kron lcm
        left_shift less less_equal linspace log log10 log1p log2 logical_and logical_not logical_or logical_xor logspace
        matmul max maximum mean median meshgrid min minimum mod multiply nanmax nanmean nanmedian nanmin nanstd nansum
        nanvar negative nonzero not_equal ones outer percentile positive power prod ptp quantile rad2deg radians ravel
        reciprocal remainder repeat reshape right_shift roll rot90 round sign sin sinh sort split sqrt square squeeze
        stack std subtract sum tan tanh tile trace transpose trapezoid tril triu true_divide trunc unique var vdot
        vstack where zeros""",
    "numpy.linalg": """
        cond det eig eigh eigvals eigvalsh inv lstsq matrix_power matrix_rank norm pinv qr slogdet solve svd""",
}
_METHODS_OF_TEXTS = """
    capitalize casefold center count endswith expandtabs find index isalnum isalpha isascii isdecimal isdigit
    isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip partition removeprefix
    removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title
    translate upper zfill"""

PURE = frozenset(
    [f"{module}:{name}" for module, names in _NAMES.items() for name in names.split()]
    + [f"builtins:str.{name}" for name in _METHODS_OF_TEXTS.split()]
)
"""The functions as "MODULE:NAME"."""

_ALIASES = {"_operator": "operator", None: "numpy"}
TYPES = """
    builtins.builtin_function_or_method builtins.function builtins.method_descriptor numpy.ufunc
    numpy._ArrayFunctionDispatcher"""
"""The full names of the types of these functions."""


def pure_reference(value: Any) -> tuple[str] | None:
    """Return a tuple with the reference "MODULE:NAME" to a function, or None if the function is not in PURE."""
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if type(value).__name__ == "method_descriptor":
        module, name = "builtins", f"str.{name}"
    reference = f"{_ALIASES.get(module, module)}:{name}"
    if reference not in PURE or reference.partition(":")[0] not in sys.modules:
        return None
    return (reference,) if _found(reference) is value else None


def pure_function(reference: Any) -> Any:
    """Return the function of a reference.

    Raises Malformed if the reference is not in PURE, or if the library of this process lacks the function. Raises
    ImportError if the library is not installed.
    """
    if type(reference) is not str or reference not in PURE:
        raise Malformed("a function is unknown")
    found = _found(reference)
    if found is None:
        raise Malformed("a function is missing here")
    return found


def _found(reference: str) -> Any:
    module, _, path = reference.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found
