"""Searches the memory of a solution's process, and of the processes around it, for data that a solution must not see.

Markers are planted in everything that a solution must not see. In a first test, one solution searches its own
process: the memory around its objects, its heap and its libraries. It raises an exception that names the markers that
it found. In a second test, the solution names its process `held` and sleeps. Meanwhile the memory of this process and
of the other processes of the worker is read through `/proc`.

As a script, this module prints one JSON line for each situation, or only for those whose name contains an argument.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from codepref.execution.engine import Engine
from codepref.execution.expected_cache import ExpectedCache
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.problems.inputs import InputsTest
from codepref.records import Problem, Solution, Test, Verdict

NAMES = {
    "TEST": "the text of a test",
    "EXPECTED": "an expected value or output",
    "REFERENCE": "a reference solution",
    "BEFORE": "the source of a solution that was judged before",
    "AFTER": "the source of a solution that is judged later",
    "VERDICT": "why a solution that was judged before failed",
    "EARLIER": "a test and a solution of an earlier task",
    "PAGE": "memory that is shared with another process (read from outside only)",
}
"""Name of a marker -> the data that contains it. In memory, a marker is the text `cpmark`, its name and `_`."""

_MARKER = re.compile(rb"cpmark([A-Z]+)_")
_JOINED = '"".join(("cp", "mark", "{name}_"))'
LIMITS = Limits(cpu_seconds=30, wall_seconds=120, load_cpu_seconds=30, memory_mb=1024, timeout_factor=None)
HELD = "held"
PAGE = 4096
HOLD_SECONDS, WAIT_SECONDS = 60, 90

SEARCH = """
import ctypes
import os
import re
import time

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
PAGE, BLOCK = 4096, 28


def addresses():
    yield from (id(0), id(object()), id([0] * 100_000), id("x" * 100_000), id(type("A", (), {})))
    yield libc.malloc(100)
    yield ctypes.cast(libc.malloc, ctypes.c_void_p).value
    yield ctypes.c_void_p.in_dll(libc, "environ").value


def markers():
    # the marker is put together here, so that neither this source nor the pattern holds one
    pattern = re.compile(bytes((99, 112, 109, 97, 114, 107)) + rb"([A-Z]+)_")
    reading, writing = os.pipe()
    blocks = {(address >> BLOCK) + step for address in addresses() for step in (-1, 0, 1)}
    names, before, last = set(), b"", 0
    for block in sorted(blocks):
        for page in range(block << BLOCK, (block + 1) << BLOCK, PAGE):
            # the kernel copies a page into a pipe, or refuses where there is none
            if libc.write(writing, ctypes.c_void_p(page), PAGE) != PAGE:
                continue
            text = os.read(reading, PAGE)
            if last != page - PAGE:
                before = b""
            names.update(name.decode() for name in pattern.findall(before + text))
            before, last = text[-32:], page
    return sorted(names)


def answer(what, *rest):
    if what == "hold":
        libc.prctl(15, b"held", 0, 0, 0)
        time.sleep(60)
    raise RuntimeError("found: " + " ".join(markers()))
"""

NAMINGS = {
    "plain": "",
    "package": "import numpy\n",
    "docstring": '"""A solution.\n\nimport sympy\n"""\n',
    "again": "import numpy\n",
    "unreachable": "def never():\n    import pandas\n",
}
"""Ways in which the searching solution names a package. With "again", a solution of the earlier task names it too."""

KINDS = ("asserts", "check", "inputs", "calls", "stdio", "unittest", "function")
"""Kinds of tests. "function" is a test of the kind asserts that hands a function to the solution. The solution
therefore runs in the process of the test.
"""

SHARED = ("unittest", "function")


@dataclass(frozen=True)
class Situation:
    """One situation of the search: the kind of the tests, and how the solution names a package (a key of NAMINGS)."""

    kind: str
    naming: str

    @property
    def allowed(self) -> set[str]:
        """The markers that the solution's process may contain. A shared process contains the tests that run in it."""
        return {"TEST", "EXPECTED"} if self.kind in SHARED else set()


