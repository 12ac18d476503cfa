"""Runs the attack files of `families/`, `open/` and `quiet/`. Each file contains its own problem and expectations.

The files of `families/` are attacks that fail, and the slow tests check this. A file of `open/` is an attack that still
gets a wrong verdict, costs too much, or leaves a mark. `python tests/attacks/families.py open/` shows the verdicts of
these files. Move a file to `families/` when its attack fails. A file of `quiet/` depends on time: for example, it has a
limit of seconds, or it recognises a second attempt by its process id. Such files need a machine that does nothing else,
so the tests do not run them.

`runner.py` has one problem for all its files. The attacks here need tests of other kinds, other limits, several samples
of one attack, or two workers at once. The tests import this module. As a script, it prints one JSON line for each file
whose path contains one of the arguments, or for all files of `families/` if no path does.

A file has a head, which says what the attack tries and has `# key: value` lines. After the head, it has these blocks:

    # test: KIND      one test of the problem, of this kind. A file has one or more
    # attack          the program that cheats
    # honest twin     a program that uses the same means honestly. It must pass every test

| key of the head | meaning | default |
|---|---|---|
| expect | codes that an attack may have, besides S | required |
| isolation | isolation that the verdicts of the attack and of the twin must have | separate |
| samples | number of attack samples, which differ only in a comment at the end | 1 |
| seconds | seconds that the whole file may take | no limit |
| entry | name of the entry point | add |
| limits | fields of `Limits`, as name=value | FIELDS |
| engine | `jobs=N` workers, `unconfined`, or `fresh`; each gives the file a new engine | a shared engine |

The engine judges the twin, the samples of the attack, and the twin again, as solutions of one task. So an honest
solution runs before the attacks and another one after them. With one worker, the first job contains the twin and an
attack.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner import SECRET, state

from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test

FOLDER = Path(__file__).parent / "families"
FILES = sorted(FOLDER.glob("*/*.txt"))
OPEN = sorted(path for folder in ("open", "quiet") for path in (FOLDER.parent / folder).glob("*/*.txt"))
FAMILIES = (
    "memory",
    "marks",
    "chances",
    "isolation",
    "names",
    "evaluation",
    "proxies",
    "unittests",
    "pytests",
    "cost",
    "scratch",
)
FIELDS = {"cpu_seconds": 0.4, "wall_seconds": 1.5, "memory_mb": 128, "max_timeouts": 1}
KEYS = {"expect", "isolation", "samples", "seconds", "entry", "limits", "engine"}
_BLOCK = re.compile(r"^# (test: (?P<kind>\w+)|attack|honest twin)\n", re.MULTILINE)
_KEY = re.compile(r"^# (\w+): (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Attack:
    """One parsed attack file. head: the values of its keys. tests: pairs of kind and source."""

    head: dict[str, str]
    tests: list[tuple[str, str]] = field(default_factory=list)
    attack: str = ""
    twin: str = ""

    @property
    def limits(self) -> Limits:
        """The limits of the file. FIELDS has the limits that the file does not set."""
        fields = dict(word.split("=") for word in self.head.get("limits", "").split())
        return Limits(**{**FIELDS, **{name: json.loads(value) for name, value in fields.items()}})

    @property
    def engine(self) -> dict[str, Any]:
        """The arguments of the new `Engine` for this file."""
        words = self.head.get("engine", "").split()
        jobs = [int(word.removeprefix("jobs=")) for word in words if word.startswith("jobs=")]
        return {"jobs": jobs[0] if jobs else 1, "unconfined": "unconfined" in words}

    @property
    def shares_engine(self) -> bool:
        """Whether the file is judged by the engine that most files share."""
        return "engine" not in self.head


def read(path: Path) -> Attack:
    """Parse an attack file. Raises ValueError for an unknown key and for a missing part."""
    text = path.read_text()
    marks = list(_BLOCK.finditer(text))
    head = dict(_KEY.findall(text[: marks[0].start()] if marks else text))
    tests, programs = [], {}
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        body = text[mark.end() : following.start() if following else len(text)].strip("\n") + "\n"
        if mark["kind"]:
            tests.append((mark["kind"], body))
        else:
            programs[mark[1]] = body
    unknown = set(head) - KEYS
    if unknown or "expect" not in head or not tests or set(programs) != {"attack", "honest twin"}:
        raise ValueError(f"{path.name}: unknown keys {sorted(unknown)}, or no `expect`, no test, no attack or no twin")
    return Attack(head, tests, programs["attack"], programs["honest twin"])


def result(engine: Engine, path: Path) -> dict[str, Any]:
    """Judge one file and return the facts.

    `wrong` says what is not as the file demands, or is "" if all is. The twin must pass, and the head has the other
    demands.
    """
    attack = read(path)
    tests = [Test("family", str(at), source, kind) for at, (kind, source) in enumerate(attack.tests)]  # type: ignore[arg-type]
    problem = Problem("family", "", attack.head.get("entry", "add"), tuple(tests))
    samples = [f"{attack.attack}\n# sample {at}\n" for at in range(int(attack.head.get("samples", "1")))]
    texts = [attack.twin, *samples, f"{attack.twin}\n# once more\n"]
    began = time.monotonic()
    solutions = [Solution("family", at, text) for at, text in enumerate(texts)]
    (matrix,) = engine.run([Task(problem, solutions, tests)], limits=attack.limits)
    seconds = time.monotonic() - began
    before, *attacked, after = matrix.verdicts
    wrong = []
    for verdict in attacked:
        if not set(verdict.codes) - {"S"} <= set(attack.head["expect"].split()):
            wrong.append(f"the attack has {verdict.codes}, where {attack.head['expect']} is right")
    for verdict in (before, after):
        if verdict.codes != "P" * len(tests):
            wrong.append(f"the honest twin has {verdict.codes} ({verdict.detail})")
    isolation = attack.head.get("isolation", "separate")
    if wrongly := {verdict.isolation for verdict in matrix.verdicts} - {isolation}:
        wrong.append(f"the isolation is {wrongly.pop()}, where {isolation} is right")
    if seconds > float(attack.head.get("seconds", "inf")):
        wrong.append(f"it took {seconds:.1f} s, where {attack.head['seconds']} s are allowed")
    codes = " ".join(verdict.codes for verdict in attacked)
    details = [verdict.detail for verdict in attacked if verdict.detail]
    shown = {"attack": codes, "honest": before.codes, "seconds": round(seconds, 1), "detail": details[:1]}
    return {"file": f"{path.parent.name}/{path.stem}", **shown, "wrong": "; ".join(dict.fromkeys(wrong))}


def judge(shared: Engine, state_before: tuple[str, int], path: Path) -> dict[str, Any]:
    """Judge one file with the engine that it needs. Return what `result` returns, and the fact `state`.

    `state` is True if honest programs get the same verdicts after the attack as before the first file and, for the
    shared engine, if the number of processes is the same. shared: the engine that most files share. state_before: the
    result of `runner.state` for this engine before the first file.
    """
    attack = read(path)
    if attack.shares_engine:
        return {**result(shared, path), "state": state(shared) == state_before}
    with Engine(**attack.engine) as engine:
        return {**result(engine, path), "state": state(engine)[0] == state_before[0]}


def main() -> None:
    """Print the facts of the files whose paths contain an argument, or of all files of `families/` if no path does."""
    os.environ.update(SECRET)
    chosen = [path for path in [*FILES, *OPEN] if any(word in str(path) for word in sys.argv[1:])] or FILES
    with Engine(jobs=1) as engine:
        before = state(engine)
        for path in chosen:
            print(json.dumps({**judge(engine, before, path), "uid": os.getuid()}), flush=True)


if __name__ == "__main__":
    main()
