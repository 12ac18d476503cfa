"""AI feedback against a scripted server: nothing lost, nothing invented, nothing asked twice; and how fast.

    python benchmarks/calls.py faults --out calls.json [--problems 2000 --kills 5]
    python benchmarks/calls.py throughput --out calls.json [--problems 10000]

faults: `codepref respond` and `codepref judge` run undisturbed, then again with SIGKILL at random moments, each against
a server that fails a fifth of its calls (429, 500, hangs, cut answers, broken JSON) and a judge that fails a fifth of
its answers; both results must be equal, byte by byte, and the ledger equal to the server's own count.
throughput: a server that takes 200 ms a call and 64 at once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from codepref.judging.artifact import iter_judgments
from codepref.storage.files import read_json

SERVER = Path(__file__).resolve().parents[1] / "tests" / "calls" / "scripted_server.py"
NAMES = {"malformed": "not json", "timeout": "hang"}
"""Our words for faults -> the server's."""


class Served:
    """A scripted server while the block lasts."""

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen([sys.executable, str(SERVER), *options], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def counts(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/counts") as answer:
            counts: dict[str, Any] = json.load(answer)
        return counts


def write_inputs(folder: Path, url: str, problems: int, members: int, concurrency: int, timeout: float) -> None:
    rows = (
        {"instruction": f"Write a program that does thing {place}. " + "Mind the details. " * 30}
        for place in range(problems)
    )
    (folder / "instructions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = ("[[pool]]", 'name = "{0}"', 'model = "{0}"', f'base_url = "{url}"', "concurrency = {1}")
    table = "\n".join([*lines, f"timeout = {timeout}", "price_in = 1.0", "price_out = 2.0", ""])
    names = [f"writer-{place}" for place in range(members)]
    (folder / "pool.toml").write_text("".join(table.format(name, concurrency) for name in names))
    (folder / "judge.toml").write_text(table.format("judge", concurrency * members))


def commands(folder: Path) -> list[list[str]]:
    tool = [sys.executable, "-m", "codepref"]
    inputs = ["--instructions", str(folder / "instructions.jsonl"), "--pool", str(folder / "pool.toml")]
    responses, judgments = str(folder / "responses.jsonl"), str(folder / "judgments.jsonl")
    judge = ["--judge", str(folder / "judge.toml"), "--second-pass"]
    return [
        [*tool, "respond", *inputs, "--out", responses],
        [*tool, "judge", "--responses", responses, *judge, "--out", judgments],
    ]


def killed(command: list[str], kills: int, longest: float, generator: random.Random) -> int:
    """Run a command to its end, killing it some times on the way. Returns how often it was killed."""
    done = 0
    while True:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            status = process.wait(generator.uniform(0.5, longest) if done < kills else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            done += 1
            continue
        if status:
            raise SystemExit(f"{command} ended with status {status}")
        return done


def same_as_server(folder: Path, counts: dict[str, Any]) -> list[str]:
    """What differs between our ledgers and the server's own count."""
    ledger = {}
    for name in ("responses", "judgments"):
        ledger |= read_json(folder / f"{name}.summary.json")["ledger"]
    differing = []
    for name, account in ledger.items():
        ours = {"answered": account["answered"]} | {NAMES.get(key, key): n for key, n in account["faults"].items()}
        theirs = {key: n for key, n in counts["events"].get(name, {}).items() if n}
        tokens = counts["tokens"].get(name, {})
        if ours != theirs:
            differing.append(f"{name}: {ours} against {theirs}, {account['unknown']} unknown")
        if [account["tokens_in"], account["tokens_out"]] != [
            tokens.get("prompt_tokens"),
            tokens.get("completion_tokens"),
        ]:
            differing.append(f"{name}: tokens {account['tokens_in']}, {account['tokens_out']} against {tokens}")
    return differing


def check_ratings(folder: Path, problems: int, responses: int) -> dict[str, int]:
    """Each rating against what the response asks for: the scripted judge gives `quality`, and faults anything else."""
    found: Counter[str] = Counter({"rated": 0, "unjudged": 0, "invented": 0, "responses": 0, "lost": 0})
    for judgment in iter_judgments(folder / "judgments.jsonl"):
        found["problems"] += 1
        found["lost"] += responses - len(judgment.responses)
        for response, rating in zip(judgment.responses, judgment.ratings, strict=True):
            found["responses"] += 1
            quality = int(re.findall(r"quality=(\d+)", response.text)[-1])
            found["unjudged"] += rating.value is None
            found["rated"] += rating.value is not None
            found["invented"] += rating.value not in (None, quality)
            found["invented"] += rating.second not in (None, quality)
    found["lost"] += responses * (problems - found["problems"])
    return dict(found)


def faults(options: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {}
    texts = {}
    for kills in (0, options.kills):
        label = f"killed {kills} times a command" if kills else "undisturbed"
        with (
            Served(
                "--faults", "0.2", "--judge-faults", "0.2", "--seconds", "0.02", "--port", str(options.port)
            ) as server,
            tempfile.TemporaryDirectory() as name,
        ):
            folder = Path(name)
            write_inputs(folder, server.url, options.problems, 6, 10, 1.0)
            generator, begun, done = random.Random(options.seed), time.monotonic(), []
            for command in commands(folder):
                done.append(killed(command, kills, options.longest, generator))
            counts = server.counts()
            texts[kills] = [(folder / f"{kind}.jsonl").read_bytes() for kind in ("responses", "judgments")]
            result[label] = {
                "kills": done,
                "seconds": round(time.monotonic() - begun, 1),
                "server": {key: counts[key] for key in ("answered", "twice")},
                "ledger differs": same_as_server(folder, counts),
                **check_ratings(folder, options.problems, 4),
            }
        print(label, result[label], flush=True)
    result["results are equal"] = texts[0] == texts[options.kills]
    print(result["results are equal"])
    return result


def throughput(options: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {}
    with Served("--seconds", "0.2", "--at-once", "64") as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, server.url, options.problems, 4, 16, 30.0)
        for command in commands(folder):
            before, begun = server.counts()["answered"], time.monotonic()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            peak = 0.0
            while process.poll() is None:
                peak = max(peak, memory_mb(process.pid))
                time.sleep(0.2)
            seconds, answered = time.monotonic() - begun, server.counts()["answered"] - before
            if process.returncode:
                raise SystemExit(f"{command} ended with status {process.returncode}")
            result[command[3]] = {
                "calls": answered,
                "seconds": round(seconds, 1),
                "calls a second": round(answered / seconds, 1),
                "peak MB of both processes": round(peak, 1),
            }
            print(command[3], result[command[3]], flush=True)
        result["most at once"] = server.counts()["most at once"]
    return result


def memory_mb(pid: int) -> float:
    """Resident memory of a process and its children."""
    total = 0.0
    for process in (pid, *children(pid)):
        try:
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
    return total


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("faults", "throughput"))
    parser.add_argument("--problems", type=int)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--longest", type=float, default=6.0, help="seconds to the next kill, at most")
    parser.add_argument(
        "--port", type=int, default=18977, help="faults: the same for both runs, since keys hold the URL"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="JSON file; parts are added to it")
    options = parser.parse_args()
    options.problems = options.problems or {"faults": 2000, "throughput": 10_000}[options.part]
    begun = time.monotonic()
    result = {"faults": faults, "throughput": throughput}[options.part](options)
    known = json.loads(options.out.read_text()) if options.out.exists() else {}
    words = [word if word != str(options.out) else options.out.name for word in sys.argv[1:]]
    known[options.part] = {
        "command": " ".join(["python", "benchmarks/calls.py", *words]),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()},
        "date": time.strftime("%Y-%m-%d"),
        "wall_seconds": round(time.monotonic() - begun, 1),
        "result": result,
    }
    options.out.write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    main()
