"""Compares codepref's verdicts and pass@k with EvalPlus 0.3.1, and runs BigCodeBench's gold solutions in the sandbox.

All systems run with this interpreter. Make an environment for this benchmark, and install in it codepref, evalplus and
the packages that BigCodeBench's problems need. The commands that run samples cut themselves off from the network first.
EvalPlus runs samples unconfined. BigCodeBench's gold solutions also run unconfined once, by Python's unittest.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.common.options import RUNS, add_data
from benchmarks.common.results import RESULTS, add_part, command_line, describe_run, log, read_parts

PARTS = ("humaneval+ gold", "mbpp+ gold", "humaneval+ codegen16b")
BIGCODEBENCH = "bigcodebench gold"
COMMANDS = {
    "agreement": "judge the same samples with codepref and EvalPlus, and find the cause of each difference",
    "explain": "run the samples again whose verdicts differ in a results file, and find the causes",
    "bigcodebench": "run BigCodeBench's gold solutions in the sandbox and report what each failing one lacks",
    "table": "print a results file as Markdown",
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.evalplus", description=__doc__, formatter_class=plain)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {name: commands.add_parser(name, help=text, description=text) for name, text in COMMANDS.items()}
    default = RUNS / "evalplus.json"
    for name in ("agreement", "explain", "bigcodebench"):
        parsers[name].add_argument(
            "--out", type=Path, default=default, help=f"JSON file to which the parts are added (default: {default})"
        )
    add_data(parsers["bigcodebench"], "bigcodebench/")
    for name in ("agreement", "explain"):
        add_data(parsers[name], "codegen16b/ and evalplus/")
        parsers[name].add_argument(
            "--work", type=Path, help="folder for samples and results files (default: OUT with the suffix .work)"
        )
        parsers[name].add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all three")
        parsers[name].add_argument(
            "--problems", type=int, help="use only this number of problems, the first ones (default: all)"
        )
        parsers[name].add_argument(
            "--samples", type=int, help="number of CodeGen-16B samples for each problem (default: all 100)"
        )
        parsers[name].add_argument("--workers", type=int, default=2, help="processes of each system (default: 2)")
    parsers["table"].add_argument("file", type=Path, nargs="?", default=RESULTS / "evalplus.json")
    return parser


def main() -> int:
    """Run one command and return the exit status."""
    options = build_parser().parse_args()
    if options.command == "table":
        from benchmarks.evalplus.table import document

        print(document(read_parts(options.file)), end="")
        return 0
    from benchmarks.common.network import cut_off
    from benchmarks.evalplus.agreement import Agreement
    from benchmarks.evalplus.bigcodebench import run_gold

    cut_off()
    work = getattr(options, "work", None) or options.out.with_suffix(".work")
    hidden = {str(work): "WORK", str(options.data): "DATA", str(options.out): options.out.name}
    for part in getattr(options, "parts", [BIGCODEBENCH]):
        start, entry = time.time(), describe_run(command_line("evalplus", hidden))
        if part == BIGCODEBENCH:
            result = run_gold(options.data / "bigcodebench" / "bigcodebench-first20.jsonl.gz")
        else:
            samples = (options.data, options.problems, options.samples)
            agreement = Agreement(part, samples, work / part.replace(" ", "-"), options.workers)
            if options.command == "explain":
                # The figures stay those of the earlier run, so the entry keeps its command and its machine.
                entry = read_parts(options.out)[part]
                result = entry.pop("result")
                result["differences"] = agreement.explain(result["differences"])
            else:
                result = agreement.run_both()
        entry.setdefault("wall_seconds", round(time.time() - start, 1))
        add_part(options.out, part, {**entry, "result": result})
        log(f"{part}: written to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
