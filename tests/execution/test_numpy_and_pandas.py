"""Tests that values of numpy and pandas get the same verdicts in the sandbox as in plain Python.

Plain Python runs the solution and the test as one program. Other tests check that objects which only claim to be such
values, and malformed data, are refused.

Each line of `values/*.txt` that is not indented is an expression that a solution returns. The indented lines below it,
if there are any, are asserts about its value `v`.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.sandbox.wire.decoder import Decoder
from codepref.execution.sandbox.wire.encoder import Encoder, encoded
from codepref.execution.sandbox.wire.plain_data import Malformed, Unencodable
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test, Verdict

pandas = pytest.importorskip("pandas")
pytestmark = pytest.mark.xdist_group("execution")

FOLDER = Path(__file__).parent / "values"
LIMITS = Limits(cpu_seconds=6, wall_seconds=30)
IMPORTS = "import datetime, decimal, fractions, math, operator\nimport numpy as np\nimport pandas as pd\n"
ALWAYS = (
    "assert type(v) is type(w)",
    "assert repr(v) == repr(w)",
    "assert isinstance(v, type(w)) and not isinstance(v, np.timedelta64 if type(v) is np.int8 else np.int8)",
    "a, b = getattr(v, 'dtype', 0), getattr(w, 'dtype', 0)\nassert a == b and str(a) == str(b)",
    "assert repr(v) == 'x' + repr(w)",
    "assert type(v) is not type(w)",
)
"""Asserts about each value `v` and a value `w` that the test made of the same expression."""


def rows(path: Path) -> list[tuple[str, list[str]]]:
    """Return the expressions of a file, each with its own asserts."""
    found: list[tuple[str, list[str]]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            found[-1][1].append(line.strip())
        elif line and not line.startswith("#"):
            found.append((line, []))
    return found


def plain_code(source: str, test: str) -> str:
    """Return the verdict code that a test gets in one program with the solution."""
    space: dict = {}
    exec(source, space)
    try:
        exec(test, space)
    except AssertionError:
        return "F"
    except Exception:  # noqa: BLE001 - every other exception has the same code
        return "E"
    return "P"


def verdict(engine: Engine, source: str, tests: list[str]) -> Verdict:
    """Return the verdict of a solution on these tests."""
    records = [Test("t", str(at), text, "asserts") for at, text in enumerate(tests)]
    (matrix,) = engine.run([Task(Problem("t", "", "f"), [Solution("t", 0, source)], records)], limits=LIMITS)
    return matrix.verdicts[0]


def differences(engine: Engine, source: str, tests: list[str]) -> dict[str, str]:
    """Return the tests whose verdict codes differ from those of plain Python, each with both codes.

    The key "isolation" is added if the solution shared its process with a test.
    """
    result = verdict(engine, source, tests)
    pairs = [(plain_code(source, test), code) for test, code in zip(tests, result.codes, strict=True)]
    found = {test: f"{plain}, but {code}" for test, (plain, code) in zip(tests, pairs, strict=True) if plain != code}
    return {**found, "isolation": result.isolation} if result.isolation != "separate" else found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_values_are_judged_as_in_plain_python(engine: Engine, path: Path) -> None:
    listed = rows(path)
    source = IMPORTS + "def f(at):\n    return VALUES[at]()\nVALUES = [\n"
    source += "".join(f"    lambda: {expression},\n" for expression, _ in listed) + "]\n"
    tests = []
    for at, (expression, own) in enumerate(listed):
        tests += [f"{IMPORTS}v = f({at})\nw = {expression}\n{line}\n" for line in ALWAYS]
        tests += [f"{IMPORTS}v = f({at})\n{line}\n" for line in own]
    assert differences(engine, source, tests) == {}


def test_a_test_without_imports_gets_values_of_pandas(engine: Engine) -> None:
    source = IMPORTS + "def f(at):\n    return [pd.Timestamp('2024-01-02'), pd.Series([1, 2]), np.mean, pd.NaT][at]\n"
    tests = [
        "import datetime\nassert f(0) == datetime.datetime(2024, 1, 2)",
        "import datetime\nassert f(0) > datetime.datetime(2024, 1, 2)",
        "assert type(f(0)).__name__ == 'Timestamp' and f(0).nanosecond == 0 and f(0).day == 2",
        "assert f(1).sum() == 3 and (f(1) + f(1)).tolist() == [2, 4]",
        "assert (f(1) * 2).tolist() == [1, 2]",
        "assert f(2)([1, 2, 3]) == 2.0",
        "assert str(f(3)) == 'NaT' and f(3) != f(3)",
    ]
    assert differences(engine, source, tests) == {}


SENT = """
    np.matrix([[1, 2]]) ;; np.array([1], dtype='>i4') ;; np.array([(1, 2.0)], dtype=[('a', 'i4'), ('b', 'f8')])
    ;; np.asfortranarray(np.ones((2, 2))) ;; np.longlong(3) ;; np.str_('') ;; np.dtype('>i4') ;; np.float64
    ;; np.add ;; pd.Timestamp('2024-01-02') ;; pd.Timedelta(5, 'ns') ;; pd.NaT ;; [pd.Period('2024-01', 'M'), pd.NA]
    ;; pd.Interval(0, 1) ;; pd.Int64Dtype()"""
SENT_TO_SHARED = "pd.Series([1]) ;; pd.DataFrame({'a': [1]}) ;; pd.Index([1]) ;; np.ma.array([1], mask=[1])"


@pytest.mark.parametrize(("values", "isolation"), [(SENT, "separate"), (SENT_TO_SHARED, "shared")])
def test_what_a_test_hands_over_arrives_exactly_or_the_test_shares_a_process(
    engine: Engine, values: str, isolation: str
) -> None:
    source = IMPORTS + "def f(x):\n    return type(x).__name__, repr(x)\n"
    tests = [
        f"{IMPORTS}x = {value.strip()}\nassert f(x) {sign} (type(x).__name__, repr(x))\n"
        for value in values.split(";;")
        for sign in ("==", "!=")
    ]
    result = verdict(engine, source, tests)
    assert (result.codes, result.isolation) == ("PF" * (len(tests) // 2), isolation)


def test_functions_of_numpy_are_handed_over_and_come_back(engine: Engine) -> None:
    source = IMPORTS + "def f(function, values):\n    return function, function(values)\n"
    tests = [
        f"{IMPORTS}assert f(np.mean, [1, 2, 3]) {rest}"
        for rest in ("== (np.mean, 2)", "== (np.sum, 2)", "[0] is np.mean")
    ]
    tests += [f"{IMPORTS}assert f(np.linalg.norm, [3, 4])[1] == 5", f"{IMPORTS}assert f(np.median, [3, 4])[1] == 5"]
    assert differences(engine, source, tests) == {}


def test_changes_to_arrays_of_a_test_arrive_in_the_same_array(engine: Engine) -> None:
    source = IMPORTS + "def f(x):\n    x[0] = 0\n"
    tests = [
        f"{IMPORTS}x = {value}\nf(x)\nassert {check}\n"
        for value, check in [
            ("np.matrix([[1, 2]])", "x.tolist() == [[0, 0]]"),
            ("np.array([1, 2], dtype='>i4')", "x.tolist() == [0, 2]"),
            ("np.array([1, 2], dtype='>i4')", "x.tolist() == [1, 2]"),
            ("np.ones((2, 2), order='F')", "x.tolist() == [[0, 0], [1, 1]]"),
            ("np.array([(1, 2.0)], dtype=[('a', 'i1'), ('b', 'f8')])", "x.tolist() == [(0, 0.0)]"),
            ("np.array([1, 2])\nx.flags.writeable = False", "False"),
        ]
    ]
    assert differences(engine, source, tests) == {}


HANDLE = b"ho\x00\x00\x00\x00\x01\x00\x00\x00x"


def crossed(value):
    """Return what the test runner receives for a value of a solution: "handle" for a part that stays there."""
    decoder = Decoder(Encoder(lambda part: HANDLE, exact=False).encode(value), lambda *_: "handle")
    back = decoder.value()
    decoder.finished()
    return back


def lies() -> dict:
    """Return objects by name that claim to be values of numpy or pandas. Most of them equal everything."""

    def liar(base: type, **further) -> type:
        equal = dict.fromkeys(("__eq__", "__lt__", "__gt__", "__contains__", "__bool__"), lambda *_: True)
        return type(
            base.__name__, (base,), {"__module__": base.__module__, "__hash__": lambda _: 1, **equal, **further}
        )

    made = {
        "array": np.zeros(2).view(liar(np.ndarray)),
        "matrix": np.zeros((1, 1)).view(liar(np.matrix)),
        "masked": liar(np.ma.MaskedArray)([1]),
        "float64": liar(np.float64)(1.0),
        "str_": liar(np.str_)("a"),
        "timedelta": liar(pandas.Timedelta)("1D"),
        "series": liar(pandas.Series)([1]),
        "frame": liar(pandas.DataFrame)({"a": [1]}),
        "claims": liar(object, __class__=np.ndarray, dtype=np.dtype(float), tobytes=lambda *_: b"", shape=())(),
        "claims_scalar": liar(object, __class__=np.float64, dtype=np.dtype(float))(),
        "claims_pandas": liar(object, __class__=pandas.Timestamp)(),
    }
    made["claims_module"] = type("Timestamp", (), {"__module__": "pandas", "value": 1, "unit": "ns", "tz": None})()
    made["odd_module"] = type("Odd", (), {"__module__": 3})()
    return made


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", lies())
def test_a_lying_object_never_crosses_as_what_it_claims_to_be(name: str) -> None:
    value = lies()[name]
    assert crossed(value) == "handle"
    assert crossed([value, {"a": value}]) == ["handle", {"a": "handle"}]
    with pytest.raises(Unencodable):
        encoded(value)


@pytest.mark.filterwarnings("ignore")
def test_a_lying_object_inside_a_table_arrives_as_a_handle() -> None:
    values = lies()
    series = crossed(pandas.Series([values["timedelta"], values["odd_module"]], dtype=object))
    assert type(series) is pandas.Series
    assert series.tolist() == ["handle", "handle"]
    assert crossed(pandas.Series([1], index=pandas.Index([values["odd_module"]], dtype=object))) == "handle"
    series = pandas.Series([1])
    series.attrs["a"] = values["odd_module"]
    assert crossed(series) == "handle"


EQUAL_TO_ALL = [
    lambda: np.ma.masked,
    lambda: np.ma.masked_all(3),
    lambda: pandas.array([0, 0, 0]),
    lambda: pandas.array([0.5]),
    lambda: pandas.array([True]),
    lambda: pandas.array(["q"], dtype="string"),
    lambda: pandas.arrays.SparseArray([0]),
    lambda: pandas.arrays.NumpyExtensionArray(np.array([0])),
    lambda: pandas.Index([0], dtype="Int64"),
    lambda: pandas.Index([0], dtype="Float64"),
    lambda: pandas.Index([False], dtype="boolean"),
    lambda: pandas.Index(["q"], dtype="string"),
    lambda: pandas.Series([0], index=pandas.Index([0], dtype="Int64")),
]


@pytest.mark.parametrize("make", EQUAL_TO_ALL)
def test_a_value_that_equals_everything_stays_with_the_solution(make) -> None:
    assert crossed(make()) == "handle"


NOT_EQUAL = """
    pd.array([0, 0, 0]) ;; pd.array([0.5]) ;; pd.array([True]) ;; pd.array(['q'], dtype='string') ;; pd.NA ;; pd.NaT
    ;; pd.arrays.SparseArray([0]) ;; pd.arrays.NumpyExtensionArray(np.array([0])) ;; pd.Index([0], dtype='Int64')
    ;; pd.Index(['q'], dtype='string') ;; pd.Index([0]) ;; pd.Categorical([0]) ;; pd.Series([0]) ;; np.ma.masked
    ;; pd.Series([None], dtype='Int64') ;; pd.DataFrame({'a': [None]}, dtype='Int64') ;; np.ma.masked_all(3)
    ;; pd.MultiIndex.from_arrays([[0]]) ;; pd.Interval(0, 1) ;; pd.Timedelta(0) ;; pd.Series([0]).array"""
"""Answers that no test may take for the number 3 or the list of 1, 2 and 3."""


def test_no_answer_of_pandas_equals_every_number(engine: Engine) -> None:
    answers = NOT_EQUAL.split(";;")
    source = IMPORTS + f"ANSWERS = [{', '.join(f'lambda: {answer.strip()}' for answer in answers)}]\n"
    source += "def f(at):\n    return ANSWERS[at]()\n"
    checks = ("{} == 3", "abs({} - 3) < 1e-6", "{} in (3, 4)", "{} == [1, 2, 3]", "not {} != 3", "3 in {}")
    tests = [f"assert {check.format(f'f({at})')}\n" for at in range(len(answers)) for check in checks]
    tests += [f"import numpy as np\nnp.testing.assert_array_equal(f({at}), [3])\n" for at in range(len(answers))]
    result = verdict(engine, source, tests)
    passed = [test for test, code in zip(tests, result.codes, strict=True) if code == "P"]
    assert (passed, result.isolation) == ([], "separate")


def test_missing_values_do_not_pass_for_any_number(engine: Engine) -> None:
    source = IMPORTS + "def f(x):\n    return pd.Series([None] * 3, dtype=['Int64', 'boolean', 'string'][x])\n"
    tests = [f"import numpy as np\nassert (f({at}) == np.array([1, 2, 3])).all()\n" for at in range(3)]
    tests += [f"import numpy as np\nassert not (f({at}) != np.array([1, 2, 3])).any()\n" for at in range(3)]
    result = verdict(engine, source, tests)
    assert set(result.codes) <= {"E", "F"}
    tests = [IMPORTS + test for test in tests]
    assert differences(engine, source, tests) == {}


RANGE = ("range", 0, 10**9, 1, None)
NUMBERS = ("numbers", np.arange(2))


@pytest.mark.parametrize(
    "fields",
    [
        ("series", RANGE, NUMBERS, None, {}, True),
        ("series", RANGE, ("numbers", 5), None, {}, True),
        ("series", RANGE, 5, None, {}, True),
        ("series", ("range", 0, 2, 1, []), NUMBERS, None, {}, True),
        ("series", ("range", 0, 2, 0, None), NUMBERS, None, {}, True),
        ("frame", RANGE, ("range", 0, 2, 1, None), ("block", np.ones((1, 2))), {}, True),
        ("frame", RANGE, ("range", 0, 2, 1, None), ("columns", (NUMBERS, NUMBERS)), {}, True),
        ("index", ("masked", "__class__", np.arange(2), np.array([True, False])), None, None),
        ("index", ("masked", "IntegerArray", np.arange(2), np.array([True])), None, None),
        ("index", ("texts", "python", False, (b"a",)), None, None),
        ("index", ("objects", ([1],)), None, None),
        ("index", ("times", True, np.arange(2), "ns", "Europe/Paris"), None, None),
        ("index", ("times", True, np.arange(2), "ns; import os", None), None, None),
        ("index", ("times", True, np.arange(2), "ns", None), None, "os.system('x')"),
        ("multi", (("index", NUMBERS, None, None),), (np.array([5]),), (None,), None),
        ("array", ("category", ("index", NUMBERS, None, None), np.array([7]), False)),
        ("timestamp", "2024-01-01", "ns", None, 0),
        ("timestamp", 1, "ns", None, 7),
        ("period", 1, "__import__('os')"),
        ("interval", [1], 2, "right"),
        ("relative", 1, False, {"months": "x"}),
        ("dtype", ("numbers", 5)),
        ("array", ("sparse", np.arange(2), 0, "block")),
        ("array", ("masked", "IntegerArray", np.arange(2), np.array([True, False]))),
        ("index", ("masked", "IntegerArray", np.arange(2), np.array([False, False])), None, None),
        ("index", ("texts", "python", False, ("a",)), None, None),
        ("eval", "1"),
        (),
    ],
)
def test_malformed_fields_of_pandas_are_refused(fields: tuple) -> None:
    for name in ("pandas", "moment"):
        parts = (name, *fields)
        with pytest.raises(Malformed):
            Decoder(b"pN" + encoded(parts)).value()


@pytest.mark.parametrize(
    ("dtype", "form", "shape", "data"),
    [
        ("|O", 0, (1,), bytes(8)),
        ("|b1", 0, (1,), b"\x03"),
        ("<i8", 0, (1 << 31,), bytes(8)),
        ("<i8", 0, (1,), bytes(16)),
        ("<i8", 1 << 2, (2, 2, 2), bytes(64)),
        ("<i8", 9 << 2, (1,), bytes(8)),
        ("<U0", 0, (1 << 30,), b""),
        ('{"base": "<i8", "shape": [2]}', 0, (1,), bytes(16)),
        ('{"fields": [["a", "|O", 0, null]], "size": 8, "align": false, "record": false}', 0, (1,), bytes(8)),
        ('{"fields": [["a", "<i8", 9, null]], "size": 8, "align": false, "record": false}', 0, (1,), bytes(8)),
        ('{"fields": [["a", "<i8", -8, null]], "size": 8, "align": false, "record": false}', 0, (1,), bytes(8)),
        ('{"fields": [["a", "|b1", 0, null]], "size": 1, "align": false, "record": false}', 0, (1,), b"\x02"),
        ('{"fields": [[1, "<i8", 0, null]], "size": 8, "align": false, "record": false}', 0, (1,), bytes(8)),
        ("{" * 1000, 0, (1,), bytes(8)),
        ('{"base":' * 5000, 0, (1,), bytes(8)),
        ("<i8,O", 0, (1,), bytes(8)),
    ],
)
def test_malformed_arrays_are_refused(dtype: str, form: int, shape: tuple, data: bytes) -> None:
    def number(value: int) -> bytes:
        return value.to_bytes(4, "little")

    text = dtype.encode()
    head = b"y" + bytes([form]) + number(len(text)) + text + number(len(shape)) + b"".join(map(number, shape))
    with pytest.raises(Malformed):
        Decoder(head + number(len(data)) + data).value()


@pytest.mark.parametrize("name", ["builtins:eval", "builtins:open", "numpy:load", "os:system", "operator:call", "", 3])
def test_no_function_that_reaches_further_crosses_by_name(name: object) -> None:
    for form in ("function", "class"):
        with pytest.raises(Malformed):
            Decoder(b"XN" + encoded((form, name))).value()


def test_functions_of_a_solution_cross_as_handles() -> None:
    def mean(values):
        return 0

    mean.__module__, mean.__qualname__ = "numpy", "mean"
    for function in (mean, eval, open, np.load, np.random.rand, np.vectorize(abs)):
        assert crossed(function) == "handle"


def test_memory_between_fields_does_not_cross() -> None:
    layout = np.dtype([("a", "i1"), ("b", "i8")], align=True)
    array = np.frombuffer(b"\xff" * 32, dtype=layout)
    assert crossed(array).tobytes() == crossed(array[0]).tobytes() * 2 == (b"\xff" + bytes(7) + b"\xff" * 8) * 2
    # two fields at one place, whose sizes add up to that of the whole
    layout = np.dtype({"names": ["a", "b"], "formats": ["i4", "f4"], "offsets": [0, 0], "itemsize": 8})
    array = np.frombuffer(b"\xff" * 8, dtype=layout)
    assert crossed(array).tobytes() == b"\xff" * 4 + bytes(4)


FUZZED = [
    lambda: np.array([(1, True, [2, 3])], dtype=[("a", ">i4"), ("b", "?"), ("c", "i2", (2,))]),
    lambda: [np.str_("a"), np.longlong(3), np.mean, np.float64, np.dtype("M8[3s]")],
    lambda: pandas.Timestamp("2024-01-01", tz="Europe/Paris"),
    lambda: [pandas.Timedelta(1), pandas.Period("2024", "Y"), pandas.Interval(1, 2), pandas.offsets.Day(2), pandas.NaT],
    lambda: pandas.DataFrame({"a": [1, 2], "b": ["x", None], "c": pandas.Categorical(["u", None])}, index=list("pq")),
    lambda: pandas.Series([1, None], dtype="Int64", index=pandas.date_range("2024", periods=2)),
    lambda: pandas.MultiIndex.from_product([["a"], [1, 2]]),
    lambda: pandas.Series(pandas.interval_range(0, 2), name=("a", 1)),
]


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=600, deadline=None)
@given(st.sampled_from(FUZZED), st.data())
def test_damaged_values_decode_or_raise_malformed(make, data) -> None:
    written = bytearray(Encoder(lambda _: HANDLE, exact=False).encode(make()))
    for _ in range(data.draw(st.integers(1, 3))):
        written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Malformed):
        Decoder(bytes(written), lambda *_: "handle").value()


UNKNOWN = [
    ("np.random.default_rng(0)", "isinstance(f(0), np.random.Generator)", "not isinstance(f(0), np.random.Generator)"),
    ("np.poly1d([1, 2])", "isinstance(f(0), np.poly1d)", "isinstance(f(0), np.ndarray)  # np.poly1d"),
    ("np.load", "f(0) is np.load", "f(0) is np.save"),
    ("json.dumps", "f(0) == json.dumps", "f(0) == json.loads"),
    ("re.match('a', 'a')", "type(f(0)) is re.Match", "type(f(0)) is not re.Match"),
    ("map(abs, [1])", "type(f(0)) is map", "type(f(0)) is zip"),
    (
        "np.ma.array([1, 2], mask=[0, 1])",
        "f(0).sum() == np.ma.array([1]).sum()",
        "f(0).sum() == np.ma.array([2]).sum()",
    ),
    ("pd.array([1, None])", "f(0).equals(pd.array([1, None]))", "f(0).equals(pd.array([1, 2]))"),
    ("print", "f(0) is print", "f(0) is open"),
]


@pytest.mark.parametrize(("value", "right", "wrong"), UNKNOWN)
def test_a_test_of_something_that_cannot_cross_shares_a_process(
    engine: Engine, value: str, right: str, wrong: str
) -> None:
    imports = IMPORTS + "import json, re\n"
    result = verdict(engine, f"{imports}def f(x):\n    return {value}\n", [f"{imports}assert {right}\n"])
    assert (result.codes, result.isolation) == ("P", "shared")
    assert verdict(engine, f"{imports}def f(x):\n    return {value}\n", [f"{imports}assert {wrong}\n"]).codes == "F"


@pytest.mark.parametrize(
    "text",
    [
        "f(1).dtype == np.float32",
        "f(1).dtype == object",
        "type(f(1)) is dict",
        "type(f(1)) is np.ndarray",
        "type(f(1)) == slice",
        "f(1) == math.inf or f(1) is np.nan",
        "isinstance(f(1), np.integer)",
        "isinstance(f(1), (pd.Series, pd.DataFrame))",
        "f(1) is np.mean or f(1) is operator.add or f(1) == len",
        "f(1) is pd.NaT",
    ],
)
def test_a_test_of_something_that_crosses_shares_no_process(engine: Engine, text: str) -> None:
    result = verdict(engine, f"{IMPORTS}def f(x):\n    return np.float32(1)\n", [f"{IMPORTS}assert not ({text})\n"])
    assert result.isolation == "separate"


def test_an_array_that_cannot_be_written_gets_no_new_contents() -> None:
    target, changed = np.zeros(2), np.ones(2)
    target.flags.writeable = False
    sender = Encoder(lambda _: None, exact=False, table=[changed])
    with pytest.raises(Malformed):
        Decoder(sender.contents(changed), table=[]).replace(target)
