"""Compares codepref's DPO training with plain TRL on the same pairs: tokens a second, peak memory, losses.

The model is a randomly initialised Qwen2 of 0.5B parameters, or a small one with --size tiny. The pairs are samples of
CodeGen-16B for HumanEval problems. Each run has its own process, and the two systems alternate. The new row replaces
the row of the same device and size in the results files.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.common.options import add_data, add_results
from benchmarks.common.process import module_environment
from benchmarks.common.results import RESULTS, log
from benchmarks.training.data import SETS, SIZES

SYSTEMS = ("trl", "codepref")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.training", description=__doc__, formatter_class=plain)
    add_data(parser, "codegen16b/")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/training"), help="folder of models (default: runs/training)"
    )
    parser.add_argument("--size", choices=SIZES, default="0.5b", help="default: 0.5b")
    parser.add_argument("--pairs", type=int, default=16, help="pairs of each set, a multiple of 4 (default: 16)")
    parser.add_argument("--batch", type=int, default=4, help="pairs a step (default: 4)")
    parser.add_argument("--max-length", type=int, default=512, help="tokens of prompt and answer (default: 512)")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each system and set (default: 1)")
    parser.add_argument("--device", default="auto", help="default: auto")
    # The two hidden options are only for the processes that `run` starts.
    parser.add_argument("--system", choices=SYSTEMS, help=argparse.SUPPRESS)
    parser.add_argument("--set", choices=SETS, help=argparse.SUPPRESS)
    add_results(parser, RESULTS, "training.json and training.md")
    return parser


def main() -> int:
    """Run both systems on both sets and write the results.

    With --system, run one system on one set and print its answer.
    """
    options = build_parser().parse_args()
    if options.system:
        from benchmarks.training.systems import train

        print(json.dumps(train(options)))
        return 0
    from benchmarks.training.data import build_model
    from benchmarks.training.table import write_results

    build_model(options.out / options.size, options.size)
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {name: {system: [] for system in SYSTEMS} for name in SETS}
    for repeat in range(options.repeats):
        for name in SETS:
            for system in SYSTEMS[:: 1 if repeat % 2 == 0 else -1]:
                runs[name][system].append(run(options, name, system))
                log(f"{name}, {system}: {runs[name][system][-1]['tokens_per_second']:.0f} tokens/s")
    write_results(options, runs)
    return 0


def run(options: argparse.Namespace, name: str, system: str) -> dict[str, Any]:
    """Run one system on one set in a new process, so that no other run adds to its peak memory. Returns the answer."""
    words = {
        "--data": options.data,
        "--out": options.out,
        "--size": options.size,
        "--device": options.device,
        "--pairs": options.pairs,
        "--batch": options.batch,
        "--max-length": options.max_length,
        "--system": system,
        "--set": name,
    }
    arguments = [str(word) for pair in words.items() for word in pair]
    command = [sys.executable, "-m", "benchmarks.training", *arguments]
    done = subprocess.run(command, env=module_environment(), stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    sys.exit(main())
