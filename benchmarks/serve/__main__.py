"""Measures `codepref serve`.

speed        Sends the samples of CodeGen-16B to the server, and compares the rate with that of the local engine.
             Samples that run out of time are left out. The systems run in turn, and all verdict codes are compared.
storm        Sends honest requests among clients that break off, send rubbish, attack and flood. Ends with status 1 if
             an answer is wrong, or if the server is damaged or leaves something behind.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from benchmarks.common.options import RUNS, add_data
from benchmarks.common.results import add_part, command_line, describe_run
from codepref.execution.limits import Limits


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.serve", description=__doc__, formatter_class=plain)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    text = "compare the rate over HTTP with the rate of the local engine"
    speed = commands.add_parser("speed", help=text, description=text)
    add_data(speed, "codegen16b")
    speed.add_argument("--problems", type=int, help="number of problems (default: all)")
    speed.add_argument("--samples", type=int, help="number of samples of each problem (default: all)")
    speed.add_argument("--repeats", type=int, default=3, help="number of runs of each system (default: 3)")
    speed.add_argument("--jobs", type=int, default=2, help="number of workers (default: 2)")
    speed.add_argument("--shuffled", action="store_true", help="send the samples in random order")
    text = "look for wrong verdicts and leaks among clients that misbehave"
    storm = commands.add_parser("storm", help=text, description=text)
    storm.add_argument("--requests", type=int, default=10_000, help="number of requests (default: 10,000)")
    storm.add_argument("--seed", type=int, default=0, help="seed of the requests (default: 0)")
    for command in (speed, storm):
        default = RUNS / "serve.json"
        command.add_argument(
            "--out", type=Path, default=default, help=f"JSON file to which the part is added (default: {default})"
        )
    return parser


def main() -> int:
    """Run one command, add its part to the results file, and return the exit status."""
    options = build_parser().parse_args()
    begun, name = time.monotonic(), options.command
    if name == "speed":
        from benchmarks.serve.speed import measure_speed, read_load

        load = read_load(options.data, options.problems, options.samples, Limits(), options.jobs, options.shuffled)
        result = measure_speed(load, options.repeats)
        name = "speed, shuffled" if options.shuffled else name
    else:
        from benchmarks.serve.storm import measure_storm

        result = measure_storm(options.requests, options.seed)
    hidden = {str(options.out): options.out.name, str(getattr(options, "data", "")): "DIR"}
    part = describe_run(command_line("serve", hidden)) | {"seconds_in_all": round(time.monotonic() - begun)} | result
    add_part(options.out, name, part)
    print(json.dumps(result, indent=1))
    print(os.fspath(options.out))
    return 1 if result.get("damage") else 0


if __name__ == "__main__":
    raise SystemExit(main())
