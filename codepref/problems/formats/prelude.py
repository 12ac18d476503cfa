"""The imports that solutions of contest problems may leave out, since LeetCode and the graders of data sets add them.

LiveCodeBench and APPS put star imports of a dozen modules before each solution. `PRELUDE` has one line for each name,
so that codepref puts before a solution only the imports that the solution uses.
"""

from __future__ import annotations

_MODULES = """
    array bisect cmath collections copy datetime decimal fractions functools heapq itertools json math operator os
    queue random re statistics string sys time typing"""

_NAMES = {
    "typing": """
        Any Callable DefaultDict Deque Dict FrozenSet Generator Generic Hashable Iterable Iterator List Mapping
        MutableMapping NamedTuple NoReturn Optional Sequence Set Sized Text Tuple Type TypeVar Union""",
    "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
    "bisect": "bisect_left bisect_right insort insort_left insort_right",
    "copy": "deepcopy",
    "dataclasses": "dataclass field",
    "decimal": "Decimal getcontext",
    "fractions": "Fraction",
    "functools": "cache cached_property cmp_to_key lru_cache partial reduce total_ordering wraps",
    "heapq": "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
    "io": "BytesIO StringIO",
    "itertools": """
        accumulate chain combinations combinations_with_replacement compress count cycle dropwhile filterfalse groupby
        islice pairwise permutations product repeat starmap takewhile tee zip_longest""",
    "math": """
        acos asin atan atan2 ceil comb cos degrees dist e exp fabs factorial floor fmod fsum gcd hypot inf isclose
        isfinite isinf isnan isqrt lcm ldexp log log10 log1p log2 modf nan perm pi prod radians sin sqrt tan tau
        trunc""",
    "operator": "add and_ attrgetter eq ge gt itemgetter le lt methodcaller mod mul neg or_ sub truediv xor",
    "queue": "PriorityQueue Queue",
    "random": "choice randint randrange shuffle",
    "statistics": "mean median",
    "string": "ascii_letters ascii_lowercase ascii_uppercase digits punctuation",
    "sys": "maxsize setrecursionlimit stdin stdout",
}

PRELUDE = "".join(
    [f"import {module}\n" for module in _MODULES.split()]
    + [f"from {module} import {name}\n" for module, names in _NAMES.items() for name in names.split()]
)
"""The text of these imports, with one name in each line."""
