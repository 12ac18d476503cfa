"""Lets trainers' own code read what `codepref export` writes, and counts the rows that arrive whole.

Each trainer is in an environment of its own, since trainers need different versions of the same packages. The folder of
an environment is given as NAME=FOLDER, and `readers/read_NAME.py` runs with its Python. A reader loads the exported
files and returns the texts that the trainer's code makes of the rows. Except for TRL, it uses the exported settings. A
row arrives whole if its prompt part holds each message of the prompt and not the chosen (or the only) answer, its
answer parts hold the answers, and its label, if it has one, is right.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.results import RESULTS, command_line, describe_run
from benchmarks.interop.rows import pairs
from codepref import export
from codepref.models import resolve_model
from codepref.records import Message, Pair
from codepref.training.examples import Example, examples_from_pairs

KINDS = {
    "trl": ("pairs", "kto", "sft"),
    "llamafactory": ("pairs", "kto", "sft"),
    "axolotl": ("pairs", "kto", "sft"),
    "openrlhf": ("pairs", "sft"),
}
READERS = Path(__file__).parent / "readers"


def main() -> None:
    """Run the benchmark, print one line for each file that is read, and write the results file."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.interop", description=__doc__, formatter_class=plain)
    parser.add_argument("environments", nargs="+", metavar="NAME=FOLDER", help=f"name: {', '.join(KINDS)}")
    parser.add_argument("--rows", type=int, default=120, help="number of pairs (default: 120)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for interop.json")
    options = parser.parse_args()
    environments = dict(item.split("=", 1) for item in options.environments)
    written = pairs(options.rows)
    figures = {}
    for name, folder in environments.items():
        for ending in (".jsonl", ".parquet"):
            figures[f"{name} {ending}"] = measure(name, Path(folder), ending, written)
    hidden = dict.fromkeys(environments.values(), "FOLDER")
    result = {**describe_run(command_line("interop", hidden)), "rows": options.rows, "trainers": figures}
    (options.results / "interop.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    print(options.results / "interop.json")


def measure(name: str, environment: Path, ending: str, written: Sequence[Pair]) -> dict[str, Any]:
    """Export the pairs for one trainer, and read the files in its environment.

    Returns the versions of the trainer and of transformers, and for each kind the numbers of rows that were exported,
    were read and arrived whole. Rows are compared in their order.
    """
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS[name]:
            done = export(written, to=name, out=Path(folder) / f"{kind}{ending}", kind=kind)  # type: ignore[arg-type]
            assert not done.left_out, done.left_out
        command = [environment / "bin" / "python", READERS / f"read_{name}.py", folder, resolve_model("starter")]
        answer = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=folder)
        if answer.returncode:
            raise SystemExit(f"{name}: the reader failed\n{answer.stderr[-4000:]}")
        read = json.loads(answer.stdout.splitlines()[-1])
    found: dict[str, Any] = {"versions": read["versions"]}
    for kind, rows in read["kinds"].items():
        expected = expected_parts(written, kind)
        whole = sum(holds(row, parts) for row, parts in zip(rows, expected, strict=False))
        found[kind] = {"exported": len(expected), "read": len(rows), "whole": whole}
        print(f"{name} {ending} {kind}: {len(expected)} exported, {len(rows)} read, {whole} whole", flush=True)
    return found


def expected_parts(written: Sequence[Pair], kind: str) -> list[dict[str, Any]]:
    """Return what each row must hold: the texts of the prompt's messages and of the answers, and any label."""
    if kind == "pairs":
        return [
            {"prompt": texts(one.prompt), "chosen": texts(one.chosen), "rejected": texts(one.rejected)}
            for one in written
        ]
    examples = examples_from_pairs(written).examples
    if kind == "sft":
        return [_answer(one) for one in examples if one.wanted]
    return [{**_answer(one), "label": one.wanted} for one in examples]


def _answer(example: Example) -> dict[str, Any]:
    return {"prompt": texts(example.prompt), "answer": texts(example.completion)}


def texts(messages: Sequence[Message]) -> list[str]:
    """Return the texts of messages without white space at their ends, which some trainers remove."""
    return [message["content"].strip() for message in messages]


def holds(row: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Return whether the parts of a row hold the expected texts, and its label is the expected one.

    The prompt part must not hold the chosen answer, or the answer of a row with one answer.
    """
    for name, value in expected.items():
        if isinstance(value, bool):
            if bool(row.get(name)) != value:
                return False
        elif not all(text in str(row.get(name)) for text in value):
            return False
    return all(text not in str(row.get("prompt")) for name in ("chosen", "answer") for text in expected.get(name, ()))


if __name__ == "__main__":
    main()
