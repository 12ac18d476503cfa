"""Sends honest requests among clients that break off, send rubbish, attack and flood, and looks for damage.

Every request is drawn from a seeded generator. An honest request has a known answer. At the end of the requests, the
server must be the same process, and its engine must not have been started again. After the server has ended, none of
its processes and nothing in the folder for temporary files may be left. The server may hold hardly more processes,
descriptors and memory than after the first tenth of the requests; see `_damage`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmarks.serve.http import Connection, ServerProcess, running_server

CLIENTS, FLOOD = 64, 300
"""The number of clients at one time, and the number of further connections during a flood."""

MAX_GROWTH_MB = 64
"""How much the memory of the server's process may grow after the first tenth of the requests, in MiB."""

PROBLEMS = [
    {
        "task_id": f"add-{number}",
        "prompt": f"Add {number}.",
        "entry_point": "f",
        "tests": [f"assert f({at}) == {at + number}" for at in range(4)],
    }
    for number in range(1, 9)
]

ATTACKS = [
    "import os\nwhile True:\n    os.fork()",
    "x = []\nwhile True:\n    x.append(bytearray(1 << 24))",
    "import os\nos._exit(0)",
    "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "import threading\nwhile True:\n    threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()",
    "for i in range(3000):\n    open(f'f{i}', 'w').write('x' * 10000)",
    "while True:\n    print('y' * 1000000)",
    "import socket\nsocket.create_connection(('127.0.0.1', 80))",
    "import sys\nsys.setrecursionlimit(10**9)\ndef g():\n    return g()\ng()",
    "import os\nfor n in range(3, 200):\n    try:\n        os.write(n, b'PPPP')\n    except OSError:\n        pass",
]
"""Programs that try to do damage. None of them may be judged correct."""


def honest(chance: random.Random) -> tuple[str, dict[str, Any], Any]:
    """Return the path and the body of a request, and what its answer must hold."""
    if chance.random() < 0.2:
        first, second = chance.randrange(1000), chance.randrange(1000)
        body = {"code": "print(sum(map(int, input().split())))", "language": "python", "stdin": f"{first} {second}"}
        return "/run_code", body, ("Success", f"{first + second}\n")
    at = chance.randrange(len(PROBLEMS))
    programs, codes = [], []
    for _ in range(chance.choice([1, 1, 1, 4])):
        number, noise = chance.choice([at + 1, at + 1, 0]), chance.randrange(10**9)
        programs.append(f"def f(x):\n    return x + {number}  # {noise}")
        codes.append("PPPP" if number == at + 1 else "FFFF")
    return "/judge", {"problem": PROBLEMS[at], "solutions": programs}, codes


def found(path: str, answer: Any) -> Any:
    """Return the part of an answer that `honest` knows in advance."""
    if path == "/run_code":
        return answer["status"], (answer["run_result"] or {}).get("stdout")
    return [verdict["codes"] for verdict in answer["verdicts"]]


def rubbish(chance: random.Random) -> bytes:
    """Return the bytes of a request that is wrong."""
    body = chance.choice(
        [
            b"{",
            b"[" * chance.randrange(1, 100_000),
            chance.randbytes(chance.randrange(2000)),
            json.dumps({"problem": PROBLEMS[0], "solutions": [5]}).encode(),
            json.dumps({"problem": {"prompt": "x" * 10_000, "tests": ["("] * 100}, "solutions": ["x"]}).encode(),
            json.dumps({"problem": PROBLEMS[0], "solutions": ["x"], "limits": {"cpu_seconds": 1e300}}).encode(),
            json.dumps({"code": "1", "language": "python", "files": {"../../x": ""}}).encode(),
        ]
    )
    path = chance.choice([b"/judge", b"/run_code", b"/", b"/../../etc/passwd", b"/judge?" + b"a" * 5000])
    size = chance.choice([len(body), len(body), len(body), 1 << 40, -1])
    head = (
        b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % size
    )
    return chance.choice([head + body, head + body, chance.randbytes(500), b"GET " + b"/" * 100_000, b"\r\n\r\n"])


