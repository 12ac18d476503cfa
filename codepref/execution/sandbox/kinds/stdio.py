"""The kind "stdio". A whole program reads standard input and writes standard output.

`run_program` runs in the solution's process, which does not get the expected output. `Stdio` runs in the test runner,
which does. Each test has new processes, so nothing that one run leaves behind (patched modules, threads, caches)
reaches the next run. The two forks for a test take less time than the start of an interpreter.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import sys
import types
from typing import Any

from .base import FAILED, PASSED, Kind, PreparedTest, Runner
from .compare_text import same_text

MAX_OUTPUT = (1 << 26) - (1 << 10)
"""The largest output, in bytes. It is 1 KiB less than 64 MiB, to leave room for the head of the answer."""


class Input(io.BytesIO):
    """The standard input of a program. The program may also read from the descriptor that `fileno` returns."""

    def fileno(self) -> int:
        """Return 0. `run_program` makes `os.read(0, n)` read from this stream."""
        return 0


class Output(io.BytesIO):
    """The standard output of a program, which is kept in memory.

    Attributes:
        overflowed: whether the program has tried to write more than MAX_OUTPUT bytes.
    """

    overflowed = False

    def fileno(self) -> int:
        """Return 1. `run_program` makes `os.write(1, data)` write to this stream."""
        return 1

    def write(self, data: Any) -> int:
        """Write `data` to the output. Raises ValueError if the output would become larger than MAX_OUTPUT."""
        if self.tell() + memoryview(data).nbytes > MAX_OUTPUT:
            self.overflowed = True
            raise ValueError("the program's output does not fit into an answer of 64 MiB")
        return super().write(data)

    def close(self) -> None:
        """Do nothing, since the output is still needed."""


def run_program(preamble: str, source: str, text: str) -> bytes:
    """Run a program as `__main__` with the standard input `text`. Return what it wrote to standard output.

    preamble: code that runs before the source, in the same module.
    Raises what compiling and running the code raises, and ValueError for too much output. A SystemExit with status 0 or
    None ends the program normally. A SystemExit with any other status becomes a RuntimeError.
    """
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    input_, output = Input(text.encode()), Output()
    sys.stdin = io.TextIOWrapper(input_, encoding="utf-8")
    sys.stdout = stdout = io.TextIOWrapper(output, encoding="utf-8")
    _redirect_descriptors(input_, output)
    try:
        for part in (preamble, source):
            exec(compile(part, "<solution>", "exec", dont_inherit=True), module.__dict__)
    except SystemExit as stop:
        if not (stop.code is None or stop.code == 0):
            raise RuntimeError(f"the program ended with status {str(stop.code)[:200]}") from None
    _end()
    for stream in (sys.stdout, stdout):
        # A program may have replaced sys.stdout, or closed or detached the stream.
        if not getattr(stream, "closed", True):
            stream.flush()
    if output.overflowed:
        raise ValueError("the program's output does not fit into an answer of 64 MiB")
    return output.getvalue()


def _end() -> None:
    """Wait for the program's non-daemon threads and call its `atexit` functions, as an interpreter does at its end."""
    if threading := sys.modules.get("threading"):
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()
    if atexit := sys.modules.get("atexit"):
        atexit._run_exitfuncs()


def _redirect_descriptors(input_: Input, output: Output) -> None:
    """Make `open(0)`, `open(1)`, `os.read(0, n)` and `os.write(1, data)` use the streams.

    Some programs use the descriptors 0 and 1. Real descriptors would need files, which cannot be written here, or
    pipes, which would need threads to serve them.
    """
    true_open, true_read, true_write = builtins.open, os.read, os.write

    def open_(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if type(file) is int and file in (0, 1):
            binary: Any = input_ if file == 0 else output
            return binary if "b" in mode else (sys.stdin if file == 0 else sys.stdout)
        return true_open(file, mode, *rest, **options)

    def read(descriptor: int, count: int, /) -> bytes:
        return input_.read(count) if descriptor == 0 else true_read(descriptor, count)

    def write(descriptor: int, data: Any, /) -> int:
        if descriptor == 1:
            return output.write(data)
        return true_write(descriptor, data)

    builtins.open, os.read, os.write = open_, read, write


class Stdio(Kind):
    """Tests with the input and the expected output of a program. Their sources are JSON with `input` and `output`."""

    whole_program = True
    records_answers = False
    operations = {  # noqa: RUF012
        "stdio": lambda server, preamble, source, text: run_program(preamble, source, text)
    }

    def compile(self, test: PreparedTest) -> None:
        """Do nothing, since the source of the test is not Python."""

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Run the program in the solution's process and compare its output with the expected one. Return P or F."""
        wanted = json.loads(test.source)
        output = runner.link.request("stdio", runner.plan.preamble, runner.source, wanted["input"])
        if type(output) is not bytes:
            raise TypeError("the solution's process sent an output that is not bytes")
        if same_text(output.decode("utf-8", "replace"), wanted["output"]):
            return PASSED
        runner.page.describe("the program wrote a wrong output")
        return FAILED