SITUATIONS = [Situation(kind, naming) for kind in KINDS for naming in NAMINGS]


def marker(name: str) -> str:
    """Return the text of a marker."""
    return f"cpmark{name}_"


def joined(name: str) -> str:
    """Return the source of an expression that makes the marker when it runs."""
    return _JOINED.format(name=name)


def tests_of(kind: str) -> list[Test]:
    """Return two tests: the solution searches in the first one, and sleeps in the second one."""
    return [Test("memory", what, _source(kind, what), _kind(kind)) for what in ("search", "hold")]  # type: ignore[arg-type]


def _kind(kind: str) -> str:
    return "asserts" if kind == "function" else kind


def _source(kind: str, what: str) -> str:
    comment, expected = f"# {marker('TEST')}\n", f'"{marker("EXPECTED")}"'
    if kind == "asserts":
        return f'{comment}assert answer("{what}") == {expected}\n'
    if kind == "function":
        return f'{comment}assert answer("{what}", lambda: 0) == {expected}\n'
    if kind == "check":
        return f'{comment}def check(candidate):\n    assert candidate("{what}") == {expected}\n'
    if kind == "calls":
        expected = marker("EXPECTED")
        return json.dumps({"function": "answer", "arguments": [what], "expected": [marker("TEST"), expected]})
    if kind == "stdio":
        return json.dumps({"input": f"{what}\n", "output": marker("EXPECTED")})
    if kind == "inputs":
        reference = f"# {marker('REFERENCE')}\ndef answer(what):\n    return {joined('EXPECTED')}\n"
        return InputsTest("answer", f'[["{what}"]]', reference).to_source()
    head = f"{comment}import unittest\n\n\nclass Test{what.title()}(unittest.TestCase):\n    def test_answer(self):\n"
    return f'{head}        self.assertEqual(answer("{what}"), {expected})\n'


def solutions_of(situation: Situation) -> list[Solution]:
    """Return five solutions. The second one searches. The first three are in one job of a worker."""
    call = "answer(input())\n" if situation.kind == "stdio" else ""
    search = NAMINGS[situation.naming] + SEARCH + call
    before = f"# {marker('BEFORE')}\ndef answer(*what):\n    raise ValueError({joined('VERDICT')})\n{call}"
    after = [f"# {marker('AFTER')}\ndef answer(*what):\n    return {number}\n{call}" for number in range(3)]
    return [Solution("memory", at, text) for at, text in enumerate([before, search, *after])]


def earlier_task(naming: str) -> Task:
    """Return a task that the same worker runs before the search."""
    tests = [Test("earlier", "0", f'assert answer() == "{marker("EARLIER")}"\n')]
    head = NAMINGS[naming] if naming == "again" else ""
    texts = [f"{head}# {marker('EARLIER')}\ndef answer():\n    return {number}\n" for number in range(3)]
    solutions = [Solution("earlier", at, text) for at, text in enumerate(texts)]
    return Task(Problem("earlier", "", "answer"), solutions, tests)


@dataclass
class Findings:
    """The markers that were found in each place.

    inside: the markers that the solution found, or None if it gave no answer. The other markers were found from
    outside, through `/proc`:
    held: markers in the process of the solution. parent: markers in the process that forked it. Both are None if this
    user cannot read the processes.
    zygotes: the markers by process name, for each process with children, except the supervisor. The process of `parent`
    is among them. others: the same for the other processes of the worker, except the supervisor.
    parent_name: the name of the process that forked the solution's process. detail: the detail of the verdict.
    """

    inside: list[str] | None = None
    held: list[str] | None = None
    parent: list[str] | None = None
    parent_name: str = ""
    zygotes: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)
    detail: str = ""


