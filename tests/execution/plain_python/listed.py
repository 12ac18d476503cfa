"""Reads the lists of honest problems in `functions/` and `programs/`.

A list is a text file with any number of problems. A problem starts with a line `=== NAME`, in `functions/` with the
entry point and the style of its test behind it:

    === NAME ENTRY_POINT STYLE

Blocks follow, each after a line `--- BLOCK`:

| block | meaning |
|---|---|
| test | the text of the test (functions) |
| input, output | standard input and the expected standard output (programs) |
| input literal, output literal | the same as a Python expression, for line ends, long texts and missing line ends |
| right | a solution that passes. A problem has at least one |
| wrong | a solution that does not pass. A problem has at least one |

| style | how plain Python runs the test |
|---|---|
| script | solution and test in one file, run as a script |
| asserts | the same. codepref gets each line as a test of its own |
| check | the same, followed by the line `check(ENTRY_POINT)` |
| pytest | solution and test in one file, run by pytest. `from solution import f` imports the solution |
| unittest | solution and suite in one file, run by unittest |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
STYLES = ("script", "asserts", "check", "pytest", "unittest")


@dataclass(frozen=True)
class Listed:
    """One problem of a list.

    family: the name of its file. style: a name in STYLES, or "stdio". test: the text of the test, empty for "stdio".
    stdin, stdout: empty unless style is "stdio". right, wrong: programs that pass and programs that do not.
    """

    name: str
    family: str
    entry_point: str
    style: str
    test: str
    stdin: str
    stdout: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def solutions(self) -> list[tuple[str, str, bool]]:
        """Each solution as (label, program, whether it passes). A label is "right 0" or "wrong 1"."""
        rights = [(f"right {place}", program, True) for place, program in enumerate(self.right)]
        return rights + [(f"wrong {place}", program, False) for place, program in enumerate(self.wrong)]

    @property
    def idle_solutions(self) -> list[tuple[str, str, bool]]:
        """Programs that do nothing, in the form of `solutions`. None of them passes."""
        bodies = ("return None", "raise NotImplementedError")
        programs = [f"def {self.entry_point}(*args, **kwargs):\n    {body}\n" for body in bodies]
        programs = ["pass\n"] if self.style == "stdio" else programs
        return [(f"idle {place}", program, False) for place, program in enumerate(programs)]


def functions() -> list[Listed]:
    """Return the problems of `functions/`, in the order of the file names and of the places in a file."""
    return _read("functions")


def programs() -> list[Listed]:
    """Return the problems of `programs/`, in the same order."""
    return _read("programs")


def _read(folder: str) -> list[Listed]:
    problems = [problem for path in sorted((HERE / folder).glob("*.txt")) for problem in _problems(path)]
    names = [problem.name for problem in problems]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{folder}: the same name twice: {', '.join(sorted(twice))}")
    return problems


def _problems(path: Path) -> Iterator[Listed]:
    for text in re.split(r"^=== ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        head, _, body = text.partition("\n")
        yield _problem(path.stem, head.split(), body)


def _problem(family: str, head: list[str], body: str) -> Listed:
    name, entry_point, style = head if len(head) == 3 else (*head, "", "stdio")
    parts = re.split(r"^--- (.+)\n", body, flags=re.MULTILINE)[1:]
    blocks: dict[str, list[str]] = {}
    for block, text in zip(parts[::2], parts[1::2], strict=True):
        blocks.setdefault(block.removesuffix(" literal"), []).append(
            eval(text) if block.endswith(" literal") else text.strip("\n") + "\n"
        )
    expected = {"input", "output", "right", "wrong"} if style == "stdio" else {"test", "right", "wrong"}
    if set(blocks) != expected or style not in (*STYLES, "stdio"):
        raise ValueError(f"{family}, {name}: style {style!r} with the blocks {sorted(blocks)}")
    first = {block: texts[0] for block, texts in blocks.items()}
    return Listed(
        name=name,
        family=family,
        entry_point=entry_point,
        style=style,
        test=first.get("test", ""),
        stdin=first.get("input", ""),
        stdout=first.get("output", ""),
        right=tuple(blocks["right"]),
        wrong=tuple(blocks["wrong"]),
    )
