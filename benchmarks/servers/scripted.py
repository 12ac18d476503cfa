"""Starts the scripted server (tests/servers/scripted_server.py), and makes the inputs and commands that use it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.common.process import ROOT

SERVER = ROOT / "tests" / "servers" / "scripted_server.py"


class ScriptedServer:
    """A running scripted server, which is killed when the `with` block ends.

    options: the server's command-line options.
    """

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen([sys.executable, str(SERVER), *options], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def counts(self) -> dict[str, Any]:
        """Return the counts of the server so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/counts") as response:
            counts: dict[str, Any] = json.load(response)
        return counts


def write_inputs(folder: Path, url: str, problems: int, members: int, concurrency: int, timeout: float) -> None:
    """Write instructions, a pool and a judge to `folder`.

    url: the address of the server. problems: the number of instructions. members: the number of models in the pool.
    concurrency: how many calls each member may get at once. The judge may get as many at once as all members together.
    timeout: the seconds that a call may take.
    """
    rows = (
        {"instruction": f"Write a program that does thing {number}. " + "Mind the details. " * 30}
        for number in range(problems)
    )
    (folder / "instructions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = ("[[pool]]", 'name = "{0}"', 'model = "{0}"', f'base_url = "{url}"', "concurrency = {1}")
    table = "\n".join([*lines, f"timeout = {timeout}", "price_in = 1.0", "price_out = 2.0", ""])
    names = [f"writer-{number}" for number in range(members)]
    (folder / "pool.toml").write_text("".join(table.format(name, concurrency) for name in names))
    (folder / "judge.toml").write_text(table.format("judge", concurrency * members))


def commands(folder: Path, responses: int = 4) -> list[list[str]]:
    """Return the command lines of `codepref respond` and `codepref judge` on the inputs in `folder`.

    responses: the number of models that answer each instruction.
    """
    codepref = [sys.executable, "-m", "codepref"]
    inputs = ["--instructions", str(folder / "instructions.jsonl"), "--pool", str(folder / "pool.toml")]
    inputs += ["--per-problem", str(responses)]
    answers, judgments = str(folder / "responses.jsonl"), str(folder / "judgments.jsonl")
    judge = ["--judge", str(folder / "judge.toml"), "--second-pass"]
    return [
        [*codepref, "respond", *inputs, "--out", answers],
        [*codepref, "judge", "--responses", answers, *judge, "--out", judgments],
    ]
