"""Runs the self-test matrix in plain processes, without any code of codepref.

    python -m benchmarks.execution.reference JOB.json /PATH/TO/ANSWER.json

The second path must be absolute, since the program changes its working directory. A forked child runs a solution with
`exec`. It then runs each test with `exec` in a copy of the solution's names, and writes the verdict codes into shared
memory. The kernel ends a child that exceeds its CPU time (SIGPROF). When a child ends during a test, a new child
continues with the next test. When a child ends while the solution loads, all tests that have no code yet get the same
code.

Codes: P (passed), F (an assertion of the test failed), E (another exception, or the child ended), M (out of memory),
T (out of time).
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
"""Wall-clock seconds after which a child is killed, so that a child that sleeps also ends."""
LOADING = (1 << 32) - 1
"""The head of the page while the solution loads. Later the head is the index of the test that runs."""
HEAD = 4
"""The size of the head of the page in bytes. After it, the page has one code for each test."""


def run_tests(solution: str, tests: list[Any], limits: dict[str, Any]) -> str:
    """Run one solution and return one verdict code for each test.

    tests: compiled code. limits: `load_seconds` and `test_seconds` of CPU time, and `memory_bytes` of address space
    beyond the size of this process.
    """
    page = mmap.mmap(-1, HEAD + max(len(tests), 1))
    start = 0
    while start < len(tests):
        page[:HEAD] = LOADING.to_bytes(HEAD, "little")
        pid = os.fork()
        if pid == 0:
            try:
                _child(solution, tests, start, page, limits)
            finally:
                os._exit(0)
        slept, number = _wait(pid)
        current = int.from_bytes(page[:HEAD], "little")
        if current >= len(tests) and current != LOADING:
            break
        code = ord("T" if slept or number in (signal.SIGPROF, signal.SIGXCPU) else "E")
        if current == LOADING:
            code = page[HEAD + start] or code
            page[HEAD + start :] = bytes([code]) * (len(tests) - start)
            break
        page[HEAD + current] = code
        start = current + 1
    codes = page[HEAD : HEAD + len(tests)].decode("ascii")
    page.close()
    return codes


def _wait(pid: int) -> tuple[bool, int]:
    """Wait for a child. Returns whether it was killed after WALL_SECONDS, and the signal that ended it (0: none)."""
    descriptor = os.pidfd_open(pid)
    slept = not select.select([descriptor], [], [], WALL_SECONDS)[0]
    os.close(descriptor)
    if slept:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return slept, os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _child(solution: str, tests: list[Any], start: int, page: mmap.mmap, limits: dict[str, Any]) -> None:
    os.setpgid(0, 0)
    memory = _own_size() + limits["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    random.seed(0)  # otherwise `random` has another seed in every forked child
    space: dict[str, Any] = {}
    signal.setitimer(signal.ITIMER_PROF, limits["load_seconds"])
    try:
        module = types.ModuleType("solution")
        space = module.__dict__
        exec(compile(solution, "<solution>", "exec", dont_inherit=True), space)
    except BaseException as error:  # noqa: BLE001 - every exception of the solution becomes a code
        page[HEAD + start] = _code(error, "<solution>")
        return
    for index in range(start, len(tests)):
        page[:HEAD] = index.to_bytes(HEAD, "little")
        signal.setitimer(signal.ITIMER_PROF, limits["test_seconds"])
        try:
            exec(tests[index], dict(space))
            code = ord("P")
        except BaseException as error:  # noqa: BLE001 - every exception of a test becomes a code
            code = _code(error, "<test>")
        page[HEAD + index] = code
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


def main(job_file: str, answer_file: str) -> None:
    """Run the tasks in `job_file`, and write a list of codes for each task to `answer_file`, an absolute path.

    The list has one text of verdict codes for each solution of the task.
    """
    job = json.loads(Path(job_file).read_text())
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    codes = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # samples may write files
        for task in job["tasks"]:
            tests = [compile(test, "<test>", "exec", dont_inherit=True) for test in task["tests"]]
            codes.append([run_tests(solution, tests, job["limits"]) for solution in task["solutions"]])
    Path(answer_file).write_text(json.dumps(codes))


if __name__ == "__main__":
    main(*sys.argv[1:])
