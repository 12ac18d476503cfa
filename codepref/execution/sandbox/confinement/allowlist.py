"""The check whether a solution or a test may run in a process that other code will use after it.

Forking and ending a process takes far longer than running a short solution. A solution may share a process only
if its syntax tree shows that it can reach nothing that outlives its own namespace. Such a solution imports only
stateless modules, defines no class, uses only the builtins, methods and functions of modules that are listed here, and
assigns to no attribute. A solution is checked before it runs, in the process that may run it. All earlier solutions in
that process have passed the check too. Every other solution gets a process of its own. A solution that dies, runs
out of memory, or is not loaded in time in a shared process runs again in its own process.

Builtins, methods and modules are refused unless they are listed here. Kinds of syntax are allowed unless they are
listed.
"""

from __future__ import annotations

import ast
import builtins


def words(text: str) -> frozenset[str]:
    """Return the set of the words of a text."""
    return frozenset(text.split())


_BUILTINS = words("""
    abs all any bin bool bytearray bytes chr complex dict divmod enumerate filter float frozenset hex
    int isinstance iter len list map max min next oct ord pow print range repr reversed round set slice sorted str sum
    tuple zip __name__ True False None NotImplemented Ellipsis""") | {
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)
}

_METHODS = words("""
    append extend insert remove pop clear index count sort reverse copy keys values items get setdefault
    update popitem fromkeys add discard union intersection difference symmetric_difference issubset issuperset
    isdisjoint
    intersection_update difference_update symmetric_difference_update capitalize casefold center endswith
    expandtabs find isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric isspace istitle
    isupper join ljust lower lstrip partition removeprefix removesuffix replace rfind rindex rjust rpartition
    rsplit rstrip split splitlines startswith strip swapcase title translate maketrans upper zfill pow encode decode
    bit_length bit_count conjugate real imag numerator denominator is_integer as_integer_ratio appendleft extendleft
    popleft
    rotate most_common elements total sqrt floor ceil gcd lcm log log2 log10 exp sin cos tan asin acos atan atan2
    pi e inf nan tau isclose isnan isinf isqrt factorial comb perm prod fabs fsum hypot fmod modf trunc copysign
    degrees radians permutations combinations combinations_with_replacement product chain accumulate groupby
    zip_longest cycle repeat takewhile dropwhile islice starmap tee compress filterfalse pairwise heappush heappop
    heapify heapreplace heappushpop nlargest nsmallest merge bisect bisect_left bisect_right insort insort_left
    insort_right""")

_TYPES = words("""
    AbstractSet Any AnyStr ByteString Callable ClassVar Collection Container Counter DefaultDict Deque Dict Final
    FrozenSet Generator Generic Hashable ItemsView Iterable Iterator KeysView List Mapping MutableMapping
    MutableSequence MutableSet NoReturn Optional OrderedDict Reversible Sequence Set Sized SupportsFloat SupportsInt
    Text Tuple Type TypeVar Union ValuesView""")
"""Names of `typing` that may be imported. Names that make classes or keep values, such as NamedTuple, are left out."""

MODULES = frozenset({"math", "itertools", "heapq", "bisect"})
"""Modules that may be imported as a whole."""

_NAMES = {
    **dict.fromkeys(MODULES, _METHODS),
    "functools": frozenset({"reduce", "cmp_to_key"}),
    "collections": frozenset({"Counter", "defaultdict", "deque", "OrderedDict"}),
    "typing": _TYPES,
}
"""The names that may be imported from each module."""

_GUARDED = (ast.Try, getattr(ast, "TryStar", ast.Try))
_YIELDS = (ast.Yield, ast.YieldFrom)
_REFUSED_SYNTAX = (ast.ClassDef, ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith, ast.With, ast.Match)


def shareable(tree: ast.AST) -> bool:
    """Return whether this check finds that code with this syntax tree leaves nothing behind in its process."""
    return all(_allowed(node) for node in ast.walk(tree))


def _allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        known = node.id in _BUILTINS
        return known or not (node.id.startswith("__") or hasattr(builtins, node.id))
    if isinstance(node, ast.Attribute):
        return node.attr in _METHODS and isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Import):
        return all(name.name in MODULES for name in node.names)
    if isinstance(node, ast.ImportFrom):
        return not node.level and {name.name for name in node.names} <= _NAMES.get(node.module or "", frozenset())
    if isinstance(node, _GUARDED):
        # A generator that is suspended in a `try` runs its handlers when it is deleted, while the next solution runs.
        return not any(isinstance(inner, _YIELDS) for inner in ast.walk(node))
    if isinstance(node, (ast.FunctionDef, ast.ExceptHandler, ast.alias)):
        bound = getattr(node, "asname", None) or node.name or ""
        return not bound.startswith("__")
    return not isinstance(node, _REFUSED_SYNTAX)
