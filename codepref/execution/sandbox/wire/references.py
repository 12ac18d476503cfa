"""Functions, classes and modules of Python and of some libraries, which a test hands over by name.

A reference goes from the test to the solution only. The solution's process looks the name up in its own libraries.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

_LIBRARIES = sys.stdlib_module_names | {"numpy", "pandas", "scipy", "sympy", "networkx", "builtins"}
_OF_UFUNCS = ("numpy", "scipy.special")
_NAMED = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)


def reference_to(value: Any) -> str | None:
    """Return "MODULE:NAME" for a function or a class of a library, and "MODULE:" for a module of a library.

    Also return it for a callable object of a library that has a name, such as `numpy.mean`. Return None for any other
    value, and for an object that its name does not lead to in this process.
    """
    if type(value) is types.ModuleType:
        known = _is_library(value.__name__) and sys.modules.get(value.__name__) is value
        return f"{value.__name__}:" if known else None
    if not isinstance(value, _NAMED) and not _is_named_object(value):
        return None
    name: Any = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    owner = getattr(value, "__objclass__", None)
    module: Any = getattr(owner if owner is not None else value, "__module__", None) or "builtins"
    if type(value).__name__ == "ufunc":
        module = next((path for path in _OF_UFUNCS if getattr(sys.modules.get(path), str(name), None) is value), module)
    if value is type(None):
        module = "types"
    if type(name) is not str or type(module) is not str or not _is_library(module):
        return None
    reference = f"{module}:{name}"
    try:
        return reference if referenced(reference) is value else None
    except (AttributeError, ImportError):
        return None


def _is_named_object(value: Any) -> bool:
    kind = type(value)
    return kind.__module__ != "builtins" and callable(value) and _is_library(str(kind.__module__))


def referenced(reference: str) -> Any:
    """Return the object that a reference names. Raises ImportError or AttributeError if there is none."""
    module, _, name = reference.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split(".") if name else ():
        found = getattr(found, part)
    return found


def _is_library(module: str) -> bool:
    return module.split(".")[0] in _LIBRARIES
