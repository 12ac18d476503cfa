"""Runs a whole program in this process, and returns its status and what it printed.

`program.py` describes how a program runs. Here the program also has files of the client beside it, its standard error
is kept, and an exception ends it as in an interpreter: with a traceback and the status 1.
"""

from __future__ import annotations

import binascii
import contextlib
import json
import os
import sys
import types
from collections.abc import Callable
from typing import Any

from ..wire.printed import MAX_FETCHED, MAX_PRINTED
from .program import end_program, execute_file, make_outputs_append, open_descriptors, open_streams, open_unnamed

NAMES = ("solution.py", "program.py", "main_program.py", "run_code_program.py")
"""Names for the program's file. It gets the first of them that no file of the client has.

If the client's files have all these names, it gets the last one.
"""

Captured = tuple[int, bytes, bytes, dict[str, bytes]]
"""The status, standard output, standard error, and the files that the client asked for, by their paths."""


def run_captured(source: str, leave: Callable[[Any], None]) -> Captured:
    """Run a program as `__main__`, and return its status and what it printed, up to MAX_PRINTED bytes of each stream.

    source: a line of JSON with `stdin` (text), `files` (path -> Base64 text) and `fetch` (a list of paths), and then
    the program. The paths are relative to the scratch folder.
    leave: sends the result when the program calls `os._exit`.
    Raises ValueError and OSError if a file cannot be written.
    """
    head, _, program = source.partition("\n")
    wanted = json.loads(head)
    folder = os.environ["HOME"]  # the scratch folder
    os.chdir(folder)
    output = open_descriptors(wanted["stdin"])
    errors = open_unnamed("stderr", 2)
    for path, content in wanted["files"].items():
        if os.path.dirname(path):  # noqa: PTH120
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "wb") as file:
            file.write(binascii.a2b_base64(content))
    name = next((name for name in NAMES if name not in wanted["files"]), NAMES[-1])
    path = os.path.join(folder, name)  # noqa: PTH118
    open_streams()
    make_outputs_append()
    true_exit = os._exit

    def result(status: int) -> Captured:
        fetched: dict[str, bytes] = {}
        for one in wanted["fetch"]:
            left = MAX_FETCHED - sum(map(len, fetched.values()))
            content = _content(os.path.join(folder, one), left)  # noqa: PTH118
            if content is not None:
                fetched[one] = content
        return status & 0xFF, os.pread(output, MAX_PRINTED, 0), os.pread(errors, MAX_PRINTED, 0), fetched

    def exit_(status: int) -> None:
        leave(result(status))
        true_exit(status)

    os._exit = exit_  # type: ignore[assignment]
    with open(path, "wb") as file:
        file.write(program.encode("utf-8", "surrogatepass"))
    status = 0
    try:
        execute_file(path, "", program)
    except SystemExit as stop:
        status = _exit_status(stop.code)
    except BaseException as error:  # noqa: BLE001 - an interpreter prints every exception and ends
        status = 1
        _print_error(error, path)
    with contextlib.suppress(Exception):
        end_program()
    return result(status)


def _content(path: str, limit: int) -> bytes | None:
    """Return the content of a file, or None if it cannot be read or has more than `limit` bytes."""
    try:
        with open(path, "rb") as file:
            content = file.read(limit + 1)
    except (OSError, ValueError):
        return None
    return content if len(content) <= limit else None


def _exit_status(code: Any) -> int:
    if code is None or isinstance(code, int):
        return int(code or 0)
    with contextlib.suppress(Exception):
        print(code, file=sys.stderr)
    return 1


def _print_error(error: BaseException, path: str) -> None:
    """Print an exception as an interpreter does, without the frames of codepref that lead to the program."""
    frame: types.TracebackType | None = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename != path:
        frame = frame.tb_next
    with contextlib.suppress(BaseException):
        sys.excepthook(type(error), error.with_traceback(frame), frame)
