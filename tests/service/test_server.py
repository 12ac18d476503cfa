"""The server itself: tokens, sizes, a full queue, clients that close connections, signals, and leftover processes."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from running import ADD, LOOP, RIGHT, Running

from codepref.errors import UserError
from codepref.service.settings import ServiceSettings

LONG = {"cpu_seconds": 100, "timeout_factor": None}
"""Limits with which an endless loop runs for longer than a test of this module takes."""


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds, for at most a minute."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.05)


def figure(server: Running, name: str) -> float:
    """Return a figure of /metrics, or 0 if there is none."""
    text = server.send("/metrics", method="GET")[1]
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " ")), 0.0)


@contextlib.contextmanager
def in_background(call: Callable[[], Any]) -> Iterator[list[Any]]:
    """Run a call in a thread. After the block, the list holds its result, or the OSError that it raised."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(call())
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield found
    thread.join(60)


def all_gone(processes: list[psutil.Process]) -> bool:
    return not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_health_and_figures_need_no_body(server: Running) -> None:
    assert server.send("/healthz", method="GET")[1]["status"] == "ok"
    before = figure(server, 'codepref_solutions_total{correct="yes"}')
    server.judge(RIGHT, RIGHT)
    assert figure(server, 'codepref_solutions_total{correct="yes"}') == before + 2
    assert figure(server, "codepref_workers") == 1


def test_the_server_describes_its_requests(server: Running) -> None:
    paths = server.send("/openapi.json", method="GET")[1]["paths"]
    assert {"/judge", "/run_code", "/healthz", "/metrics"} <= set(paths)
    assert "429" in paths["/judge"]["post"]["responses"]
    assert "swagger" in server.send("/docs", method="GET")[1]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/judge", 405), ("GET", "/../etc/passwd", 404)])
def test_other_requests_are_refused(server: Running, method: str, path: str, status: int) -> None:
    assert server.send(path, method=method)[0] == status


def test_a_body_that_is_no_json_by_its_header_is_refused(server: Running) -> None:
    assert server.send("/judge", b"{}", headers={"Content-Type": "text/plain"})[0] == 415


