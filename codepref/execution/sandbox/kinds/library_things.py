"""Knows which classes and functions of libraries a test can compare with an answer that has crossed.

If an object of a library cannot cross, a proxy arrives in the test runner in its place. A test must share a process
with the solution if it checks whether an answer is an instance of such a class, or compares an answer with such a
function or class.
"""

from __future__ import annotations

import ast

from ..confinement.allowlist import words
from ..wire.library_values import CLASS_NAMES
from ..wire.plain_data import BUILTIN_TYPES
from ..wire.pure_functions import PURE, pure_reference
from .handing import ANSWER, MIXED, Origins
from .libraries import MODULES, resolved
from .test_text import TestText

_DATA_MODULES = words("builtins collections numbers decimal fractions datetime pathlib uuid ipaddress typing")
"""Modules whose classes are mostly data that cross, or abstract classes whose methods a proxy can have."""

_DATA_CLASSES = words("""
    re.Pattern array.array zoneinfo.ZoneInfo types.SimpleNamespace types.NoneType types.MappingProxyType
    time.struct_time http.HTTPStatus urllib.parse.ParseResult urllib.parse.SplitResult""")

_OF_NUMPY = words("""
    bool_ byte ubyte short ushort intc uintc int_ uint intp uintp long ulong half single double csingle cdouble
    float_ complex_ object_ flexible character inexact recarray record memmap dtype ufunc rec.recarray""")
_OF_PANDAS = words("""
    NaT NA DateOffset BooleanDtype CategoricalDtype DatetimeTZDtype IntervalDtype PeriodDtype StringDtype Int8Dtype
    Int16Dtype Int32Dtype Int64Dtype UInt8Dtype UInt16Dtype UInt32Dtype UInt64Dtype Float32Dtype Float64Dtype
    api.typing.NaTType api.typing.NAType core.frame.DataFrame core.series.Series core.indexes.base.Index
    api.extensions.ExtensionArray api.extensions.ExtensionDtype""")
_BELOW = ("pandas.offsets.", "pandas.tseries.offsets.", "pandas.arrays.", "pandas.errors.", "numpy.exceptions.")
_CONSTANTS = words("nan inf pi e euler_gamma newaxis little_endian linalg fft random ma")
_MODULES = frozenset(path.split(".")[0] for path in MODULES.values()) - words("scipy sympy networkx matplotlib")
_TYPES = frozenset(BUILTIN_TYPES.values()) | {slice, memoryview}
_CLASSES = (
    {name.replace(":", ".") for name in CLASS_NAMES}
    | {f"numpy.{name}" for name in _OF_NUMPY}
    | {f"pandas.{name}" for name in _OF_PANDAS}
    | _DATA_CLASSES
)


def instances_cross(path: str) -> bool:
    """Return whether a test can check an answer against the class with this dotted path without a shared process.

    This is so if the instances are data that cross, and for abstract classes such as numbers.Number. For the modules in
    _DATA_MODULES only the name of the module decides, so the result is also true for a few classes whose instances do
    not cross.
    """
    return path.split(".")[0] in _DATA_MODULES or path in _CLASSES or path.startswith(_BELOW)


def compares_with_library(text: TestText) -> bool:
    """Return whether the test compares an answer with a class or function of a library that cannot cross by name.

    Only the operators `==`, `!=`, `is` and `is not` count. The type of an answer counts as an answer. The result is
    also true if the test makes an array by `pandas.array` (see `_makes_array`).
    """
    if _makes_array(text):
        return True
    found = []
    for node in text.nodes[ast.Compare]:
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if isinstance(operator, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
                found += [b for a, b in ((left, right), (right, left)) if _is_only_here(text.path(a))]
    if not found:
        return False
    origins = Origins(text)
    return any(origins.of(part) in (ANSWER, MIXED) for part in found)


def _makes_array(text: TestText) -> bool:
    """Return whether the test calls `pandas.array` outside the arguments of another call of a function of pandas."""
    calls = {id(node): text.path(node.func) for node in text.nodes[ast.Call]}
    made = {at for at, path in calls.items() if path == "pandas.array"}
    tables = (node for node in text.nodes[ast.Call] if made and calls[id(node)].startswith("pandas."))
    parts = (part for node in tables for part in (*node.args, *(word.value for word in node.keywords)))
    return bool(made - {id(inner) for part in parts for inner in ast.walk(part)})


def _is_only_here(path: str) -> bool:
    """Return whether a dotted path seems to lead to a class or function of a library that does not cross by name.

    Of numpy and pandas, only a name in lower case counts, such as `pandas.read_csv`, and the path alone decides, since
    these libraries may not be loaded here. For a module of Python, the object to which the path leads decides.
    """
    top, _, name = path.partition(".")
    if top in ("numpy", "pandas"):
        named = name.removeprefix("linalg.").removeprefix("fft.")
        function = named.isidentifier() and named.islower() and path not in _CLASSES and named not in _CONSTANTS
        return function and ":".join(path.rsplit(".", 1)) not in PURE
    if top not in _MODULES:
        return False
    try:
        thing = resolved(path)
    except (ImportError, AttributeError):
        return False
    if isinstance(thing, type):
        return thing not in _TYPES and (top == "builtins" or not instances_cross(path))
    return callable(thing) and pure_reference(thing) is None
