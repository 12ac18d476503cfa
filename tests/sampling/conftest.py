import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


class ServedModel:
    """A running process of `served_model.py`."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, str(Path(__file__).parent / "served_model.py"), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def counts(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/counts") as answer:
            counts: dict[str, Any] = json.load(answer)
        return counts

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def serve_model() -> Iterator[Callable[..., ServedModel]]:
    started: list[ServedModel] = []

    def start(*options: str) -> ServedModel:
        started.append(ServedModel(*options))
        return started[-1]

    yield start
    for one in started:
        one.stop()
