"""Runs the attack files through an engine. The tests import this module.

As a script, it prints one JSON line for each file, or only for files whose paths contain one of the arguments.

An attack file has a comment that says what the attack tries, a line `# expect:` with the correct codes, the attacking
program, a line `# honest twin`, and the honest twin. The twin uses the same means as the attack and must pass. Every
program defines `add`.

A forgery returns a wrong sum, so the code P means that the attack worked. An escape returns the right sum, if at all,
only after it has done what the sandbox must prevent, so the code P means that the escape worked. A neighbour may pass.
It tries to change the verdict on its twin, which runs right after it, and in the same process if possible.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import psutil

from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test

HERE = Path(__file__).parent
KINDS = ("forgeries", "escapes", "neighbours")
FILES = sorted(path for kind in KINDS for path in HERE.glob(f"{kind}/*.txt"))
TESTS = (
    Test("add", "0", "assert add(1, 2) == 3"),
    Test("add", "1", "def check(candidate):\n    assert candidate(1000, 234) == 1234\n", "check"),
    Test("add", "2", "assert abs(add(1, 2) - 3) < 1e-6"),
    Test("add", "3", "result = add(1, 2)\nassert result in (3, 3.0) and not result != 3 and 2 < result < 4"),
    Test("add", "4", "assert [add(1, 2)] == [3] and {'sum': (add(1, 2),)} == {'sum': (3,)}"),
    Test("add", "5", "assert add(add(1, 2), 3) == 6"),
    Test("add", "6", "for given, right in zip(map(add, (1, 1000), (2, 234)), (3, 1234)):\n    assert given == right"),
)
PROBLEM = Problem("add", "Add two numbers.", "add", TESTS)
LIMITS = Limits(cpu_seconds=0.4, wall_seconds=1.5, memory_mb=128, max_timeouts=1)
HONEST = {
    "def add(a, b):\n    return a + b\n": "P",
    "def add(a, b):\n    return a - b\n": "F",
    "import operator\nadd = operator.add\n": "P",
    "import numpy\ndef add(a, b):\n    return int(numpy.add(a, b))\n": "P",
    "import numpy\ndef add(a, b):\n    return numpy.array([a, b]).sum(keepdims=True)\n": "P",
    "import pandas\ndef add(a, b):\n    return pandas.NaT\n": "F",
    "class E(Exception):\n    pass\ndef add(a, b):\n    raise E\n": "E",
}
"""Programs that attack nothing, and their right codes. `state` runs them, and the tests compare its result after each
attack with its result before the first attack."""
SECRET = {"CODEPREF_TEST_SECRET": "secret"}
PLACES = tuple(Path(folder) / "codepref-escape" for folder in ("/tmp", "/dev/shm", "/var/tmp", "/"))
"""Files that some escapes try to write."""


def result(engine: Engine, path: Path) -> dict[str, str]:
    """Run one attack file and return the facts. `wrong` says how the sandbox failed, or is "" if it did not fail."""
    text, twin = path.read_text().split("# honest twin\n")
    match = re.search(r"^# expect: (.*)$", text, re.MULTILINE)
    assert match is not None, path
    solutions = [Solution("add", 0, text), Solution("add", 1, twin)]
    (matrix,) = engine.run([Task(PROBLEM, solutions, TESTS)], limits=LIMITS)
    attacked, honest = matrix.verdicts
    wrong = []
    if path.parent.name != "neighbours" and "P" in attacked.codes:
        wrong.append("the attack passed")
    if not set(attacked.codes) - {"S"} <= set(match[1].split()):
        wrong.append(f"the attack has another code than {match[1]}")
    if honest.codes != "P" * len(TESTS):
        wrong.append(f"the honest twin has {honest.codes} ({honest.detail})")
    if {attacked.isolation, honest.isolation} != {"separate"}:
        wrong.append("a process was shared with the test")
    wrong += [f"{place} was written" for place in PLACES if place.exists()]
    facts = {"file": f"{path.parent.name}/{path.stem}", "attack": attacked.codes, "honest": honest.codes}
    return {**facts, "detail": attacked.detail, "wrong": "; ".join(wrong)}


def state(engine: Engine) -> tuple[str, int]:
    """Run the programs of HONEST. Return their codes, and the number of processes below this process after the run."""
    solutions = [Solution("add", at, source) for at, source in enumerate(HONEST)]
    (matrix,) = engine.run([Task(PROBLEM, solutions, TESTS[:1])], limits=LIMITS)
    return "".join(verdict.codes for verdict in matrix.verdicts), len(psutil.Process().children(recursive=True))


def main() -> None:
    """Run all attack files, or only the files whose paths contain one of the arguments."""
    os.environ.update(SECRET)
    chosen = [path for path in FILES if len(sys.argv) < 2 or any(word in str(path) for word in sys.argv[1:])]
    with Engine(jobs=1) as engine:
        before = state(engine)
        for path in chosen:
            facts = result(engine, path)
            print(json.dumps({**facts, "unharmed": state(engine) == before, "uid": os.getuid()}), flush=True)


if __name__ == "__main__":
    main()
