"""Does the gate tell good trainings from bad ones?

trainings   twenty bad trainings of the starter, beside the good trainings of `python -m benchmarks.methods`
margin      simulated models that are worse by exactly the gate's margin, or just as good
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.common.options import add_results
from benchmarks.common.results import RESULTS, log

GOOD = ("sft", "rft", "rpo", "kto", "dstc-rpo", "agreement-rpo", "rpo-2-rounds")
"""Methods of `benchmarks.methods` that a user would run. Plain DPO is left out, because it gains
little on the starter."""


def main() -> int:
    """Run one command. Returns the exit status."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.gate", description=__doc__, formatter_class=plain)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    text = "train the starter badly in twenty ways, and see whether the gate promotes a result"
    trainings = commands.add_parser("trainings", help=text, description=text)
    trainings.add_argument(
        "--out",
        type=Path,
        default=Path("runs/methods"),
        help="folder of `python -m benchmarks.methods`, whose samples of seed 0 are used (default: runs/methods)",
    )
    add_results(trainings, RESULTS, "methods.json (read: the good trainings), gate.json and gate.md (written)")
    text = "simulate pairs of models, and measure how often the gate promotes the second"
    margin = commands.add_parser("margin", help=text, description=text)
    margin.add_argument("--repeats", type=int, default=1000, help="pairs of models a figure (default: 1000)")
    margin.add_argument("--seed", type=int, default=0)
    add_results(margin, RESULTS, "gate_margin.json and gate_margin.md")
    options = parser.parse_args()
    (measure_trainings if options.command == "trainings" else measure_margin)(options)
    return 0


def measure_trainings(options: argparse.Namespace) -> None:
    """Run the trainings that --out lacks, then write figures and table."""
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
    """Write figures and table of the simulation."""
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
