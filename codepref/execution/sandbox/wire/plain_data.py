"""Definitions of plain data, which crosses between a test runner and a solution. The encoder and the decoder use them.

Plain data is None, bool, int of any size, float (bit for bit), complex, str (with lone surrogates), bytes, bytearray,
list, tuple, dict, set, frozenset, range, slice, Ellipsis, views of dicts, Counter, OrderedDict, defaultdict, deque,
Decimal, Fraction, dates and times, numpy scalars and arrays, and some builtin types themselves (BUILTIN_TYPES). The
modules `library_values` and `tables` add further values of libraries. An instance of a subclass crosses from the
solution as its base type, unless one of these modules has a form for it. An instance of a subclass of a type of numpy
or pandas, and any other value of a solution, crosses as a handle, which stands for an object that stays in the
solution's process. Of a test's other values, only proxies cross, and functions, classes and modules of libraries (see
the module `references`).

Bytes that come from a solution's process are never read with pickle or marshal, since both can build more than data.
"""

from __future__ import annotations

import builtins
import struct
import sys
from struct import Struct
from typing import Any

STRUCT_ERROR = struct.error
U32, I64, F64, TWO_F64 = Struct("<I"), Struct("<q"), Struct("<d"), Struct("<dd")

MAX_DEPTH = 1000
"""The largest number of levels of nesting that can cross. A container that `packed` writes adds no level."""

DEEP = 20 * MAX_DEPTH
"""The recursion limit, unless it is higher already, while a deeply nested value is encoded or decoded."""

_NUMBERS, _TEXTS = (bool, int, float, complex), (str, bytes, bytearray)
_CONTAINERS = (list, tuple, dict, set, frozenset, range)
_ERRORS = [cls for cls in vars(builtins).values() if isinstance(cls, type) and issubclass(cls, Exception)]
BUILTIN_TYPES: dict[str, type] = {
    cls.__name__: cls for cls in (*_NUMBERS, *_TEXTS, *_CONTAINERS, type, object, type(None), *_ERRORS)
}
"""The builtin types that can cross as values, by name. For example, a test can hand over `int` as an argument."""


class Malformed(Exception):
    """The bytes are not a valid encoding of what their receiver expects."""


class Unencodable(Exception):
    """A value cannot cross. Examples are a function that a test defines and an instance of a test's own class.

    Attributes:
        value: the value.
    """

    def __init__(self, name: str, value: Any = None) -> None:
        super().__init__(name)
        self.value = value


class DeepStack:
    """A context that raises the recursion limit to at least DEEP. It restores the limit, since tests can read it."""

    def __enter__(self) -> None:
        self._before = sys.getrecursionlimit()
        sys.setrecursionlimit(max(self._before, DEEP))

    def __exit__(self, *_: object) -> None:
        sys.setrecursionlimit(self._before)
