"""Runs a whole program in this process as an interpreter of its own would run it.

The program is a file in the scratch folder. Standard input and output are files too, at the descriptors 0 and 1. So a
program can use `sys.stdin`, `open(0)`, `os.read` and `/dev/stdin`. The process ends after the program, so nothing is
restored.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import fcntl
import gc
import io
import os
import sys
import types
import weakref
from collections.abc import Callable
from typing import Any

MAX_OUTPUT = (1 << 26) - (1 << 10)
"""The largest output, in bytes. It is 1 KiB less than 64 MiB, to leave room for the head of the answer."""

NAME = "solution.py"
"""The name of the program's file."""

_FIRST_FREE = 32
_OUTPUTS = {f"{folder}/{number}" for folder in ("/dev/fd", "/proc/self/fd") for number in (1, 2)}
_OUTPUTS |= {"/dev/stdout", "/dev/stderr"}


def run_program(preamble: str, source: str, text: str, leave: Callable[[bytes], None]) -> bytes:
    """Run a program as `__main__` with the standard input `text`. Return what it wrote to standard output.

    preamble: code that runs before the source, in the same module.
    leave: sends the output as the answer when the program calls `os._exit` with status 0 or a multiple of 256.
    Raises what compiling and running the code raises, and ValueError for too much output. A SystemExit with status None
    or a multiple of 256 ends the program normally. A SystemExit with any other status becomes a RuntimeError.
    """
    os.chdir(os.environ["HOME"])  # the scratch folder
    path = os.path.abspath(NAME)  # noqa: PTH100
    reader = open_descriptors(text)
    open_streams()
    make_outputs_append()
    true_exit = os._exit

    def exit_(status: int) -> None:
        if status & 0xFF == 0:
            leave(_output(reader))
        true_exit(status)

    os._exit = exit_  # type: ignore[assignment]
    with open(path, "wb") as file:
        file.write("\n".join(filter(None, (preamble, source))).encode("utf-8", "surrogatepass"))
    try:
        execute_file(path, preamble, source)
    except SystemExit as stop:
        code = stop.code
        if not (code is None or (isinstance(code, int) and code & 0xFF == 0)):
            raise RuntimeError(f"the program ended with status {str(code)[:200]}") from None
    end_program()
    return _output(reader)


def execute_file(path: str, preamble: str, source: str) -> None:
    """Run the preamble and the source in one module, as `__main__`. The file at `path` holds the same code."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    module.__dict__.update(__file__=path, __builtins__=builtins, __annotations__={}, __cached__=None)
    sys.argv[:] = [path]
    sys.path.insert(0, os.path.dirname(path))  # noqa: PTH120
    for part in (preamble, source):
        exec(compile(part, path, "exec", dont_inherit=True), module.__dict__)


def open_descriptors(text: str) -> int:
    """Open files for the descriptors 0 and 1. Return a descriptor at which the output can be read.

    The files have no names, so a program that lists its folder does not see them.
    """
    with open("stdin", "wb") as file:
        file.write(text.encode())
    reader = open_unnamed("stdout", 1)
    descriptor = os.open("stdin", os.O_RDONLY)
    os.dup2(descriptor, 0)
    os.close(descriptor)
    os.unlink("stdin")  # noqa: PTH108
    return reader


def open_unnamed(name: str, number: int) -> int:
    """Open a new file without a name for the descriptor `number`. Return a descriptor at which it can be read.

    name: the name that the file has until it is open.
    """
    written = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    reader = os.open(name, os.O_RDONLY)
    kept = fcntl.fcntl(reader, fcntl.F_DUPFD, _FIRST_FREE)
    os.dup2(written, number)
    os.close(written)
    os.close(reader)
    os.unlink(name)  # noqa: PTH108
    return kept


def open_streams() -> None:
    """Open the streams of `sys` as an interpreter does when it starts."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        binary: Any = io.open(number, f"{mode}b", closefd=False)  # noqa: UP020, SIM115
        binary.raw.name = f"<{name}>"
        errors = "backslashreplace" if number == 2 else "surrogateescape"
        stream: Any = io.TextIOWrapper(binary, "utf-8", errors, newline="\n", line_buffering=number == 2)
        stream.mode = mode
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def make_outputs_append() -> None:
    """Let `open("/dev/stdout", "w")` continue the output, as it does with a terminal or a pipe.

    With a file it would erase the output. `os.sendfile` cannot write to a file that is open for appending. Its
    replacement here reads and writes the bytes instead.
    """
    true_open, true_sendfile = io.open, os.sendfile

    def open_(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if type(file) is str and file in _OUTPUTS and "w" in mode and "opener" not in options and len(rest) < 6:
            options["opener"] = lambda path, flags: os.open(path, flags & ~os.O_TRUNC | os.O_APPEND)
        return true_open(file, mode, *rest, **options)

    def sendfile(out_fd: int, in_fd: int, offset: int | None, count: int, **options: Any) -> int:
        try:
            return true_sendfile(out_fd, in_fd, offset, count, **options)
        except OSError:
            data = os.read(in_fd, count) if offset is None else os.pread(in_fd, count, offset)
            return os.write(out_fd, data)

    builtins.open = io.open = open_
    os.sendfile = sendfile


def end_program() -> None:
    """Do most of what an interpreter does at its end.

    Wait for the program's threads, call its `atexit` functions, delete its objects, which may still write something,
    and flush its standard output.
    """
    if threading := sys.modules.get("threading"):
        threading._shutdown()
    if atexit := sys.modules.get("atexit"):
        atexit._run_exitfuncs()
    streams = (sys.stdout, sys.__stdout__)
    _flush(*streams)
    module = sys.modules.pop("__main__", None)
    alive = weakref.ref(module) if isinstance(module, types.ModuleType) else lambda: None
    del module
    gc.collect()
    if left := alive():
        for private in (True, False):
            for name in [name for name in left.__dict__ if name != "__builtins__"]:
                if not private or (name.startswith("_") and not name.startswith("__")):
                    left.__dict__[name] = None
        gc.collect()
    _flush(*streams)
    ctypes.CDLL(None).fflush(None)  # a program may have printed through the C library


def _flush(*streams: Any) -> None:
    for stream in streams:
        # A program may have replaced sys.stdout, or closed or detached the stream.
        with contextlib.suppress(ValueError):
            if not getattr(stream, "closed", True):
                stream.flush()


def _output(reader: int) -> bytes:
    if os.fstat(reader).st_size > MAX_OUTPUT:
        raise ValueError("the program's output does not fit into an answer of 64 MiB")
    parts, at = [], 0
    while part := os.pread(reader, 1 << 20, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)
