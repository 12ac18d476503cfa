"""Values of the standard library that cross between processes: paths, UUIDs, named tuples, patterns and others.

Each form has a name, a function that turns a value into plain fields, and a function that checks the fields and builds
the value again. Building a value runs no code that its sender chose. A value of a subclass has no form, apart from
exceptions, named tuples, and members of enumerations that are ints or texts.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import itertools
import sys
import types
from collections import namedtuple
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import error_fields, exception_from
from .plain_data import Malformed, Unencodable
from .pure_functions import TYPES, pure_function, pure_reference

if TYPE_CHECKING:
    from .decoder import Decoder

MAX_FIELDS, MAX_PATTERN, MAX_ITERATED = 100, 10_000, 100_000
"""The largest number of fields of a named tuple, of characters of a pattern, and of items of an iterator of a test."""

BOTH, FROM_SOLUTION, FROM_TEST = "both", "from the solution", "from the test"

FUNCTION = "function"
"""The name of the form of a function that crosses by name (see `pure_functions`)."""


class Form:
    """How values of some types cross.

    Attributes:
        types: the full names of the types.
        fields: returns the plain fields of a value, or None if this value cannot cross.
        build: gets the decoder and the fields, checks them and returns the value.
        direction: BOTH, FROM_SOLUTION or FROM_TEST. A value, other than an iterator, that its receiver may change in
        place crosses only from the solution, since a change by the solution to a value of the test would be lost. If
        the test hands such a value back, it crosses as a handle.
    """

    __slots__ = ("build", "direction", "fields", "types")

    def __init__(
        self,
        types_: str,
        fields: Callable[[Any], tuple[Any, ...] | None],
        build: Callable[..., Any],
        direction: str = BOTH,
    ) -> None:
        self.types, self.fields, self.build, self.direction = types_.split(), fields, build, direction


def checked(value: Any, *kinds: type) -> Any:
    """Return `value` if its type is one of `kinds`. Raises Malformed for any other value."""
    if type(value) not in kinds:
        raise Malformed(f"a field of type {type(value).__name__} stands where {kinds[0].__name__} is expected")
    return value


def one_of(module: str, name: Any, names: str) -> Any:
    """Return the object `name` of a module of the standard library. Raises Malformed unless `names` holds the name."""
    if checked(name, str) not in names.split():
        raise Malformed(f"the name {name[:100]!r} is not allowed")
    return getattr(importlib.import_module(module), name)


CLASS_NAMES = frozenset(
    f"{module}:{name}"
    for module, names in {
        "decimal": "Decimal",
        "fractions": "Fraction",
        "datetime": "datetime date time timedelta timezone",
        "collections": "Counter OrderedDict defaultdict deque",
        "uuid": "UUID",
        "pathlib": "Path PurePath PosixPath PurePosixPath",
        "numpy": """
            ndarray matrix bool int8 int16 int32 int64 longlong uint8 uint16 uint32 uint64 ulonglong float16 float32
            float64 longdouble complex64 complex128 clongdouble str_ bytes_ void datetime64 timedelta64 number integer
            signedinteger unsignedinteger floating complexfloating generic""",
        "pandas": """
            DataFrame Series Index RangeIndex MultiIndex DatetimeIndex TimedeltaIndex PeriodIndex IntervalIndex
            CategoricalIndex Categorical Timestamp Timedelta Period Interval""",
    }.items()
    for name in names.split()
)
"""The classes that the form "class" sends, as "MODULE:NAME". Their instances are data."""

_IP = "IPv4Address IPv6Address IPv4Network IPv6Network IPv4Interface IPv6Interface"
_PATHS = "PosixPath WindowsPath PurePosixPath PureWindowsPath"
_RESULTS = "ParseResult SplitResult DefragResult ParseResultBytes SplitResultBytes DefragResultBytes"
_ITERATORS = """
    builtins.list_iterator builtins.tuple_iterator builtins.str_iterator builtins.str_ascii_iterator
    builtins.range_iterator builtins.bytes_iterator builtins.dict_keyiterator builtins.dict_valueiterator
    builtins.dict_itemiterator builtins.set_iterator builtins.list_reverseiterator builtins.enumerate builtins.zip
    builtins.map builtins.filter builtins.reversed itertools.chain itertools.islice"""


def _named(module: str, names: str) -> str:
    return " ".join(f"{module}.{name}" for name in names.split())


def _array(decoder: Decoder, code: Any, data: Any) -> Any:
    array: Any = one_of("array", "array", "array")(checked(code, str))
    array.frombytes(checked(data, bytes))
    return array


def _namespace(decoder: Decoder, names: Any, values: Any) -> Any:
    pairs = zip(checked(names, tuple), checked(values, tuple), strict=True)
    return types.SimpleNamespace(**{checked(name, str): value for name, value in pairs})


def _zone_key(value: Any) -> Any:
    key = getattr(value, "key", None)
    return (key,) if type(key) is str else None


def _zone(decoder: Decoder, key: Any) -> Any:
    return one_of("zoneinfo", "ZoneInfo", "ZoneInfo")(checked(key, str))


def zoned_fields(value: Any) -> tuple[Any, ...] | None:
    """Return the fields of a datetime or a time whose time zone is a ZoneInfo with a key, or None for any other one."""
    zone = value.tzinfo
    if (type(zone).__module__, type(zone).__name__) != ("zoneinfo", "ZoneInfo") or type(zone.key) is not str:
        return None
    names = ("hour", "minute", "second", "microsecond", "fold")
    day = ("year", "month", "day") if hasattr(value, "year") else ()
    return (zone.key, *(int(getattr(value, name)) for name in (*day, *names)))


def _zoned(decoder: Decoder, key: Any, *numbers: Any) -> Any:
    *fields, fold = (checked(number, int) for number in numbers)
    kind = one_of("datetime", "datetime" if len(fields) == 7 else "time", "datetime time")
    return kind(*fields, tzinfo=_zone(decoder, key), fold=fold)


def _pattern(decoder: Decoder, pattern: Any, flags: Any) -> Any:
    if len(checked(pattern, str, bytes)) > MAX_PATTERN:
        raise Malformed("a pattern is too long")
    regex = importlib.import_module("re")
    try:
        return regex.compile(pattern, checked(flags, int))
    except regex.error as error:
        raise Malformed(str(error)) from None


def _class_reference(value: type) -> tuple[str] | None:
    module = str(value.__module__)
    name = f"{'pandas' if module.startswith('pandas.') else module}:{value.__qualname__}"
    return (name,) if name in CLASS_NAMES and module in sys.modules and _class_of(name) is value else None


def _class_of(name: Any) -> Any:
    """Return a class of a library whose instances are data. Raises Malformed for any other name."""
    if checked(name, str) not in CLASS_NAMES:
        raise Malformed("a class is unknown")
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _loaded(decoder: Decoder, name: Any) -> Any:
    """Return the name of an object of a library, after the library was loaded."""
    library = checked(name, str).partition(":")[0].split(".")[0]
    if library in ("numpy", "pandas"):
        (decoder.find_numpy if library == "numpy" else decoder.find_pandas)()
    return name


def _iterated(value: Any) -> tuple[Any, ...]:
    items = tuple(itertools.islice(value, MAX_ITERATED + 1))
    if len(items) > MAX_ITERATED:
        raise Unencodable("an iterator with too many items")
    return (items,)


def _class_fields(value: Any) -> tuple[Any, ...]:
    return (type(value).__name__, str(value))


def _structure(decoder: Decoder, items: Any) -> Any:
    return one_of("time", "struct_time", "struct_time")(checked(items, tuple))


FORMS: dict[str, Form] = {
    "path": Form(
        " ".join((_named("pathlib", _PATHS), _named("pathlib._local", _PATHS))),
        _class_fields,
        lambda decoder, name, text: one_of("pathlib", name, _PATHS)(checked(text, str)),
    ),
    "uuid": Form(
        "uuid.UUID", lambda value: (value.int,), lambda decoder, number: one_of("uuid", "UUID", "UUID")(int=number)
    ),
    "ip": Form(
        _named("ipaddress", _IP),
        _class_fields,
        lambda decoder, name, text: one_of("ipaddress", name, _IP)(checked(text, str)),
    ),
    "zone": Form("zoneinfo.ZoneInfo", _zone_key, _zone),
    "zoned": Form("datetime.datetime datetime.time", zoned_fields, _zoned),
    "status": Form(
        "http.HTTPStatus",
        lambda value: (int(value),),
        lambda decoder, number: one_of("http", "HTTPStatus", "HTTPStatus")(checked(number, int)),
    ),
    "class": Form(
        "builtins.type", lambda value: _class_reference(value), lambda decoder, name: _class_of(_loaded(decoder, name))
    ),
    FUNCTION: Form(TYPES, pure_reference, lambda decoder, name: pure_function(_loaded(decoder, name))),
    "pattern": Form("re.Pattern", lambda value: (value.pattern, value.flags), _pattern),
    "structure": Form("time.struct_time", lambda value: (tuple(value),), _structure),
    "result": Form(
        _named("urllib.parse", _RESULTS),
        lambda value: (type(value).__name__, *value),
        lambda decoder, name, *parts: one_of("urllib.parse", name, _RESULTS)(*parts),
    ),
    "array": Form("array.array", lambda value: (value.typecode, value.tobytes()), _array, FROM_SOLUTION),
    "namespace": Form(
        "types.SimpleNamespace",
        lambda value: (tuple(vars(value)), tuple(vars(value).values())),
        _namespace,
        FROM_SOLUTION,
    ),
    "memory": Form(
        "builtins.memoryview",
        lambda value: (value.tobytes(),) if value.format == "B" and value.ndim == 1 else None,
        lambda decoder, data: memoryview(checked(data, bytes)),
        FROM_SOLUTION,
    ),
    "view": Form(
        "builtins.mappingproxy",
        lambda value: (dict(value),),
        lambda decoder, table: types.MappingProxyType(checked(table, dict)),
        FROM_SOLUTION,
    ),
    "chain": Form(
        "collections.ChainMap",
        lambda value: tuple(value.maps),
        lambda decoder, *maps: one_of("collections", "ChainMap", "ChainMap")(*(checked(part, dict) for part in maps)),
        FROM_SOLUTION,
    ),
    "user": Form(
        "collections.UserDict collections.UserList collections.UserString",
        lambda value: (type(value).__name__, value.data),
        lambda decoder, name, data: one_of("collections", name, "UserDict UserList UserString")(
            checked(data, *_USER_DATA.get(name, ()))
        ),
        FROM_SOLUTION,
    ),
    "exception": Form("", lambda value: None, lambda decoder, *fields: exception_from(fields), FROM_SOLUTION),
    "iterator": Form(_ITERATORS, _iterated, lambda decoder, items: iter(checked(items, tuple)), FROM_TEST),
    "named": Form("", lambda value: None, lambda decoder, *parts: _named_tuple(decoder, *parts)),
    "member": Form("", lambda value: None, lambda decoder, *parts: _member(*parts), FROM_SOLUTION),
}
"""The forms by name."""

_USER_DATA: dict[str, tuple[type, ...]] = {"UserDict": (dict,), "UserList": (list,), "UserString": (str,)}
_BY_TYPE = {name: (key, form) for key, form in FORMS.items() for name in form.types}


def form_of(value: Any, *, from_test: bool) -> tuple[str, tuple[Any, ...]] | None:
    """Return the name of the form and the fields of a value, or None if it has no form for this direction.

    from_test: whether the value goes from the test to the solution.
    Raises Unencodable for an iterator with too many items, and what the iterator raises.
    """
    kind = type(value)
    found = _BY_TYPE.get(f"{kind.__module__}.{kind.__qualname__}")
    if found is None:
        return _of_subclass(value, from_test)
    name, form = found
    module = sys.modules.get(kind.__module__)
    if getattr(module, kind.__name__, kind) is not kind or form.direction == (
        FROM_SOLUTION if from_test else FROM_TEST
    ):
        return None
    fields = form.fields(value)
    return None if fields is None else (name, fields)


def keeps_handle(name: str) -> bool:
    """Return whether a value of this form crosses back to the solution as a handle."""
    return name in ("pandas", "objects") or (name in FORMS and FORMS[name].direction == FROM_SOLUTION)


def _of_subclass(value: Any, from_test: bool) -> tuple[str, tuple[Any, ...]] | None:
    kind = type(value)
    if issubclass(kind, BaseException) and not from_test:
        return "exception", error_fields(value)
    if issubclass(kind, tuple):
        names = getattr(kind, "_fields", None)
        if from_test and kind not in _REBUILT:
            return None
        if type(names) is tuple and len(names) == len(value) and all(type(name) is str for name in names):
            return "named", (kind.__name__, names, tuple(tuple.__iter__(value)))
    elif not from_test and issubclass(kind, int | str) and hasattr(kind, "__members__"):
        base: Any = int if issubclass(kind, int) else str
        member = getattr(value, "_name_", None)
        if type(member) is str:
            plain = int.__int__(value) if base is int else str.__str__(value)
            return "member", (kind.__name__, member, plain, str(value), repr(value))
    return None


_REBUILT: set[type] = set()
_CLASSES: dict[tuple[str, tuple[str, ...]], type] = {}


def tuple_class(name: str, fields: tuple[str, ...]) -> type:
    """Return the class of named tuples with these names. Raises ValueError for names that no class can have."""
    known = _CLASSES.get((name, fields))
    if known is None:
        known = _CLASSES[name, fields] = namedtuple(name, fields, module="solution")
        _REBUILT.add(known)
    return known


def _named_tuple(decoder: Decoder, name: Any, fields: Any, items: Any) -> Any:
    if len(checked(fields, tuple)) > MAX_FIELDS or not all(type(field) is str for field in fields):
        raise Malformed("the fields of a named tuple are malformed")
    kind = decoder.tuple_class(checked(name, str), fields)
    if len(checked(items, tuple)) != len(fields):
        raise Malformed("a named tuple has another number of items than of fields")
    return tuple.__new__(kind, items)


def _member(name: Any, member: Any, value: Any, text: Any, shown: Any) -> Any:
    """Build an int or a text that has the value, the name and the texts of a member of an enumeration."""
    for part in (name, member, text, shown):
        checked(part, str)
    return _known_member(name, member, checked(value, int, str), text, shown)


@functools.lru_cache(maxsize=1000, typed=True)
def _known_member(name: str, member: str, value: Any, text: str, shown: str) -> Any:
    if hasattr(builtins, name):
        raise Malformed("a member of an enumeration has the type of a builtin")
    body: dict[str, Any] = {"name": member, "value": value, "__module__": "solution"}
    for method, result in (("__str__", text), ("__repr__", shown)):
        body[method] = functools.partialmethod(_answer, result)
    return type(name, (type(value),), body)(value)


def _answer(member: Any, result: str) -> str:
    return result
