"""The self-test matrix in plain processes, without code of codepref's: `execution_reference.py INPUT.json OUTPUT.json`.

A forked child runs a solution with `exec`, then each test with `exec` in a copy of its names, under a limit of CPU time
(SIGPROF, whose default action ends the process), and writes a code into shared memory. A child that ended is
followed by a fresh one, from the next test on. No test is skipped.

Codes: P passed, F the test's own assertion, E any other exception or end, M out of memory, T out of time.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import resource
import select
import signal
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

WALL_SECONDS = 10.0
LOADING = (1 << 32) - 1
HEAD = 4


def judge(solution: str, tests: list[Any], limits: dict[str, Any]) -> str:
    """One code a test. limits: load_seconds and test_seconds of CPU, memory_bytes beyond this process's own size."""
    page = mmap.mmap(-1, HEAD + max(len(tests), 1))
    at = 0
    while at < len(tests):
        page[:HEAD] = LOADING.to_bytes(HEAD, "little")
        pid = os.fork()
        if pid == 0:
            try:
                _child(solution, tests, at, page, limits)
            finally:
                os._exit(0)
        late, number = _wait(pid)
        where = int.from_bytes(page[:HEAD], "little")
        if where >= len(tests) and where != LOADING:
            break
        code = ord("T" if late or number in (signal.SIGPROF, signal.SIGXCPU) else "E")
        if where == LOADING:
            code = page[HEAD + at] or code
            page[HEAD + at :] = bytes([code]) * (len(tests) - at)
            break
        page[HEAD + where] = code
        at = where + 1
    codes = page[HEAD : HEAD + len(tests)].decode("ascii")
    page.close()
    return codes


def _wait(pid: int) -> tuple[bool, int]:
    """Whether the child had to be ended for sleeping, and the signal that ended it."""
    descriptor = os.pidfd_open(pid)
    late = not select.select([descriptor], [], [], WALL_SECONDS)[0]
    os.close(descriptor)
    if late:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return late, os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _child(solution: str, tests: list[Any], start: int, page: mmap.mmap, limits: dict[str, Any]) -> None:
    os.setpgid(0, 0)
    memory = _own_size() + limits["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    random.seed(0)  # `random` reseeds itself in every child
    space: dict[str, Any] = {}
    signal.setitimer(signal.ITIMER_PROF, limits["load_seconds"])
    try:
        module = types.ModuleType("solution")
        space = module.__dict__
        exec(compile(solution, "<solution>", "exec", dont_inherit=True), space)
    except BaseException as error:  # noqa: BLE001 - whatever the solution raises is its code
        page[HEAD + start] = _code(error, "<solution>")
        return
    for at in range(start, len(tests)):
        page[:HEAD] = at.to_bytes(HEAD, "little")
        signal.setitimer(signal.ITIMER_PROF, limits["test_seconds"])
        try:
            exec(tests[at], dict(space))
            code = ord("P")
        except BaseException as error:  # noqa: BLE001 - every end of a test is a code
            code = _code(error, "<test>")
        page[HEAD + at] = code
    page[:HEAD] = len(tests).to_bytes(HEAD, "little")


def _code(error: BaseException, place: str) -> int:
    if isinstance(error, MemoryError):
        return ord("M")
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    own = trace is not None and trace.tb_frame.f_code.co_filename == place == "<test>"
    return ord("F" if isinstance(error, AssertionError) and own else "E")


def _own_size() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def main(source: str, target: str) -> None:
    asked = json.loads(Path(source).read_text())
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    told = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # samples may write files
        for task in asked["tasks"]:
            tests = [compile(test, "<test>", "exec", dont_inherit=True) for test in task["tests"]]
            told.append([judge(solution, tests, asked["limits"]) for solution in task["solutions"]])
    Path(target).write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
