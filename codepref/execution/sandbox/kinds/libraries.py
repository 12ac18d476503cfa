"""Names of libraries that tests use without importing them.

The text of the test decides whether it means the library's name or the solution's (see `Uses.of_solution`). If it
means the library's, a test apart from the solution gets it from the test runner's own library, whatever a solution
binds to the name. Otherwise the solution's process would get expected values, for example in `isclose(f(x), 0.5)`, or
decide itself whether it is right.
"""

from __future__ import annotations

import ast
import importlib
from collections import Counter
from typing import Any

_MODULES = """
    abc array ast asyncio base64 bisect builtins calendar cmath collections contextlib copy csv dataclasses datetime
    decimal difflib enum fractions functools hashlib heapq inspect io ipaddress itertools json keyword locale logging
    math numbers operator os pathlib pickle pprint queue random re secrets shutil statistics string struct sys tempfile
    textwrap threading time timeit types typing unicodedata unittest urllib uuid warnings zlib
    numpy pandas scipy sympy networkx
"""
_SHORT = {"np": "numpy", "pd": "pandas", "dt": "datetime", "nx": "networkx", "plt": "matplotlib.pyplot"}
MODULES = {**{name: name for name in _MODULES.split()}, **_SHORT}
"""The usual names of modules in tests, and the modules that they mean."""

_ATTRIBUTES = {
    "collections": "Counter defaultdict OrderedDict deque namedtuple ChainMap UserDict UserList UserString",
    "math": "isclose isnan isinf isfinite sqrt ceil floor pi inf nan tau gcd lcm factorial comb perm hypot fsum prod",
    "cmath": "phase polar rect",
    "decimal": "Decimal getcontext localcontext ROUND_HALF_UP ROUND_HALF_EVEN",
    "fractions": "Fraction",
    "datetime": "datetime date timedelta timezone",
    "functools": "reduce partial lru_cache cmp_to_key wraps",
    "itertools": "permutations combinations product chain zip_longest islice accumulate groupby count cycle repeat",
    "operator": "itemgetter attrgetter methodcaller",
    "copy": "deepcopy",
    "random": "randint choice shuffle uniform sample randrange",
    "re": "fullmatch",
    "statistics": "mean median mode stdev pstdev variance pvariance fmean",
    "string": "ascii_lowercase ascii_uppercase ascii_letters digits punctuation hexdigits whitespace",
    "heapq": "heappush heappop heapify nlargest nsmallest",
    "bisect": "bisect_left bisect_right insort",
    "pathlib": "Path PurePath PurePosixPath",
    "typing": "List Dict Tuple Set Optional Union Any Callable Iterable Iterator Sequence Mapping FrozenSet Generator",
    "types": "SimpleNamespace GeneratorType FunctionType",
    "uuid": "UUID uuid4",
    "io": "StringIO BytesIO",
    "time": "perf_counter process_time",
    "collections.abc": "Hashable Sized Iterable Container Collection MutableMapping MutableSequence",
    "enum": "Enum IntEnum",
    "dataclasses": "dataclass asdict astuple",
    "unittest.mock": "patch Mock MagicMock",
    "contextlib": "redirect_stdout redirect_stderr suppress",
    "numpy": "allclose ndarray",
    "numpy.testing": "assert_allclose assert_array_equal assert_almost_equal assert_array_almost_equal",
    "pandas": "DataFrame Series",
    "pandas.testing": "assert_frame_equal assert_series_equal",
    "ast": "literal_eval",
}
ATTRIBUTES = {name: f"{module}.{name}" for module, names in reversed(_ATTRIBUTES.items()) for name in names.split()}
"""Names that tests use without an import and that belong to a known module, with their dotted paths."""


def module_of_name(name: str, attributes: set[str]) -> str:
    """Return the dotted path of a name that a test uses without binding it, or "" if no library is known for this use.

    attributes: the attributes of the name that the test uses. `time.time()` uses the module, `time()` does not.
    """
    if attributes and name in MODULES:
        return MODULES[name]
    return ATTRIBUTES.get(name, "")


class Uses:
    """How a test uses names that it does not bind. It decides whether such a name is a library's or the solution's.

    others: names of the solution that the test uses besides names of libraries.
    """

    def __init__(self, nodes: dict[type, list[Any]], others: set[str]) -> None:
        self.others = others
        self.asserts: list[set[str]] = [names_in_tree(node) for node in nodes[ast.Assert]]
        self.derived = set(others)
        for _ in range(3):
            for node in nodes[ast.Assign]:
                if names_in_tree(node.value) & self.derived:
                    self.derived.update(*map(names_in_tree, node.targets))
        self._counts = Counter(node.id for node in nodes[ast.Name])
        calls = [node for node in nodes[ast.Call] if names_in_tree(node.func) & others]
        inside = {
            id(name): name.id
            for call in calls
            for part in call.args
            for name in ast.walk(part)
            if isinstance(name, ast.Name)
        }
        self._inside = Counter(inside.values())

    def of_solution(self, name: str) -> bool:
        """Return whether the test seems to mean the solution's own `name`, although a library has one.

        It does if nothing else in the test is the solution's, if an assertion tests it without anything else of the
        solution (`assert gcd(12, 8) == 4`), or if it stands only in positional arguments of calls of the solution
        (`area(sample())`). `assert isclose(half(5), 2.5)` means the library's `isclose`.
        """
        if not self.others or self._counts[name] == self._inside[name]:
            return True
        return any(name in names and not (names & self.derived) - {name} for names in self.asserts)


def names_in_tree(tree: ast.AST) -> set[str]:
    """Return the identifiers of all `ast.Name` nodes in a tree."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def resolved(path: str) -> Any:
    """Return the object with this dotted path. Raises ImportError or AttributeError if there is none."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            found = getattr(found, name)
        return found
    raise ImportError(path)
