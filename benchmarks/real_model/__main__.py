"""Measures what codepref's trainings gain on a real model, such as SmolLM2-135M-Instruct.

measure   do the pending stages: sample, run, pair, train and score. After a kill, the same command goes on
plan      show which stages are done and which are pending
table     write the results of the scored rows
pilot     compare learning rates on the validation problems

benchmarks/real_model/README.md says how to get the model and the data. benchmarks/README.md says how long the commands
take.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import fields
from functools import partial
from pathlib import Path

from benchmarks.common.options import add_data, add_results
from benchmarks.common.results import RESULTS, log
from benchmarks.real_model.settings import PAIRS, ROWS, SFT, Sizes, with_rates

OUT, PILOT_OUT = Path("runs/real_model"), Path("runs/real_model_pilot")
HELP = {
    "train": "at most N training problems (default: all 250)",
    "validation": "at most N validation problems (default: all 48)",
    "heldout": "at most N problems of each held-out set (default: all)",
    "solutions": "solutions of each training problem",
    "tests": "test completions for each training problem",
    "max_new_tokens": "tokens of an answer",
    "validation_samples": "answers to each validation problem in a probe",
    "probes": "about how many probes a training has",
    "heldout_samples": "sampled answers to each held-out problem, besides one greedy answer",
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.real_model", description=__doc__, formatter_class=plain)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    text = "do the pending stages of the rows, and write the results"
    measure = commands.add_parser("measure", help=text, description=text)
    _add_work(measure, OUT)
    _add_rows(measure)
    rates = {"--sft-rate": (SFT, "supervised trainings"), "--pairs-rate": (PAIRS, "all other trainings")}
    for option, (training, what) in rates.items():
        text = f"learning rate of {what} (default: {training.learning_rate})"
        measure.add_argument(option, type=float, default=training.learning_rate, metavar="RATE", help=text)
    add_results(measure, RESULTS, "real_model.json and real_model.md")
    text = "show the stages of the rows, with their minutes"
    plan = commands.add_parser("plan", help=text, description=text)
    plan.add_argument("--out", type=Path, default=OUT, help=f"folder of the stages (default: {OUT})")
    _add_rows(plan)
    text = "write the results of the finished rows, and print the table"
    table = commands.add_parser("table", help=text, description=text)
    table.add_argument("--out", type=Path, default=OUT, help=f"folder of the stages (default: {OUT})")
    add_results(table, RESULTS, "real_model.json and real_model.md")
    text = "train with several settings, and compare the models on the validation problems"
    pilot = commands.add_parser("pilot", help=text, description=text)
    _add_work(pilot, PILOT_OUT)
    pilot.add_argument("--only", nargs="+", default=[], metavar="TEXT", help="variants whose names hold a text")
    pilot.add_argument("--list", action="store_true", help="print the names of the variants")
    return parser


def _add_work(parser: argparse.ArgumentParser, out: Path) -> None:
    add_data(parser, "evalplus/")
    parser.add_argument("--model", required=True, metavar="MODEL", help="folder or GGUF file of the model")
    parser.add_argument("--out", type=Path, default=out, help=f"folder of the stages (default: {out})")
    for one in fields(Sizes):
        option = f"--{one.name.replace('_', '-')}"
        shown = "" if "default" in HELP[one.name] else f" (default: {one.default})"
        parser.add_argument(option, type=int, default=one.default, metavar="N", help=HELP[one.name] + shown)
    parser.add_argument(
        "--processes",
        type=int,
        default=0,
        metavar="N",
        help="processes of codepref's own engine; on a busy machine, one for each core is quicker (default: 1)",
    )
    parser.add_argument("--engine", default="", help="server that codepref starts, such as vllm (default: none)")
    parser.add_argument("--engine-python", default="", help="environment or Python of the server")
    parser.add_argument("--engine-options", default="", help="further options of the server")


def _add_rows(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N", help="default: 0 1 2")


def main() -> int:
    """Run one command and return the exit status."""
    options = build_parser().parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from codepref.errors import CodeprefError

    try:
        return {"measure": _measure, "plan": _plan, "table": _table, "pilot": _pilot}[options.command](options)
    except CodeprefError as error:
        log(str(error))
        return error.exit_status


def _measure(options: argparse.Namespace) -> int:
    from benchmarks.real_model.measure import measure, open_bench, write_results
    from codepref.runs.summary import machine, versions
    from codepref.storage.files import write_json

    bench = open_bench(options, sizes_of(options), with_rates(ROWS, options.sft_rate, options.pairs_rate))
    facts = {"command": command_of(options), "machine": machine(), "versions": versions()}
    write_json(options.out / "facts.json", {**facts, "date": time.strftime("%Y-%m-%d")})
    failed = measure(bench, options.rows, options.seeds, partial(write_results, options.out, options.results))
    print(write_results(options.out, options.results))
    return 1 if failed else 0


def _plan(options: argparse.Namespace) -> int:
    from benchmarks.real_model.measure import plan_lines

    print(*plan_lines(options.out, options.rows, options.seeds), sep="\n")
    return 0


def _table(options: argparse.Namespace) -> int:
    from benchmarks.real_model.measure import write_results

    print(write_results(options.out, options.results))
    return 0


def _pilot(options: argparse.Namespace) -> int:
    from benchmarks.real_model.pilot import run_pilot

    return run_pilot(options)


def command_of(options: argparse.Namespace) -> str:
    """Return the command that measures all rows with these options. Words such as DATA stand for the paths."""
    words = ["python -m benchmarks.real_model measure --data DATA --model MODEL"]
    for one in fields(Sizes):
        value = getattr(options, one.name)
        words += [f"--{one.name.replace('_', '-')} {value}"] if value != one.default else []
    for name, training in (("sft_rate", SFT), ("pairs_rate", PAIRS)):
        value = getattr(options, name)
        words += [f"--{name.replace('_', '-')} {value}"] if value != training.learning_rate else []
    if options.engine:
        words.append(f"--engine {options.engine} --engine-python PYTHON")
        words += [f'--engine-options "{options.engine_options}"'] if options.engine_options else []
    return " ".join(words)


def sizes_of(options: argparse.Namespace) -> Sizes:
    """Return the sizes that the options give."""
    return Sizes(**{one.name: getattr(options, one.name) for one in fields(Sizes)})


if __name__ == "__main__":
    sys.exit(main())
