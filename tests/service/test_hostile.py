"""Requests and clients that try to use up the server, and answers that a program has changed."""

import asyncio
import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from running import ADD, LOOP, RIGHT, Running

pytest.importorskip("fastapi")

import uvicorn

from codepref.execution import stream
from codepref.execution.limits import Limits
from codepref.execution.stream import StreamEngine, Work
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test
from codepref.service import server as server_module
from codepref.service.bodies import JudgeItem
from codepref.service.problems import Problems
from codepref.service.settings import ServiceSettings

NEAR = 1_900_000
"""Almost the size of the largest body of the server of these tests."""

PEAK_MB = 400
"""More memory than the server needs for any body of this size. An error about each item takes more than a gigabyte."""


def peak_mb(server: Running) -> int:
    """Return the most memory that the server has used so far, in MiB."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) >> 10


ONES = "[" + "1," * (NEAR // 2 - 200) + "1]"
NAMES = "{" + ",".join(f'"{at}":1' for at in range(NEAR // 12)) + "}"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/judge", ONES),
        ("/judge", NAMES),
        ("/judge", "[" + "{}," * (NEAR // 3 - 200) + "{}]"),
        ("/judge", json.dumps({"problem": ADD, "solutions": [5]})[:-3] + ONES[1:-1] + "]}"),
        ("/judge", json.dumps({"problem": ADD, "solutions": ["x"]})[:-1] + f', "limits": {NAMES}' + "}"),
        ("/judge", json.dumps({"problem": {**ADD, "tests": [""] * 400_000}, "solutions": ["x"]})),
        ("/judge", json.dumps({"problem": {**ADD, "helpers": "x=1;" * 500_100}, "solutions": ["x"]})),
        ("/run_code", '{"code": "", "language": "python", "files": ' + NAMES + "}"),
        ("/run_code", '{"code": "", "language": "python", "fetch_files": ' + ONES + "}"),
    ],
)
def test_a_body_with_a_million_mistakes_costs_little(server: Running, path: str, body: str) -> None:
    status, answer, _ = server.send(path, body.encode())
    assert status == 422
    assert len(answer["detail"]) < 1000
    assert peak_mb(server) < PEAK_MB


def test_solutions_times_tests_are_bounded(server: Running) -> None:
    problem = {**ADD, "tests": ["assert f(1) == 2"] * 10_000}
    programs = [f"1/0  # {at}" for at in range(401)]
    status, answer, _ = server.send("/judge", {"problem": problem, "solutions": programs, "vacuous_tests": "keep"})
    assert status == 422
    assert "401 solutions with 10,000 tests are more than 4,000,000 verdicts" in answer["detail"]


def test_a_program_cannot_choose_the_names_of_the_files_that_come_back(server: Running) -> None:
    code = """import os, sys
os.mkdir("a")
open("made", "w").write("x")
frame = sys._getframe()
while "wanted" not in frame.f_locals:
    frame = frame.f_back
frame.f_locals["wanted"]["fetch"].append("a/../made")
"""
    _, answer = server.run(code, fetch_files=["made"])
    assert answer["status"] == "Success"
    assert set(answer["files"]) == {"made"}


WRITES_OUTPUT = """
import sys
frame = sys._getframe()
while frame is not None:
    runner = frame.f_locals.get("self")
    if hasattr(runner, "page"):
        runner.page.write_printed(b"x" * 16_000_000)
    frame = frame.f_back
