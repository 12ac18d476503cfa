"""Tests of a run whose model answers on a server that codepref starts and stops."""

import json
import shlex
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from codepref import run
from codepref.runs.inspect import status_lines

SERVER = Path(__file__).parent.parent / "servers" / "small_server.py"
TRAIN, HELDOUT = range(1, 7), range(101, 105)
CONCURRENCY = 2
"""The number of answers that codepref asks for at the same time."""


def problems(path: Path, numbers: range) -> str:
    """Write problems that ask for functions which add a number, and return the path."""
    with path.open("w") as stream:
        for number in numbers:
            row = {
                "task_id": f"add/{number}",
                "prompt": f"Write a function add_{number}(x) that returns x plus {number}.",
                "entry_point": f"add_{number}",
                "tests": [f"assert add_{number}(1) == {number + 1}", f"assert add_{number}(5) == {number + 5}"],
            }
            stream.write(json.dumps(row) + "\n")
    return str(path)


def recipe(folder: Path, *options: str) -> Path:
    """Write a recipe whose server records its answers in the file `asked`, and return the recipe's path."""
    command = shlex.join([sys.executable, str(SERVER), "MODEL", "--port", "PORT", "--asked", str(folder / "asked")])
    command = command.replace("MODEL", "{model}").replace("PORT", "{port}")
    path = folder / "recipe.toml"
    path.write_text(
        f"""
[model]
concurrency = {CONCURRENCY}

[engine]
command = '''{command} {shlex.join(options)}'''
stop_seconds = 3.0

[problems]
train = {json.dumps(problems(folder / "train.jsonl", TRAIN))}
heldout = {json.dumps(problems(folder / "heldout.jsonl", HELDOUT))}

[sampling]
solutions = 4

[training]
batch_size = 4
epochs = 1.0

[evaluation]
samples = 2
k = [1, 2]

[gate]
margin = 100.0
"""
    )
    return path


def asked(folder: Path) -> list[dict[str, Any]]:
    path = folder / "asked"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.slow
def test_a_run_starts_a_server_for_the_base_model_and_one_for_the_aligned_model(tmp_path: Path) -> None:
    messages: list[str] = []
    summary = run(recipe(tmp_path), tmp_path / "out", log=messages.append)
    order = [line.split()[1] for line in messages if line.startswith("[")]
    assert order == ["sample-solutions", "evaluate-base", "execute", "pair", "audit", "train", "evaluate-aligned"]
    assert [line for line in messages if " is ready after " in line and "the server of" in line] == [
        line for line in messages if line.startswith(("the server of base", "the server of aligned"))
    ]
    starts = [line.split(":")[0] for line in messages if line.startswith("starting")]
    assert starts == ["starting the server of base", "starting the server of aligned"]
    models = Counter(Path(one["model"]).name for one in asked(tmp_path))
    assert sorted(models.values()) == [4 * 3, 6 * 4 + 4 * 3]  # aligned: greedy and samples; base: solutions too
    assert summary["pairs"]["count"] > 0
    assert summary["comparison"]
    assert (tmp_path / "out" / "report.html").exists()
    assert not [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(tmp_path / "asked") in (process.info["cmdline"] or [])
    ]
    again: list[str] = []
    run(tmp_path / "recipe.toml", tmp_path / "out", log=again.append)
    assert all(line.endswith("(done before)") for line in again)  # a finished run starts no server
    assert [line.split()[0] for line in status_lines(tmp_path / "out")[2:9]] == order


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "codepref", "run", str(folder / "recipe.toml"), "--out", str(folder / "out")]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_run_that_is_killed_asks_nothing_again_that_was_answered_and_leaves_no_server(tmp_path: Path) -> None:
    """Kill the run while the base model is sampled, while it is measured, and while the aligned model is measured."""
    recipe(tmp_path, "--seconds", "0.1")
    for answers in (8, 30, 42):
        process = start(tmp_path)
        while len(asked(tmp_path)) < answers:
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.02)
        children = psutil.Process(process.pid).children(recursive=True)
        assert any(str(SERVER) in child.cmdline() for child in children)
        process.kill()
        process.wait()
        _, left = psutil.wait_procs(children, timeout=30)
        assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE]
    process = start(tmp_path)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert (tmp_path / "out" / "report.html").exists()
    requests = Counter(json.dumps(one) for one in asked(tmp_path))
    again = sum(requests.values()) - len(requests)
    assert again <= 3 * CONCURRENCY  # each kill loses at most the answers that were on their way


@pytest.mark.slow
def test_a_server_at_an_address_answers_the_training_problems_and_measures_no_model(tmp_path: Path) -> None:
    path = recipe(tmp_path)
    command = [sys.executable, str(SERVER), "served", "--port", "0", "--asked", str(tmp_path / "asked")]
    with subprocess.Popen([*command, "--print-port"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        try:
            text = path.read_text()
            section = text[text.index("[engine]") : text.index("[problems]")]
            address = f'[model]\nbase_url = "{url}"\nserved_name = "served"\nsend_seed = "no"'
            path.write_text(text.replace(section, "").replace("[model]", address))
            messages: list[str] = []
            summary = run(path, tmp_path / "out", log=messages.append)
        finally:
            server.kill()
    assert len(asked(tmp_path)) == 6 * 4  # six problems, four solutions each
    assert any(url in line and "All measurements use codepref on this machine" in line for line in messages)
    assert summary["pairs"]["count"] > 0
    assert summary["comparison"]
    marker = json.loads((tmp_path / "out" / "stages" / "sample-solutions.json").read_text())
    assert marker["result"]["server"]["seed"] == "no seed: send_seed is 'no'"
    assert "codepref cannot check that the server has the weights" in (tmp_path / "out" / "report.html").read_text()
