"""Tests of kind "stdio": a whole program reads standard input and writes standard output.

`run_program` works in the solution's process, which is given the input alone; `code` works in the judge, which alone
has the expected output. Each test gets a process of its own, so nothing of one run (patched modules, threads, caches)
reaches the next; two forks, 6 ms in all, where an interpreter's start takes 30.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import sys
import types
from collections.abc import Callable
from typing import Any, Protocol

from .compare_text import same_text

MOST_OUTPUT = (1 << 26) - (1 << 10)
"""Bytes of output at most: 64 MiB, less the room of the answer's frame."""


class Link(Protocol):
    """What the judge asks the solution's process through."""

    def request(self, operation: str, *parts: Any) -> Any:
        """One request; its value, or the solution's exception raised."""


class Input(io.BytesIO):
    """Standard input. Programs ask it for its descriptor to read from that."""

    def fileno(self) -> int:
        """Always 0; `os.read(0, n)` reads here."""
        return 0


class Output(io.BytesIO):
    """Standard output, kept. `overflowed`: whether more than MOST_OUTPUT bytes were written."""

    overflowed = False

    def fileno(self) -> int:
        """Always 1; `os.write(1, data)` writes here."""
        return 1

    def write(self, data: Any) -> int:
        """Keep `data`, while there is room."""
        if self.tell() + memoryview(data).nbytes > MOST_OUTPUT:
            self.overflowed = True
            raise ValueError("more than 64 MiB of output")
        return super().write(data)

    def close(self) -> None:
        """Nothing: what was written is still to be told."""


def run_program(preamble: str, source: str, text: str) -> bytes:
    """Run a program as `__main__` on the standard input `text`; what it wrote to standard output.

    Raises what the program raises, but for SystemExit of 0 or None, which ends it normally.
    """
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    given, written = Input(text.encode()), Output()
    sys.stdin = io.TextIOWrapper(given, encoding="utf-8")
    sys.stdout = stdout = io.TextIOWrapper(written, encoding="utf-8")
    _lead_descriptors(given, written)
    try:
        for part in (preamble, source):
            exec(compile(part, "<solution>", "exec", dont_inherit=True), module.__dict__)
    except SystemExit as stop:
        if not (stop.code is None or stop.code == 0):
            raise RuntimeError(f"the program ended with status {str(stop.code)[:200]}") from None
    _end()
    for stream in (sys.stdout, stdout):
        # a program may have put its own stream there, or closed or detached ours
        if not getattr(stream, "closed", True):
            stream.flush()
    if written.overflowed:
        raise ValueError("more than 64 MiB of output")
    return written.getvalue()


def _end() -> None:
    """What the interpreter does at a program's end: wait for its threads, call what it registered."""
    if threading := sys.modules.get("threading"):
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()
    if atexit := sys.modules.get("atexit"):
        atexit._run_exitfuncs()


def _lead_descriptors(given: Input, written: Output) -> None:
    """Lead descriptors 0 and 1 to the streams in Python's own functions: programs use `open(0)` and `os.write(1, ...)`.

    No real descriptor can be had for it: files cannot be written here, and pipes would need threads to serve them.
    """
    true_open, true_read, true_write = builtins.open, os.read, os.write

    def open_(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if type(file) is int and file in (0, 1):
            binary: Any = given if file == 0 else written
            return binary if "b" in mode else (sys.stdin if file == 0 else sys.stdout)
        return true_open(file, mode, *rest, **options)

    def read(descriptor: int, count: int, /) -> bytes:
        return given.read(count) if descriptor == 0 else true_read(descriptor, count)

    def write(descriptor: int, data: Any, /) -> int:
        if descriptor == 1:
            return written.write(data)
        return true_write(descriptor, data)

    builtins.open, os.read, os.write = open_, read, write


def code(link: Link, preamble: str, source: str, test: str, describe: Callable[[str], None]) -> int:
    """Run one test: `test` is the JSON text. Raises what the program raised."""
    wanted = json.loads(test)
    output = link.request("stdio", preamble, source, wanted["input"])
    if type(output) is not bytes:
        raise TypeError("the solution's process answered out of form")
    if same_text(output.decode("utf-8", "replace"), wanted["output"]):
        return ord("P")
    describe("wrong output")
    return ord("F")
