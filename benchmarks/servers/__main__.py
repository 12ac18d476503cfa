"""Runs AI feedback and sampling against a scripted server. Counts what is lost, invented or paid twice.

faults       Runs `codepref respond` and `codepref judge` undisturbed, and again with SIGKILL at random moments. The
             server fails about a fifth of its calls (429, 500, hangs, cut answers, broken JSON, errors and aborted
             answers with status 200), and about a fifth of the judge's answers have a fault. Compares the results of
             both runs byte by byte, and the ledgers with the server's own counts.
throughput   Runs the same commands with a server that takes 200 ms a call and answers 64 calls at once.
million      Runs `codepref sample`, by default for a million answers, kills it when the server has answered 90% of the
             calls, and continues it. Measures memory, and the time until each command gets its first answer.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from pathlib import Path

from benchmarks.common.options import RUNS
from benchmarks.common.results import add_part, command_line


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.servers", description=__doc__, formatter_class=plain)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    text = "compare results and ledgers of runs with and without kills, against a server that fails"
    faults = commands.add_parser("faults", help=text, description=text)
    faults.add_argument("--problems", type=int, default=2000, help="number of instructions (default: 2000)")
    faults.add_argument("--responses", type=int, default=4, help="number of responses to each instruction (default: 4)")
    faults.add_argument("--kills", type=int, default=5, help="largest number of kills of each command (default: 5)")
    faults.add_argument(
        "--longest", type=float, default=6.0, help="largest number of seconds before a kill (default: 6)"
    )
    faults.add_argument(
        "--port",
        type=int,
        default=18977,
        help="port of the server in both runs, which is a part of the keys of calls (default: 18977)",
    )
    faults.add_argument("--seed", type=int, default=0, help="seed of the moments of the kills (default: 0)")
    text = "measure the calls a second and the memory of both commands"
    throughput = commands.add_parser("throughput", help=text, description=text)
    throughput.add_argument("--problems", type=int, default=10_000, help="number of instructions (default: 10,000)")
    text = "sample a million answers with one kill, and measure memory and the time to continue"
    million = commands.add_parser("million", help=text, description=text)
    million.add_argument("--problems", type=int, default=100_000, help="number of problems (default: 100,000)")
    million.add_argument("-n", type=int, default=10, help="answers to each problem (default: 10)")
    million.add_argument("--answers-per-call", type=int, default=10, help="answers of one call (default: 10)")
    for command in (faults, throughput, million):
        default = RUNS / "calls.json"
        command.add_argument(
            "--out", type=Path, default=default, help=f"JSON file to which the part is added (default: {default})"
        )
    return parser


def main() -> int:
    """Run one command, add its part to the results file, and return the exit status."""
    options = build_parser().parse_args()
    begun = time.monotonic()
    if options.command == "faults":
        from benchmarks.servers.faults import check_faults

        result = check_faults(
            options.problems, options.responses, options.kills, options.longest, options.port, options.seed
        )
    elif options.command == "million":
        from benchmarks.servers.million import measure_many

        result = measure_many(options.problems, options.n, options.answers_per_call)
    else:
        from benchmarks.servers.throughput import measure_throughput

        result = measure_throughput(options.problems)
    part = {
        "command": command_line("servers", {str(options.out): options.out.name}),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()},
        "date": time.strftime("%Y-%m-%d"),
        "wall_seconds": round(time.monotonic() - begun, 1),
        "result": result,
    }
    add_part(options.out, options.command, part)
    return 0


if __name__ == "__main__":
    sys.exit(main())