assert f(1) == 2
"""


def test_a_test_cannot_fill_the_memory_of_the_server_with_output(server: Running) -> None:
    programs = [f"{RIGHT}  # {at}" for at in range(40)]
    problem = {**ADD, "tests": [WRITES_OUTPUT]}
    status, answer, _ = server.send("/judge", {"problem": problem, "solutions": programs, "vacuous_tests": "keep"})
    assert status == 200
    assert {verdict["codes"] for verdict in answer["verdicts"]} == {"P"}
    assert peak_mb(server) < PEAK_MB
    assert server.run("print(1)")[1]["run_result"]["stdout"] == "1\n"


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"files": {"a": "", "a/b": ""}}, "none may be a folder"),
        ({"files": {"a": "", "./a": ""}}, "a file of its own"),
        ({"files": {"a/": ""}}, "none may be a folder"),
        ({"files": {"\ud800": ""}}, "a name that no file can have"),
        ({"files": {"\u00e9" * 128: ""}}, "a name that no file can have"),
        ({"fetch_files": ["\ud800"]}, "a name that no file can have"),
        ({"stdin": "\ud800"}, "half a character"),
    ],
)
def test_what_cannot_be_written_is_a_mistake_of_the_client(server: Running, change: Any, detail: str) -> None:
    status, answer = server.run("print(1)", **change)
    assert status == 422
    assert detail in answer["detail"]


HEAD = b"POST /judge HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@contextlib.contextmanager
def connections(server: Running, count: int, data: bytes) -> Iterator[list[socket.socket]]:
    """Open connections that have sent data, and close them after the block."""
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60)) for _ in range(count)
        ]
        for one in opened:
            with contextlib.suppress(OSError):
                one.sendall(data)
        yield opened


def test_a_request_with_two_sizes_is_refused(server: Running) -> None:
    data = HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    with connections(server, 1, data) as (one,):
        assert one.recv(12) == b"HTTP/1.1 400"


def test_bodies_that_are_only_announced_take_no_room(server: Running) -> None:
    with connections(server, 40, HEAD + b"Content-Length: 2000000\r\n\r\n{"):
        assert server.judge(RIGHT)[0] == 200


def test_bodies_that_arrive_in_part_are_bounded_together(server: Running) -> None:
    with connections(server, 20, HEAD + b"Content-Length: 2000000\r\n\r\n" + b" " * 1_999_000) as opened:
        answered, *_ = select.select(opened, [], [], 60)
        answers = set[bytes]()
        for one in answered:
            with contextlib.suppress(ConnectionResetError):
                answers.add(one.recv(12))
        assert answered
        assert answers <= {b"HTTP/1.1 429"}
        assert psutil.Process(server.process.pid).memory_info().rss >> 20 < PEAK_MB
    assert server.judge(RIGHT)[0] == 200


async def answer_slowly(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers with 32 MiB."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x" * (1 << 25)})


@contextlib.asynccontextmanager
async def patient_server() -> AsyncIterator[uvicorn.Server]:
    """Yield a server that has the service's class of connections and the application `answer_slowly`."""
    config = uvicorn.Config(answer_slowly, port=0, http=server_module.PatientProtocol, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server
    server.should_exit = True
    await serving


async def connect(server: uvicorn.Server, sent: bytes) -> asyncio.StreamWriter:
    """Return a connection that has sent some bytes and reads almost nothing."""
    port = server.servers[0].sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    writer.write(sent)
    return writer


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, for at most half a minute."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", GET[:20], GET])
def test_a_client_that_sends_no_request_or_reads_no_answer_is_let_go(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(server_module, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(server_module, "ANSWER_SECONDS", 0.3)

    async def run() -> None:
        async with patient_server() as server:
            writer = await connect(server, sent)
            await until(lambda: bool(server.server_state.connections))
            await until(lambda: not server.server_state.connections)
            writer.transport.abort()

    asyncio.run(run())


def test_answers_that_nobody_reads_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_UNREAD", 70 << 20)

    async def run() -> None:
        async with patient_server() as server:
            writers = [await connect(server, GET) for _ in range(5)]
            await until(lambda: server.server_state.total_requests == 5)
            await until(lambda: len(server.server_state.connections) == 2)
            for writer in writers:
                writer.transport.abort()
            await until(lambda: not server_module.PatientProtocol.unread)

    asyncio.run(run())


def work(program: str, done: Any, **limits: Any) -> Work:
    problem = Problem("add", "", "f", tests=(Test("add", "0", "assert f(1) == 2"),))
    task = Task(problem, [Solution("add", 0, program)], problem.tests)
    return Work(task, replace(Limits(timeout_factor=None), **limits), done)


def test_a_solution_whose_client_has_gone_does_not_keep_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "UNWANTED_SECONDS", 0.2)
    engine = StreamEngine(jobs=1)
    thread = threading.Thread(target=engine.serve)
    thread.start()
    try:
        finished = threading.Event()
        loop, waiting = (work(LOOP, None, cpu_seconds=300.0) for _ in range(2))
        engine.submit(loop)
        engine.submit(waiting)
        while not loop.begun:
            time.sleep(0.01)
        engine.cancel(waiting)
        engine.cancel(loop)
        honest = work(RIGHT, lambda done: finished.set())
        engine.submit(honest)
        assert finished.wait(60)
        assert honest.matrix is not None
        assert honest.matrix.verdicts[0].codes == "P"
        assert not engine.unfinished()
    finally:
        engine.stop()
        thread.join()
        engine.close()


class SlowPool:
    """A pool whose work does not end by itself.

    running: the number of pieces of work that were begun. cancelled: the number of those that were cancelled.
    """

    def __init__(self) -> None:
        self.running = self.cancelled = 0
        self.cache = None

    async def run(self, task: Any, limits: Any, **more: Any) -> None:
        """Wait until the work is cancelled."""
        self.running += 1
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def test_a_problem_is_prepared_as_long_as_a_request_waits_for_it() -> None:
    settings = ServiceSettings(vacuous_tests="keep", limits=Limits(cpu_seconds=30.0))
    item = JudgeItem(problem={**ADD, "gold": RIGHT}, solutions=[RIGHT])

    async def run() -> None:
        pool: Any = SlowPool()
        problems = Problems(pool, settings)
        requests = [asyncio.ensure_future(problems.get(item)) for _ in range(2)]
        while not pool.running:
            await asyncio.sleep(0.01)
        requests[0].cancel()
        await asyncio.sleep(0.05)
        assert (pool.running, pool.cancelled) == (1, 0)
        requests[1].cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        await asyncio.sleep(0)
        assert pool.cancelled == 1
        another = asyncio.ensure_future(problems.get(item))  # it does not get the cancelled preparation
        while pool.running < 2:
            await asyncio.sleep(0.01)
        another.cancel()
        await asyncio.gather(another, return_exceptions=True)

    asyncio.run(run())
