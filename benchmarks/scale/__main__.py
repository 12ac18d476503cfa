"""Measures execution over a Ray cluster. All clusters are raylets on this machine.

one-node     Compares `execute` on this machine with `--executor ray` on one node, on the samples of CodeGen-16B. The
             executors run in turn. The start of Ray is counted apart.
nodes        Runs solutions that wait a fixed time, by default on 1, 2, 4 and 8 nodes, and compares the rates with
             linear growth.
kills        Kills a raylet, an actor or the driver at a random moment, many times. Afterwards the files must
             equal those of a run without Ray, apart from times, rates and a count of the last command, and no process
             may be left.
million      Runs many tiny solutions on this machine and on Ray, and measures the driver's memory, the rate and the
             files.

Runs that the results file holds from the same settings and the same code of codepref are not repeated. So a command
that was stopped continues.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from benchmarks.common.options import RUNS, add_data
from benchmarks.common.results import command_line
from benchmarks.scale.kept import KeptRuns


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.scale", description=__doc__, formatter_class=plain)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        default = RUNS / "scale.json"
        command.add_argument(
            "--out", type=Path, default=default, help=f"JSON file to which the part is added (default: {default})"
        )
        return command

    one = add("one-node", "compare one node over Ray with the local engine")
    add_data(one, "codegen16b")
    one.add_argument("--problems", type=int, help="number of problems (default: all)")
    one.add_argument("--samples", type=int, help="number of samples of each problem (default: all)")
    one.add_argument("--workers", type=int, default=2, help="number of workers (default: 2)")
    one.add_argument("--repeats", type=int, default=3, help="number of runs of each executor (default: 3)")
    one.add_argument("--quick", action="store_true", help="leave out samples that run out of time")
    nodes = add("nodes", "measure the rate of waiting solutions by the number of nodes")
    nodes.add_argument("--sizes", type=int, nargs="+", default=[1, 2, 4, 8], help="numbers of nodes (default: 1 2 4 8)")
    nodes.add_argument("--per-node", type=int, default=40, help="number of solutions for each node (default: 40)")
    nodes.add_argument("--seconds", type=float, default=0.5, help="how long a solution waits (default: 0.5)")
    nodes.add_argument("--repeats", type=int, default=3, help="number of runs of each size (default: 3)")
    kills = add("kills", "kill raylets, actors and drivers, and compare the files")
    kills.add_argument("--count", type=int, default=50, help="number of kills (default: 50)")
    kills.add_argument("--seed", type=int, default=0, help="seed of what is killed and when (default: 0)")
    million = add("million", "measure memory, rate and files of a million solutions")
    million.add_argument("--count", type=int, default=1_000_000, help="number of solutions (default: 1,000,000)")
    million.add_argument("--per-problem", type=int, default=1000, help="solutions of each problem (default: 1000)")
    million.add_argument("--tests", type=int, default=10, help="number of tests of each problem (default: 10)")
    million.add_argument("--workers", type=int, default=2, help="number of workers (default: 2)")
    million.add_argument(
        "--executors", nargs="+", choices=("local", "ray"), default=["local", "ray"], help="(default: local ray)"
    )
    return parser


def main() -> int:
    """Run one command, add its part to the results file, and return the exit status."""
    options = build_parser().parse_args()
    hidden = {str(options.out): options.out.name, str(getattr(options, "data", "")): "DIR"}
    free = ("command", "out", "data", "repeats", "executors")
    settings = {name: value for name, value in vars(options).items() if name not in free}
    if options.command == "kills":
        settings.pop("count")
    quick = ", without time-outs" if getattr(options, "quick", False) else ""
    kept = KeptRuns(options.out, options.command + quick, command_line("scale", hidden), settings)
    result = _measure(options, kept)
    print(json.dumps(result, indent=1))
    print(os.fspath(options.out))
    return 0 if result.get("reached", True) else 1


def _measure(options: argparse.Namespace, kept: KeptRuns) -> dict[str, Any]:
    match options.command:
        case "one-node":
            from benchmarks.scale.one_node import measure_one_node

            sizes = options.problems, options.samples, options.workers, options.repeats
            return measure_one_node(kept, options.data, *sizes, options.quick)
        case "nodes":
            from benchmarks.scale.nodes import measure_nodes

            return measure_nodes(kept, options.sizes, options.per_node, options.seconds, options.repeats)
        case "kills":
            from benchmarks.scale.kills import measure_kills

            return measure_kills(kept, options.count, options.seed)
        case _:
            from benchmarks.scale.million import measure_million

            sizes = options.count, options.per_problem, options.tests, options.workers
            return measure_million(kept, *sizes, options.executors)


if __name__ == "__main__":
    raise SystemExit(main())
