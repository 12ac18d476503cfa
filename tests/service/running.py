"""Starts `codepref serve` in a process of its own, and sends requests to it."""

import http.client
import json
import os
import signal
import subprocess
import sys
from typing import Any

import psutil

ADD = {"task_id": "add", "prompt": "Add one.", "entry_point": "f", "tests": ["assert f(1) == 2", "assert f(5) == 6"]}
RIGHT, WRONG = "def f(x):\n    return x + 1", "def f(x):\n    return 2"
LOOP = "def f(x):\n    while True:\n        pass"


class Running:
    """A server that runs inside a `with` block. url: its address."""

    def __init__(self, *options: str, **environment: str) -> None:
        self.options, self.environment = options, environment

    def __enter__(self) -> "Running":
        command = [sys.executable, "-m", "codepref", "serve", "--port", "0", *self.options]
        environment = {**os.environ, **self.environment}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        assert self.process.stderr is not None
        lines = [""]
        while " at http" not in lines[-1]:
            lines.append(self.process.stderr.readline())
            assert lines[-1], f"the server did not start: {lines}"
        self.url = lines[-1].split(" at ")[1].split(";")[0]
        self.port = int(self.url.rpartition(":")[2])
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def workers(self) -> list[psutil.Process]:
        """Return the running processes that descend from the server."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal. Return the exit status, and what the server wrote to stderr after its address."""
        assert self.process.stderr is not None
        self.process.send_signal(number)
        status = self.process.wait(30)
        return status, self.process.stderr.read()

    def connection(self) -> http.client.HTTPConnection:
        """Return a new connection to the server."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def send(
        self, path: str, body: Any = None, *, method: str = "POST", headers: dict[str, str] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """Send a request. Return the status, the JSON of the answer (or its text), and the headers."""
        connection = self.connection()
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            text = answer.read().decode()
            found = {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()
        return answer.status, json.loads(text) if "json" in found.get("content-type", "") else text, found

    def judge(self, *solutions: str, **more: Any) -> tuple[int, Any]:
        """Send solutions of the problem ADD to `/judge`. Return the status, and the JSON of the answer."""
        return self.send("/judge", {"problem": ADD, "solutions": list(solutions), **more})[:2]

    def run(self, code: str, **more: Any) -> tuple[int, Any]:
        """Send a program to `/run_code`. Return the status, and the JSON of the answer."""
        return self.send("/run_code", {"code": code, "language": "python", **more})[:2]
