"""Measures whether the gate promotes good trainings and refuses bad ones.

trainings   the gate's decisions on twenty bad trainings of the starter and on the good trainings of
            `python -m benchmarks.methods`
margin      how often the gate promotes simulated models that are on average as good as their base, or worse
            by the gate's margin
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.common.options import add_results
from benchmarks.common.results import RESULTS, log

GOOD = ("sft", "rft", "rpo", "kto", "dstc-rpo", "agreement-rpo", "rpo-2-rounds")
"""The methods of `benchmarks.methods` whose trainings count as good. Plain DPO and the online methods are left out,
because they gain little on the starter.
"""


def main() -> int:
    """Run one command and return the exit status."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.gate", description=__doc__, formatter_class=plain)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    text = "train the starter badly in twenty ways, and count the results that the gate promotes"
    trainings = commands.add_parser("trainings", help=text, description=text)
    trainings.add_argument(
        "--out",
        type=Path,
        default=Path("runs/methods"),
        help="--out folder of `python -m benchmarks.methods`; its samples of seed 0 are used (default: runs/methods)",
    )
    add_results(
        trainings,
        RESULTS,
        "methods.json, from which the good trainings are read, and of gate.json and gate.md, which are written",
    )
    text = "simulate pairs of models, and measure how often the gate promotes the second model"
    margin = commands.add_parser("margin", help=text, description=text)
    margin.add_argument("--repeats", type=int, default=1000, help="pairs of models for each figure (default: 1000)")
    margin.add_argument("--seed", type=int, default=0)
    add_results(margin, RESULTS, "gate_margin.json and gate_margin.md")
    options = parser.parse_args()
    (measure_trainings if options.command == "trainings" else measure_margin)(options)
    return 0


def measure_trainings(options: argparse.Namespace) -> None:
    """Run the bad trainings that --out does not have yet, and write figures and table of all trainings."""
    from benchmarks.gate.bad_trainings import BAD_TRAININGS, measure
    from benchmarks.gate.table import decision, table
    from benchmarks.methods.bench import Bench
    from codepref.runs.summary import machine, versions
    from codepref.storage.files import read_json, write_json, write_text

    bench = Bench(options.out / "seed-0", 0)
    bad = []
    for training in BAD_TRAININGS:
        bad.append(measure(bench, training))
        log(f"{training.name}: {decision(bad[-1]['promoted'])}")
    good = [row for row in read_json(options.results / "methods.json")["rows"] if row["method"] in GOOD]
    facts = {"machine": machine(), "versions": versions()}
    write_json(options.results / "gate.json", {**facts, "bad": bad, "good": good})
    text = table(bad, good, facts["machine"])
    write_text(options.results / "gate.md", text)
    print(text)


def measure_margin(options: argparse.Namespace) -> None:
    """Run the simulation, and write its figures and its table."""
    from benchmarks.gate.margin import ANSWERS, measure, table
    from codepref.storage.files import write_json, write_text

    rows = measure(options.repeats, options.seed)
    facts = {"repeats": options.repeats, "seed": options.seed, "answers": ANSWERS}
    write_json(options.results / "gate_margin.json", {**facts, "rows": rows})
    text = table(rows, options.repeats)
    write_text(options.results / "gate_margin.md", text)
    print(text)


if __name__ == "__main__":
    sys.exit(main())
