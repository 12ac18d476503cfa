"""Tests of the kind of test "stdio", for whole programs: codes, forged verdicts, and the comparison of texts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.errors import UserError
from codepref.execution.limits import Limits
from codepref.execution.sandbox.kinds.compare_text import same_text
from codepref.records import Test

pytestmark = pytest.mark.xdist_group("execution")

SUM = "n = int(input())\nprint(sum(map(int, input().split())))\n"


def stdio_test(text: str = "3\n1 2 3\n", output: str = "6\n", name: str = "s") -> Test:
    return Test("t", name, json.dumps({"input": text, "output": output}), "stdio")


@pytest.mark.parametrize(
    "program",
    [
        SUM,
        "import sys\nn, *x = map(int, sys.stdin.read().split())\nsys.stdout.write(str(sum(x)))\n",
        "import sys\nx = sys.stdin.buffer.read().split()[1:]\nsys.stdout.buffer.write(b'%d' % sum(map(int, x)))\n",
        "def main():\n    input()\n    print(sum(map(int, input().split())))\nif __name__ == '__main__':\n    main()\n",
        "import sys\ninput()\nprint(sum(map(int, input().split())))\nsys.exit(0)\n",
        "raise SystemExit(print(6))\n",
        "print(sum(map(int, open(0).read().split()[1:])))\n",
        "import os\nx = os.read(0, 1000).split()[1:]\nos.write(1, str(sum(map(int, x))).encode())\n",
        "import atexit\natexit.register(lambda: print(6))\n",
        "import threading\nthread = threading.Thread(target=lambda: print(6))\nthread.start()\n",
        "import sys, io\nold, sys.stdout = sys.stdout, io.StringIO()\nprint(6)\nold.write(sys.stdout.getvalue())\n",
        "import sys\nprint(6)\nsys.stdout.close()\n",
        "import sys, io\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer)\nprint(6)\n",
    ],
)
def test_correct_programs_pass_with_every_way_of_reading_and_writing(verdict_on, program):
    verdict = verdict_on(program, stdio_test())
    assert verdict.codes == "P", verdict.detail
    assert verdict.isolation == "separate"


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("print(7)\n", "F"),
        ("", "E"),
        ("pass\n", "F"),
        ("print(6)\nraise ValueError\n", "E"),
        ("print(6)\nassert False\n", "E"),
        ("print(6)\nraise SystemExit(1)\n", "E"),
        ("print(6)\nraise SystemExit('bad')\n", "E"),
        ("import os\nprint(6, flush=True)\nos._exit(0)\n", "P"),
        ("import os\nprint(6)\nos._exit(0)\n", "F"),  # the text is still in a buffer
        ("import os\nprint(6, flush=True)\nos._exit(1)\n", "E"),
        ("while True: pass\n", "T"),
        ("import time\ntime.sleep(100)\n", "T"),
        ("x = bytearray(10**10)\n", "M"),
        ("open('/etc/passwd').read()\n", "X"),
        ("open('/tmp/codepref-no-such-file', 'w')\n", "X"),
        ("print(input(), input(), input())\n", "E"),
        ("print(6\n", "E"),
    ],
)
def test_codes(verdict_on, program, code):
    assert verdict_on(program, stdio_test()).codes == code


def test_too_much_output_is_an_error(verdict_on):
    many = "import sys\nfor _ in range(70):\n    sys.stdout.write('6' * (1 << 20))\n"
    verdict = verdict_on(many, stdio_test(), limits=Limits(cpu_seconds=5, memory_mb=1024))
    assert verdict.codes == "E"
    assert "File too large" in verdict.detail
    hidden = f"try:\n    exec({many!r})\nexcept Exception:\n    pass\n"
    hidden = verdict_on(hidden, stdio_test(), limits=Limits(cpu_seconds=5))
    assert hidden.codes == "E"
    assert "64 MiB" in hidden.detail


def test_no_state_of_one_run_reaches_the_next(verdict_on):
    keeps = "import math\nmath.seen = getattr(math, 'seen', 0) + 1\nprint(math.seen)\n"
    assert verdict_on(keeps, *[stdio_test("", "1", str(at)) for at in range(3)]).codes == "PPP"
    breaks = "import os\nif input() == 'a':\n    os._exit(1)\nprint(1)\n"
    tests = [stdio_test(text, "1", str(at)) for at, text in enumerate("bab")]
    assert verdict_on(breaks, *tests).codes == "PEP"


FORGERIES = [
    # These two look for the expected output in all objects and in the frames, but it is not in this process.
    "import gc\nprint([o for o in gc.get_objects() if type(o) is dict and 'output' in o and 'input' in o]"
    "[0]['output'])\n",
    "import sys\nframe = sys._getframe()\nwhile frame:\n    for name, value in frame.f_locals.items():\n"
    "        if name in ('expected', 'wanted', 'test'): print(value)\n    frame = frame.f_back\n",
    # This one writes its own answer to the channel of the test runner.
    "import os, struct\nos.write(3, struct.pack('<I', 5) + b'\\1\\0\\0\\0+')\nos._exit(0)\n",
    # These replace or deceive the comparison, or end with the exit status 0.
    "import sys\nclass E(bytes):\n    def __eq__(self, other): return True\n    def decode(self, *_): return E()\n"
    "sys.stdout.buffer.getvalue = None\n",
    "import sys\nsys.modules['sandbox.kinds.compare_text'].same_text = lambda *_: True\nprint(7)\n",
    "import sys\nsys.modules['sandbox.kinds.stdio'].run_program = lambda *_: True\nprint(7)\n",
    "import sys\nfor module in list(sys.modules.values()):\n    if hasattr(module, 'same_text'):\n"
    "        module.same_text = lambda *_: True\nprint(7)\n",
    "raise SystemExit(0)\n",
]


@pytest.mark.parametrize("program", FORGERIES)
def test_a_verdict_cannot_be_forged(verdict_on, program):
    assert verdict_on(program, stdio_test("", "not to be guessed 8142")).codes in ("E", "F")


def test_a_malformed_test_and_mixed_kinds_are_refused(verdict_on):
    with pytest.raises(UserError, match="must be JSON"):
        verdict_on(SUM, Test("t", "0", '{"input": 1, "output": ""}', "stdio"))
    with pytest.raises(UserError, match="cannot be mixed with other kinds"):
        verdict_on(SUM, stdio_test(), "assert f(1) == 2")


@pytest.mark.parametrize(
    ("output", "expected", "right"),
    [
        ("1 2\n", "1 2", True),
        ("1 2  \n\n", "1 2\n", True),
        ("1\n2", "1 2", True),  # texts are compared token by token
        ("1 2 3", "1 2", False),
        ("", "1", False),
        ("", "\n", True),
        ("Yes", "YES", False),
        ("0.3333333", "0.333333333", True),
        ("0.33333", "0.333333333", False),
        ("1000000.5", "1000000.0", True),  # the relative tolerance of 1e-6 allows a difference of 1
        ("1000002", "1000000.0", False),
        ("1000001", "1000000", False),  # whole numbers are exact
        ("1", "1.0", True),
        ("1.0", "1", True),  # a real number of the same value
        ("3.", "3", True),
        ("-6.000", "-6", True),
        ("-0.0", "0", True),
        ("5000000.0", "5000000", True),
        ("5e6", "5000000", True),
        ("5.0E+06", "5000000", True),
        ("0.3e1", "3", True),
        ("1.0 2 3.0", "1 2 3", True),
        ("3.5", "3", False),
        ("2.9999999999", "3", False),  # no tolerance where whole numbers are expected
        ("3.0000001", "3", False),
        ("-3.0", "3", False),
        ("30.0", "3", False),
        ("03", "3", False),
        ("+3", "3", False),
        ("7.0", "007", False),
        ("3.0.0", "3", False),
        ("3.0", "three", False),
        ("9007199254740992.0", "9007199254740992", True),  # 2**53, the last whole number that floats hold exactly
        ("9007199254740994.0", "9007199254740994", False),
        ("9007199254740992.0", "9007199254740993", False),
        ("1e+22", "10000000000000000000000", False),
        ("1e999999999999", "1", False),
        ("0e999999999999", "0", True),
        ("1.0e999", "1e999", True),
        ("10e998", "1e999", True),
        ("1e998", "1e999", False),
        ("1e-9", "0.0", True),
        ("nan", "nan", True),
        ("nan", "1.0", False),
        ("inf", "1e999", False),
        ("1_0.0", "10.0", False),
        ("\u0661", "1.0", False),  # an Arabic digit, which float() would read
    ],
)
def test_comparison(output, expected, right):
    assert same_text(output, expected) is right


TEXT = st.text(alphabet="ab1.\n -", max_size=40)


@given(TEXT)
def test_white_space_at_the_ends_of_lines_does_not_count(text):
    assert same_text(text, text)
    assert same_text("\n".join(line + " \t" for line in text.split("\n")) + "\n\n", text)


@given(TEXT, TEXT)
def test_texts_with_different_numbers_of_tokens_differ(first, second):
    if len(first.split()) != len(second.split()):
        assert not same_text(first, second)


@given(st.integers(), st.integers())
def test_whole_numbers_must_be_equal(first, second):
    assert same_text(str(first), str(second)) is (first == second)


@given(st.floats(-1e9, 1e9), st.floats(-0.9e-6, 0.9e-6), st.sampled_from([3e-6, -3e-6]))
def test_a_real_number_may_differ_by_the_tolerance_and_no_more(true, near, far):
    size = max(1.0, abs(true))
    assert same_text(repr(true + near * size), repr(true))
    assert not same_text(repr(true + far * size), repr(true))