def search(situation: Situation, cache: Path | None = None) -> Findings:
    """Run the searching solution in one situation. Raises TimeoutError if its process does not appear.

    cache: a folder for expected outputs, or None. A first engine fills the folder, and the searched engine reads it.
    """
    findings, verdicts = Findings(), list[Verdict]()
    problem, tests = Problem("memory", "", "answer"), tests_of(situation.kind)
    solutions = solutions_of(situation)
    tasks = [earlier_task(situation.naming), Task(problem, solutions, tests)]
    if cache is not None:
        with Engine(jobs=1, cache=ExpectedCache(cache)) as engine:
            list(engine.run([Task(problem, solutions[:1], tests)], limits=LIMITS))

    def judge(engine: Engine) -> None:
        for matrix in engine.run(tasks, limits=LIMITS):
            verdicts.extend(matrix.verdicts)

    with Engine(jobs=1, cache=ExpectedCache(cache)) as engine:
        thread = threading.Thread(target=judge, args=(engine,))
        thread.start()
        held = _held(thread)
        try:
            _read_from_outside(held, findings)
        finally:
            held.kill()
        thread.join()
    verdict = next(verdict for verdict in verdicts if verdict.task_id == "memory" and verdict.solution_id == 1)
    findings.detail = verdict.detail
    if "found:" in verdict.detail:
        findings.inside = verdict.detail.split("found:")[1].split()
    return findings


def _held(thread: threading.Thread) -> psutil.Process:
    """Wait until the searching solution sleeps, and return its process. Raises TimeoutError if it does not."""
    end = time.monotonic() + WAIT_SECONDS
    while thread.is_alive() and time.monotonic() < end:
        for process in psutil.Process().children(recursive=True):
            try:
                if Path(f"/proc/{process.pid}/comm").read_text().strip() == HELD:
                    return process
            except OSError:
                continue
        time.sleep(0.05)
    raise TimeoutError("the searching solution did not reach its last test")


def _read_from_outside(held: psutil.Process, findings: Findings) -> None:
    """Read the memory of the worker's processes. If this user may not read it, the findings do not change."""
    parent = held.parent()
    assert parent is not None
    (supervisor,) = psutil.Process().children()
    try:
        markers = {process: sorted(markers_in(process.pid)) for process in supervisor.children(recursive=True)}
        shares = ["PAGE"] if _shares_memory(held.pid) else []
    except PermissionError:
        return
    findings.held, findings.parent = sorted([*markers.pop(held), *shares]), markers[parent]
    findings.parent_name = parent.name()
    for process, names in markers.items():
        place = findings.zygotes if process.children() else findings.others
        place[process.name()] = sorted({*place.get(process.name(), []), *names})


def _regions(pid: int) -> Iterator[tuple[int, int, str, str]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, rights, *rest = line.split(maxsplit=5)
        start, end = (int(part, 16) for part in addresses.split("-"))
        yield start, end, rights, rest[-1] if len(rest) == 4 else ""


def _shares_memory(pid: int) -> bool:
    """Return whether the process has writable memory that it may share with other processes."""
    return any(rights.startswith("rw") and rights.endswith("s") for _, _, rights, _ in _regions(pid))


def markers_in(pid: int) -> set[str]:
    """Return the markers in all readable memory of a process, except the kernel's own mappings such as [vdso].

    Raises PermissionError if this user may not read the memory.
    """
    names: set[str] = set()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, rights, path in _regions(pid):
            if not rights.startswith("r") or path.startswith("[v"):
                continue
            names.update(name.decode() for name in _MARKER.findall(_read(memory, start, end)))
    return names


def _read(memory: io.FileIO, start: int, end: int) -> bytes:
    """Return the bytes of a region of memory, without the pages that cannot be read."""
    parts, at = [], start
    while at < end:
        try:
            memory.seek(at)
            part = memory.read(end - at)
        except OSError:
            part = b""
        parts.append(part)
        at += len(part) if part else PAGE
    return b"".join(parts)


def main() -> None:
    """Search in all situations, or only in those whose names contain one of the arguments."""
    os.environ["CODEPREF_CACHE"] = "off"
    for situation in SITUATIONS:
        if len(sys.argv) < 2 or any(word in f"{situation.kind}-{situation.naming}" for word in sys.argv[1:]):
            findings = vars(search(situation))
            print(json.dumps({"kind": situation.kind, "naming": situation.naming, **findings}), flush=True)


if __name__ == "__main__":
    main()
