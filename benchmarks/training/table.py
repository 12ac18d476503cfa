"""Writes the results of `python -m benchmarks.training` as JSON rows and as a Markdown table."""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from codepref.runs.summary import machine, versions
from codepref.storage.files import read_json, write_json, write_text

Runs = dict[str, dict[str, list[dict[str, Any]]]]
"""Set -> system -> one answer for each repeat."""


def write_results(options: argparse.Namespace, runs: Runs) -> None:
    """Write training.json and training.md, and print the table.

    The new row replaces an earlier row of the same device and size.
    """
    facts = machine()
    device = facts.get("gpu", facts["cpu"]) if options.device != "cpu" else facts["cpu"]
    row = {
        "command": f"python -m benchmarks.training --data DATA --size {options.size} --pairs {options.pairs} "
        f"--batch {options.batch} --max-length {options.max_length} --repeats {options.repeats}",
        "device": device,
        "size": options.size,
        "machine": facts,
        "versions": versions(),
        "sets": runs,
    }
    path = options.results / "training.json"
    before = read_json(path) if path.exists() else []
    rows = [kept for kept in before if (kept["device"], kept["size"]) != (device, options.size)] + [row]
    write_json(path, rows)
    text = table(rows)
    write_text(options.results / "training.md", text)
    print(text)


def table(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown document with one line for each row and set."""
    lines = [
        "# DPO training beside plain TRL",
        "",
        "Speeds are tokens a second. Tokens of both sides of all pairs count. The time includes the work of the "
        "reference model, and no loading. A speed is the median over repeats. Memory is the peak over repeats. The "
        "last column compares the losses of both systems step by step.",
        "",
        "| model | device | pairs | TRL tokens/s | codepref tokens/s | times | TRL GiB | codepref GiB | "
        "largest difference of a step's loss |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        for name, runs in row["sets"].items():
            speed = {
                system: statistics.median(answer["tokens_per_second"] for answer in answers)
                for system, answers in runs.items()
            }
            peak = {system: max(answer["peak_gib"] for answer in answers) for system, answers in runs.items()}
            largest = max(
                abs(ours - theirs)
                for answer, other in zip(runs["codepref"], runs["trl"], strict=True)
                for ours, theirs in zip(answer["losses"], other["losses"], strict=True)
            )
            lines.append(
                f"| Qwen2 {row['size']} | {row['device']} | {name} | {speed['trl']:.0f} | {speed['codepref']:.0f} | "
                f"{speed['codepref'] / speed['trl']:.2f} | {peak['trl']:.1f} | {peak['codepref']:.1f} | {largest:.1e} |"
            )
    lines += ["", *dict.fromkeys(f"`{row['command']}` on {row['device']}" for row in rows)]
    return "\n".join(lines) + "\n"
