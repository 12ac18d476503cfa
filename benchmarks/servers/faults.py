"""Runs `codepref respond` and `codepref judge` against a server that fails, and checks results and ledgers."""

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
"""codepref's name of a fault -> the scripted server's name of it, where the two differ."""


def check_faults(problems: int, responses: int, kills: int, longest: float, port: int, seed: int) -> dict[str, Any]:
    """Run both commands undisturbed, and then with kills. Returns the checks, and whether both runs have equal results.

    problems: the number of instructions. responses: the number of responses to each instruction.
    kills, longest: see `run_with_kills`. seed: the seed of the moments of kills.
    """
    result: dict[str, Any] = {}
    texts = {}
    for count in (0, kills):
        label = f"killed {count} times a command" if count else "undisturbed"
        rates = ("--faults", "0.2", "--judge-faults", "0.2", "--seconds", "0.02", "--port", str(port))
        with ScriptedServer(*rates) as server, tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_inputs(folder, server.url, problems, max(6, responses), 10, 3.0)
            generator, begun = random.Random(seed), time.monotonic()
            done = [run_with_kills(command, count, longest, generator) for command in commands(folder, responses)]
            counts = server.counts()
            texts[count] = [(folder / f"{kind}.jsonl").read_bytes() for kind in ("responses", "judgments")]
            result[label] = {
                "kills": done,
                "seconds": round(time.monotonic() - begun, 1),
                "server": {key: counts[key] for key in ("answered", "twice")},
                "ledger differs": ledger_differences(folder, counts),
                **check_ratings(folder, problems, responses),
            }
        print(label, result[label], flush=True)
    result["results are equal"] = texts[0] == texts[kills]
    print("results are equal:", result["results are equal"])
    return result


def run_with_kills(command: list[str], kills: int, longest: float, generator: random.Random) -> int:
    """Kill a command up to `kills` times, start it again after each kill, and let the last start run to its end.

    A kill comes 0.5 to `longest` seconds after the start. Returns the number of kills. Raises SystemExit if the command
    fails.
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
    """Return a text for each difference between the ledgers of the commands and the server's own counts."""
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


def check_ratings(folder: Path, problems: int, responses: int) -> dict[str, int]:
    """Compare each rating with the quality that is stated in its response. The scripted judge rates by this quality.

    Returns the numbers of problems, responses, rated responses and unjudged responses. `invented` is the number of
    ratings that are not the stated quality, those of the second pass included. `lost` is the number of missing
    responses.
    """
    counts: Counter[str] = Counter({"rated": 0, "unjudged": 0, "invented": 0, "responses": 0, "lost": 0})
    for judgment in iter_judgments(folder / "judgments.jsonl"):
        counts["problems"] += 1
        counts["lost"] += responses - len(judgment.responses)
        for response, rating in zip(judgment.responses, judgment.ratings, strict=True):
            counts["responses"] += 1
            quality = int(re.findall(r"quality=(\d+)", response.text)[-1])
            counts["unjudged"] += rating.value is None
            counts["rated"] += rating.value is not None
            counts["invented"] += rating.value not in (None, quality)
            counts["invented"] += rating.second not in (None, quality)
    counts["lost"] += responses * (problems - counts["problems"])
    return dict(counts)