class Storm:
    """All clients of one measurement."""

    def __init__(self, server: ServerProcess, seed: int) -> None:
        self._server, self._chance = server, random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.wrong: list[Any] = []
        self.seconds: list[float] = []

    async def run(self, count: int) -> None:
        """Send `count` requests. A flood counts as one request."""
        numbers = iter(range(count))
        await asyncio.gather(*(self._client(numbers) for _ in range(CLIENTS)))

    async def _client(self, numbers: Iterator[int]) -> None:
        connection = Connection(self._server.host, self._server.port)
        for _ in numbers:
            draw = self._chance.random()
            if draw < 0.75:
                await self._honest(connection)
            elif draw < 0.85:
                await self._send(rubbish(self._chance), "rubbish", wait=True)
            elif draw < 0.96:
                await self._break_off()
            elif draw < 0.997:
                await self._attack(connection)
            else:
                await self._flood()
        connection.close()

    async def _honest(self, connection: Connection) -> None:
        path, body, expected = honest(self._chance)
        data = json.dumps(body).encode()
        begun = time.monotonic()
        for _ in range(200):
            try:
                status, headers, answer = await connection.post(path, data)
            except OSError:
                self.counts["honest requests whose connection broke"] += 1
                continue
            if status != 429:
                break
            self.counts["honest requests that were put off (429)"] += 1
            await asyncio.sleep(min(2.0, float(headers.get("retry-after", 1))))
        self.seconds.append(time.monotonic() - begun)
        self.counts["honest requests"] += 1
        if status != 200 or found(path, answer) != expected:
            self.wrong.append((status, answer, expected))

    async def _attack(self, connection: Connection) -> None:
        program = self._chance.choice(ATTACKS)
        if self._chance.random() < 0.5:
            path, body = "/run_code", {"code": program, "language": "python", "run_timeout": 0.3}
        else:
            program += "\ndef f(x):\n    return x"
            path, body = "/judge", {"problem": PROBLEMS[0], "solutions": [program], "limits": {"cpu_seconds": 0.3}}
        with contextlib.suppress(OSError):
            status, _, answer = await connection.post(path, json.dumps(body).encode())
            self.counts[f"attacks with status {status}"] += 1
            if status == 200 and path == "/judge" and answer["verdicts"][0]["correct"]:
                self.wrong.append((body, answer, "an attack passes"))

    async def _break_off(self) -> None:
        path, body, _ = honest(self._chance)
        data = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        whole = head.encode() + data
        await self._send(whole[: self._chance.randrange(len(whole) + 1)], "broken off", wait=False)

    async def _send(self, data: bytes, name: str, *, wait: bool) -> None:
        self.counts[name] += 1
        with contextlib.suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection(self._server.host, self._server.port)
            try:
                writer.write(data)
                await writer.drain()
                if wait:
                    async with asyncio.timeout(0.5):
                        await reader.read(100)
                else:
                    await asyncio.sleep(self._chance.choice([0, 0, 0.05]))
            finally:
                writer.transport.abort() if self._chance.random() < 0.5 else writer.close()

    async def _flood(self) -> None:
        """Open many connections at one time, each with several solutions."""
        statuses: Counter[int] = Counter()

        async def one(number: int) -> None:
            connection = Connection(self._server.host, self._server.port)
            programs = [f"def f(x):\n    return x - {number}  # {at}" for at in range(20)]
            body = json.dumps({"problem": PROBLEMS[0], "solutions": programs}).encode()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    statuses[(await connection.post("/judge", body))[0]] += 1
            connection.close()

        await asyncio.gather(*(one(number) for number in range(FLOOD)))
        self.counts["floods"] += 1
        self.counts["requests of floods that were refused (429)"] += statuses[429]


def state(server: ServerProcess) -> dict[str, Any]:
    """Return the figures of the server that a leak would change."""
    process = psutil.Process(server.process.pid)
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if line and line[0] != "#")
    return {
        "processes": len(process.children()),
        "descriptors": process.num_fds(),
        "memory_mb": process.memory_info().rss / (1 << 20),
        "restarts": float(figures["codepref_engine_restarts"]),
        "outstanding": float(figures["codepref_outstanding"]),
    }


def settled(server: ServerProcess) -> dict[str, Any]:
    """Return the state of the server about a second after it has no more work, or after about two minutes."""
    end = time.monotonic() + 120
    while state(server)["outstanding"] and time.monotonic() < end:
        time.sleep(0.2)
    time.sleep(1.0)
    return state(server)


def measure_storm(requests: int, seed: int) -> dict[str, Any]:
    """Send the requests, end the server, and return counts and times. `damage` in the result lists what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder
        try:
            with running_server("--jobs", "2", "--queue", "1000", "--cpu-seconds", "1") as server:
                storm = Storm(server, seed)
                begun = time.monotonic()
                asyncio.run(storm.run(requests // 10))
                before = settled(server)
                asyncio.run(storm.run(requests - requests // 10))
                seconds = time.monotonic() - begun
                after = settled(server)
                children = psutil.Process(server.process.pid).children(recursive=True)
                alive = server.process.poll() is None
                status = server.end()
            left = [one.name() for one in psutil.wait_procs(children, timeout=10)[1]]
            files = [path.name for path in Path(folder).iterdir()]
        finally:
            del os.environ["TMPDIR"]
    times = sorted(storm.seconds)
    return {
        "requests": requests,
        "seed": seed,
        "seconds": round(seconds, 1),
        "counts": dict(sorted(storm.counts.items())),
        "honest_p50_ms": round(1000 * times[len(times) // 2]),
        "honest_p99_ms": round(1000 * times[int(0.99 * (len(times) - 1))]),
        "before": before,
        "after": after,
        "damage": _damage(storm, before, after, alive, status, left, files),
    }


def _damage(
    storm: Storm,
    before: dict[str, Any],
    after: dict[str, Any],
    alive: bool,
    status: int,
    left: list[str],
    files: list[str],
) -> list[str]:
    """Return what went wrong, in words."""
    grown = after["memory_mb"] - before["memory_mb"]
    checks = {
        f"{len(storm.wrong)} wrong answers, such as {storm.wrong[:1]}": bool(storm.wrong),
        "the server ended": not alive,
        f"the server ended with status {status}": status != 0,
        f"the engine was started again {after['restarts']:.0f} times": after["restarts"] > 0,
        f"{after['outstanding']:.0f} solutions are still counted": after["outstanding"] > 0,
        f"{after['processes']} processes instead of {before['processes']}": after["processes"]
        > max(2, before["processes"]),
        f"{after['descriptors']} descriptors instead of {before['descriptors']}": after["descriptors"]
        > before["descriptors"] + 8,
        f"the memory grew by {grown:.0f} MiB": grown > MAX_GROWTH_MB,
        f"processes are left: {left}": bool(left),
        f"files are left: {files}": bool(files),
    }
    return [text for text, wrong in checks.items() if wrong]
