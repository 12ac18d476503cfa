"""Runs the commands against a server that fails, with and without kills, and checks results and ledgers."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.servers.scripted import ScriptedServer, commands, write_inputs
from codepref.judging.artifact import iter_judgments
from codepref.storage.files import read_json

FAULT_NAMES = {"malformed": "not json", "timeout": "hang"}
"""codepref's name of a fault -> the scripted server's name."""
RESPONSES = 4
"""Responses to an instruction."""


def check_faults(problems: int, kills: int, longest: float, port: int, seed: int) -> dict[str, Any]:
    """Both runs, and whether their results are equal. kills, longest: see `run_with_kills`. seed: of the kills."""
    result: dict[str, Any] = {}
    texts = {}
    for count in (0, kills):
        label = f"killed {count} times a command" if count else "undisturbed"
        rates = ("--faults", "0.2", "--judge-faults", "0.2", "--seconds", "0.02", "--port", str(port))
        with ScriptedServer(*rates) as server, tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_inputs(folder, server.url, problems, 6, 10, 1.0)
            generator, begun = random.Random(seed), time.monotonic()
            done = [run_with_kills(command, count, longest, generator) for command in commands(folder)]
            counts = server.counts()
            texts[count] = [(folder / f"{kind}.jsonl").read_bytes() for kind in ("responses", "judgments")]
            result[label] = {
                "kills": done,
                "seconds": round(time.monotonic() - begun, 1),
                "server": {key: counts[key] for key in ("answered", "twice")},
                "ledger differs": ledger_differences(folder, counts),
                **check_ratings(folder, problems),
            }
        print(label, result[label], flush=True)
    result["results are equal"] = texts[0] == texts[kills]
    print("results are equal:", result["results are equal"])
    return result


def run_with_kills(command: list[str], kills: int, longest: float, generator: random.Random) -> int:
    """Run a command to its end, and kill it up to `kills` times on the way. Returns how often it was killed.

    The time to a kill is between 0.5 and `longest` seconds. Raises SystemExit when the command fails.
    """
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


def ledger_differences(folder: Path, counts: dict[str, Any]) -> list[str]:
    """Every difference between the commands' ledgers and the server's own counts, as text."""
    ledger = {}
    for name in ("responses", "judgments"):
        ledger |= read_json(folder / f"{name}.summary.json")["ledger"]
    differences = []
    for name, account in ledger.items():
        faults = {FAULT_NAMES.get(fault, fault): number for fault, number in account["faults"].items()}
        ours = {"answered": account["answered"]} | faults
        theirs = {event: number for event, number in counts["events"].get(name, {}).items() if number}
        tokens = counts["tokens"].get(name, {})
        if ours != theirs:
            differences.append(f"{name}: {ours} against {theirs}, {account['unknown']} unknown")
        if (account["tokens_in"], account["tokens_out"]) != (
            tokens.get("prompt_tokens"),
            tokens.get("completion_tokens"),
        ):
            differences.append(f"{name}: tokens {account['tokens_in']}, {account['tokens_out']} against {tokens}")
    return differences


def check_ratings(folder: Path, problems: int) -> dict[str, int]:
    """Compare each rating with the quality that its response states, which the scripted judge gives unless it fails.

    Counts problems, responses, rated and unjudged responses, invented (a rating that is not the stated quality) and
    lost (responses that are missing).
    """
    counts: Counter[str] = Counter({"rated": 0, "unjudged": 0, "invented": 0, "responses": 0, "lost": 0})
    for judgment in iter_judgments(folder / "judgments.jsonl"):
        counts["problems"] += 1
        counts["lost"] += RESPONSES - len(judgment.responses)
        for response, rating in zip(judgment.responses, judgment.ratings, strict=True):
            counts["responses"] += 1
            quality = int(re.findall(r"quality=(\d+)", response.text)[-1])
            counts["unjudged"] += rating.value is None
            counts["rated"] += rating.value is not None
            counts["invented"] += rating.value not in (None, quality)
            counts["invented"] += rating.second not in (None, quality)
    counts["lost"] += RESPONSES * (problems - counts["problems"])
    return dict(counts)
