"""Tests that generated programs and hostile tests neither hang nor crash the engine, and leave nothing behind.

The long run is `python -m benchmarks.execution fuzz`. Reduced forms of the programs with which it found faults are
tested here.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest
from fuzz_batches import LIMITS
from fuzz_machine import Machine
from fuzz_programs import SHARES, attacks, programs
from fuzzing import fuzz

from codepref.errors import UserError
from codepref.execution.engine import Engine
from codepref.execution.sandbox.confinement.packages import imported
from codepref.execution.tasks import Task, encode_task
from codepref.records import Problem, Solution, Test

pytestmark = pytest.mark.xdist_group("execution")

RIGHT = "def f(*x):\n    return 3\n"
PAGE = (
    "import os, sys, time\nframe = sys._getframe()\nwhile not hasattr(frame.f_locals.get('self'), 'page'):\n"
    "    frame = frame.f_back\npage = frame.f_locals['self'].page\n"
)


def test_generated_programs_cause_no_finding():
    report = fuzz(7, 1500, jobs=4)
    assert report["findings"] == []
    assert report["programs"] == 1500
    assert not report["stopped_by_a_hang"]
    codes = Counter()
    for counts in report["codes"].values():
        codes.update(counts)
    assert set("PFETMXS") <= set(codes)  # every code but I occurs


def test_the_same_seed_yields_the_same_programs():
    first, second = list(programs(3, 200)), list(programs(3, 200))
    assert first == second
    assert first[:50] == list(programs(3, 50))


def test_another_seed_yields_other_programs():
    first, second = ({program.text for program in programs(seed, 100)} for seed in (3, 4))
    assert len(first & second) < 10  # some short programs may coincide


def test_every_family_occurs_with_its_share():
    counts = Counter(program.family for program in programs(0, 1000))
    assert set(counts) == set(SHARES)
    assert all(abs(counts[family] - 10 * share) < 60 for family, share in SHARES.items())


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_many_programs_of_each_family_compile():
    good, whole = Counter(), Counter()
    for program in programs(0, 400):
        whole[program.family] += 1
        try:
            compile(program.text, "<program>", "exec")
            good[program.family] += 1
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            pass
    assert all(good[family] > 0.8 * whole[family] for family in ("grammar", "system", "protocol"))
    assert 0.2 < good["mutated"] / whole["mutated"] < 0.8


def test_the_attacks_are_in_the_corpus():
    texts = attacks()
    assert len(texts) > 100
    assert any("fork bomb" in text for text in texts)


@pytest.mark.parametrize(
    ("test", "codes"),
    [
        ("import os\nos.write(3, b'\\xff' * 4)\nassert f() == 3", "EP"),
        ("import os, time\nos.write(3, b'a')\ntime.sleep(600)", "EP"),
        (PAGE + "page.set(0, 255)\nos._exit(0)", "EP"),
        (PAGE + "page.set(0, 63)\npage.set(1, 63)\nos._exit(0)", "EE"),
        (PAGE + "page.enter(4, 0)\nos._exit(0)", "EP"),
        (PAGE + "page.enter(5, 0)\nos._exit(0)", "EP"),
    ],
    ids=["large frame", "cut frame", "unknown code", "two deaths", "always again", "always alone"],
)
def test_a_hostile_test_spoils_only_codes_of_its_own_task(test: str, codes: str):
    tests = [Test("t", "0", test), Test("t", "1", "assert f() == 3")]
    task = Task(Problem("t", "", "f"), [Solution("t", 0, RIGHT), Solution("t", 1, RIGHT + "#")], tests)
    honest = Task(Problem("u", "", "f"), [Solution("u", 0, RIGHT)], tests[1:])
    with Engine(jobs=1) as engine:
        start = time.monotonic()
        spoilt, after = engine.run([task, honest], limits=LIMITS)
        # Before the fix the run did not end, or ended only when the silent worker was replaced.
        assert time.monotonic() - start < 60
    assert [verdict.codes for verdict in spoilt.verdicts] == [codes, codes]
    assert after.verdicts[0].codes == "P"


def test_two_tests_that_erase_each_others_codes_come_to_an_end():
    erase = PAGE + "page.set({}, 0)\npage.enter(2, {})\nos._exit(0)"
    tests = [Test("t", "0", erase.format(1, 0)), Test("t", "1", erase.format(0, 1)), Test("t", "2", "assert f() == 3")]
    with Engine(jobs=1) as engine:
        (matrix,) = engine.run([Task(Problem("t", "", "f"), [Solution("t", 0, RIGHT)], tests)], limits=LIMITS)
    assert matrix.verdicts[0].codes == "EEP"


def test_a_test_that_grows_in_the_compiler_meets_a_memory_limit():
    # Each level of `finally` doubles the compiled code, so 20 levels take gigabytes.
    levels = range(20)
    source = "".join(f"{' ' * at}try: pass\n{' ' * at}finally:\n" for at in levels) + " " * 20 + "assert f() == 3\n"
    tests = [Test("t", "0", source), Test("t", "1", "assert f() == 3")]
    with Engine(jobs=1) as engine:
        (matrix,) = engine.run([Task(Problem("t", "", "f"), [Solution("t", 0, RIGHT)], tests)], limits=LIMITS)
    assert matrix.verdicts[0].codes == "EP"
    assert "MemoryError" in matrix.verdicts[0].detail


def test_many_empty_lines_are_searched_quickly():
    # It takes hours if the time grows with the square of the number of lines.
    assert imported("\n" * 3_000_000 + "import numpy\n") == {"numpy"}


def test_nested_brackets_are_a_malformed_test():
    with pytest.raises(UserError, match="JSON object"):
        encode_task(Task(Problem("t", "", "f"), [], [Test("t", "0", "[" * 100_000, "inputs")]), LIMITS)


def test_a_closed_engine_holds_no_descriptor():
    before = len(list(Path("/proc/self/fd").iterdir()))
    engine = Engine(jobs=2)
    list(engine.run([Task(Problem("t", "", "f"), [Solution("t", 0, RIGHT)], [Test("t", "0", "assert f() == 3")])]))
    engine.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_descriptor_that_is_left_is_a_finding():
    machine = Machine()
    kept = os.open(os.devnull, os.O_RDONLY)
    try:
        assert [kind for kind, _ in machine.after_close(0.1)] == ["descriptors"]
    finally:
        os.close(kept)
    assert machine.after_close(0.1) == []
