import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


class Served:
    """A running process of `scripted_server.py`. `counts` returns the numbers of its answers and faults so far."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, str(Path(__file__).parent / "scripted_server.py"), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def counts(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/counts") as answer:
            counts: dict[str, Any] = json.load(answer)
        return counts


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*options: str) -> Served:
        started.append(Served(*options))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