def raw(server: Running, *parts: bytes) -> bytes:
    """Send bytes, and return what comes back until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        with contextlib.suppress(OSError):
            for part in parts:
                connection.sendall(part)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(1 << 16):
                answer += part
    return answer


HEAD = b"POST /judge HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_a_body_of_a_gigabyte_is_refused_before_it_is_read(server: Running) -> None:
    answer = raw(server, HEAD + b"Content-Length: 1073741824\r\n\r\n", b"{")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"at most 2,097,152 are allowed" in answer


def test_a_body_of_unknown_size_is_cut_off(server: Running) -> None:
    memory = psutil.Process(server.process.pid).memory_info().rss
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    raw(server, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *([chunk] * 1000))
    assert psutil.Process(server.process.pid).memory_info().rss < memory + (32 << 20)
    assert server.judge(RIGHT)[0] == 200


def test_a_client_that_goes_before_its_body_is_sent_costs_nothing(server: Running) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
    assert server.judge(RIGHT)[0] == 200
    wait_until(lambda: figure(server, "codepref_outstanding") == 0)


def test_a_token_is_needed_where_one_is_set() -> None:
    with Running("--jobs", "1", CODEPREF_TOKEN="secret-1") as server:
        assert server.judge(RIGHT)[0] == 401
        for token in ("", "secret", "secret-2", "secret-11"):
            assert server.send("/metrics", method="GET", headers={"Authorization": f"Bearer {token}"})[0] == 401
        assert server.send("/healthz", method="GET")[0] == 200
        body = {"problem": ADD, "solutions": [RIGHT]}
        assert server.send("/judge", body, headers={"Authorization": "Bearer secret-1"})[0] == 200
        code = "import os\nprint(dict(os.environ))"
        answer = server.send(
            "/run_code", {"code": code, "language": "python"}, headers={"Authorization": "Bearer secret-1"}
        )
        assert "secret" not in answer[1]["run_result"]["stdout"]


def test_a_full_queue_gives_429_and_a_client_that_goes_makes_room() -> None:
    body = {"problem": ADD, "solutions": [LOOP], "limits": LONG}
    with Running("--jobs", "1", "--queue", "3") as server:
        assert server.judge(RIGHT)[0] == 200
        with in_background(lambda: server.send("/judge", body)):
            wait_until(lambda: figure(server, "codepref_outstanding") == 1)
            status, answer, headers = server.send("/judge", {"problem": ADD, "solutions": [RIGHT, LOOP, LOOP]})
            assert (status, answer["detail"][:17]) == (429, "the queue is full")
            assert 1 <= int(headers["retry-after"]) <= 60
            assert server.judge(*[RIGHT] * 4)[0] == 422
            waiting = server.connection()
            waiting.request(
                "POST", "/run_code", b'{"code": "", "language": "python"}', {"Content-Type": "application/json"}
            )
            wait_until(lambda: figure(server, "codepref_outstanding") == 2)
            waiting.close()
            wait_until(lambda: figure(server, "codepref_outstanding") == 1)
            server.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_work_and_leaves_no_process(number: int) -> None:
    body = {"problem": ADD, "solutions": [LOOP] * 3, "limits": LONG}
    with Running("--jobs", "2") as server:
        with in_background(lambda: server.send("/judge", body)) as found:
            wait_until(lambda: figure(server, "codepref_outstanding") == 3)
            workers = server.workers()
            status, text = server.end(number)
        assert status == 0
        assert "the server has ended" in text
        assert "Traceback" not in text
        assert found[0][0] == 503
        assert workers
        wait_until(lambda: all_gone(workers))


def test_a_killed_server_leaves_no_process() -> None:
    body = {"problem": ADD, "solutions": [LOOP] * 3, "limits": LONG}
    with Running("--jobs", "2") as server, in_background(lambda: server.send("/judge", body)):
        wait_until(lambda: figure(server, "codepref_outstanding") == 3)
        workers = server.workers()
        assert workers
        server.process.kill()
        wait_until(lambda: all_gone(workers))


def test_a_request_that_takes_too_long_gets_504_and_the_server_goes_on() -> None:
    with Running("--jobs", "1", "--request-seconds", "0.5") as server:
        limits = {"cpu_seconds": 2, "timeout_factor": None}
        assert server.judge(LOOP, tests=["assert f(1) == 2"], limits=limits)[0] == 504
        wait_until(lambda: server.judge(RIGHT)[0] == 200)


def test_a_killed_worker_is_replaced_and_the_verdict_comes(server: Running) -> None:
    body = {"problem": ADD, "solutions": [LOOP, RIGHT], "limits": {"cpu_seconds": 1, "timeout_factor": None}}
    with in_background(lambda: server.send("/judge", body)) as found:
        wait_until(lambda: figure(server, "codepref_outstanding") == 2)
        for worker in psutil.Process(server.process.pid).children():
            worker.kill()
    assert [one["codes"] for one in found[0][1]["verdicts"]] == ["TT", "PP"]


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--port", "70000"], 2, "port must lie between 0 and 65535"),
        (["--queue", "0"], 2, "queue must be a finite number above 0"),
        (["--body-mb", "inf"], 2, "body mb must be a finite number above 0"),
        (["--cpu-seconds", "1000"], 2, "limits: cpu_seconds is 1000.0, and a request may have at most 300.0"),
        (["--token-file", "missing"], 2, "--token-file missing: No such file or directory"),
        (["--host", "203.0.113.1"], 3, "cannot be used. Take another host or port"),
    ],
)
def test_wrong_options_have_one_message(options: list[str], status: int, message: str) -> None:
    command = [sys.executable, "-m", "codepref", "serve", "--jobs", "1", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == status
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unknown_choice_of_vacuous_tests_is_refused() -> None:
    with pytest.raises(UserError, match="vacuous_tests must be leave-out or keep, not 'drop'"):
        ServiceSettings(vacuous_tests="drop")  # type: ignore[arg-type]


def test_a_port_in_use_is_an_error_with_the_address(server: Running) -> None:
    command = [sys.executable, "-m", "codepref", "serve", "--jobs", "1", "--port", str(server.port)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert ended.returncode == 3
    assert f"the address 127.0.0.1:{server.port} cannot be used" in ended.stderr
