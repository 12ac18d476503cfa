"""The kind "checker". A program of the data set decides whether the output of a solution is right.

The solution runs in its own process, as for the kind "stdio". The checker runs in the test runner, which gets nothing
from the solution except the printed text. The three files that the checker reads exist in memory only.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

from .base import compiled
from .stdio import Stdio

FILES = ("input.txt", "correct_output.txt", "solution_output.txt")
"""The arguments of the checker, in order."""

RIGHT = frozenset({"1", "1.0", "100", "100.0", "yes", "ok", "true", "correct", "accepted", "ac", "pass", "passed"})
"""The last lines of a checker that accepts an output. Upper and lower case, and a final "." or "!", do not matter."""

_PRINTS = ("print(", "stdout")
_DECIDES = re.compile(r"\b(?:raise|assert)\b|\bexit\((?!\s*0?\s*\))")
"""Statements by which a checker refuses an output without printing to standard output."""


class _File(io.BytesIO):
    """A file in memory. `writes` holds what each call of `write` has written."""

    def __init__(self, content: bytes = b"", name: str = "") -> None:
        super().__init__(content)
        self.name, self.writes = name, list[bytes]()

    def write(self, data: Any) -> int:
        """Write bytes, and keep them in `writes`."""
        self.writes.append(bytes(data))
        return super().write(data)

    def close(self) -> None:
        """Keep the content, which is read after the stream around this file is gone."""


class Checker(Stdio):
    """Tests with an input, a right output and a checker. Their sources are JSON with these three texts."""

    def refusal(self, output: str, wanted: dict[str, Any]) -> str:
        """Run the checker in this process. Return why it refuses the output, or "" if it accepts the output."""
        return refusal(wanted["checker"], dict(zip(FILES, (wanted["input"], wanted["output"], output), strict=True)))


def refusal(checker: str, files: dict[str, str]) -> str:
    """Run a checker, and return why it refuses the solution's output, or "" if it accepts the output.

    files: the contents of the files by their names, which are FILES in this order.
    """
    status: Any = 0
    with _surroundings(files) as printed:
        try:
            exec(compiled(checker), sys.modules["__main__"].__dict__)
        except SystemExit as stop:
            status = stop.code
        except Exception as error:  # noqa: BLE001 - whatever the checker raises, it does not accept the output
            return f"the checker raised {type(error).__name__}: {str(error)[:200]}"
        if threading := sys.modules.get("threading"):
            for thread in threading.enumerate():
                if thread is not threading.current_thread() and not thread.daemon:
                    thread.join()
    ended_well = status is None or (isinstance(status, int) and status & 0xFF == 0)
    lines = printed.getvalue().decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    # A checker may print the solution's output. A line of this output must not decide.
    alone = next((text.rstrip().lstrip(b" \t") for text in reversed(printed.writes) if text.strip()), b"")
    if not ended_well:
        return f"the checker ended with status {str(status)[:200]}{': ' if last else ''}{last[:200]}"
    if last and last.lower().rstrip(".!") not in RIGHT:
        return f"the checker printed {last[:200]!r}"
    if last and alone.decode("utf-8", "replace") != last:
        return f"the checker printed {last[:200]!r} along with other text. Only a line printed alone counts"
    if not last and any(word in checker for word in _PRINTS) and not _DECIDES.search(checker):
        return "the checker printed nothing"
    return ""


@contextlib.contextmanager
def _surroundings(files: dict[str, str]) -> Iterator[_File]:
    """Set up files in memory, the arguments, standard input and output, and `__main__` for a checker.

    Yield the file that collects what the checker prints to standard output. Put back at the end what was replaced.
    """
    printed, true_open, true_stat = _File(name="<stdout>"), io.open, os.stat
    kept = sys.argv, sys.stdin, sys.stdout, sys.modules.get("__main__")
    names = {os.path.abspath(name): text for name, text in files.items()}  # noqa: PTH100

    def text_of(file: Any) -> str | None:
        try:
            return names.get(os.path.abspath(os.fspath(file)))  # noqa: PTH100
        except TypeError:
            return None

    def open_(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        text = text_of(file)
        if text is None or set(mode) & set("wax+"):
            return true_open(file, mode, *rest, **options)
        content = _File(text.encode("utf-8", "surrogatepass"), str(file))
        return content if "b" in mode else io.TextIOWrapper(content, "utf-8", "surrogatepass")

    def stat(path: Any, *rest: Any, **options: Any) -> Any:
        text = text_of(path)
        if text is None:
            return true_stat(path, *rest, **options)
        size = len(text.encode("utf-8", "surrogatepass"))
        return os.stat_result((0o100444, 0, 0, 1, 0, 0, size, 0, 0, 0))

    module = types.ModuleType("__main__")
    module.__dict__.update(__file__="checker.py", __builtins__=builtins, exit=sys.exit, quit=sys.exit)
    sys.modules["__main__"] = module
    sys.argv, sys.stdin = ["checker.py", *files], io.TextIOWrapper(_File(name="<stdin>"), "utf-8")
    sys.stdout = io.TextIOWrapper(printed, "utf-8", "surrogatepass", newline="\n", write_through=True)
    builtins.open = io.open = open_
    os.stat = stat
    try:
        yield printed
    finally:
        builtins.open = io.open = true_open
        os.stat = true_stat
        sys.argv, sys.stdin, sys.stdout = kept[:3]
        if kept[3] is not None:
            sys.modules["__main__"] = kept[3]
