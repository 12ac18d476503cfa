"""Trains the starter with several training methods, and measures the gain on held-out problems and the cost.

Each seed samples ten solutions for each of 500 training problems, and five test completions if a method needs tests.
Most methods learn from the samples of their seed. `sft` learns from the gold solutions. The online methods sample
solutions of their own. `rpo-2-rounds` trains the model of `rpo` further, with solutions that this model writes, so
`rpo` must be trained before. The figures are measured on `starter:heldout`. Results that --out already has are read and
not computed again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.common.options import add_results
from benchmarks.common.results import RESULTS, log


def main() -> int:
    """Collect the results of the chosen seeds and methods, compute those that --out lacks, and write figures and table.

    With --finished, methods that are not finished are left out.
    """
    from benchmarks.methods.settings import METHODS

    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.methods", description=__doc__, formatter_class=plain)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/methods"), help="folder of samples and models (default: runs/methods)"
    )
    parser.add_argument(
        "--finished",
        action="store_true",
        help="train nothing, and only write the table of the methods that are finished in --out",
    )
    add_results(parser, RESULTS, "methods.json and methods.md")
    options = parser.parse_args()

    from benchmarks.methods.bench import Bench
    from benchmarks.methods.table import change, table
    from codepref.runs.summary import machine, versions
    from codepref.storage.files import write_json, write_text

    rows, bases = [], []
    for seed in options.seeds:
        bench = Bench(options.out / f"seed-{seed}", seed)
        bases.append(bench.base_row())
        for method in options.methods:
            if options.finished and not (bench.folder / method / "row.json").exists():
                continue
            rows.append(bench.row(method))
            log(f"seed {seed}, {method}: {change(rows[-1]['figures']['pass@1'])}")
    command = f"python -m benchmarks.methods --seeds {' '.join(map(str, options.seeds))}"
    facts = {"command": command, "machine": machine(), "versions": versions()}
    write_json(options.results / "methods.json", {**facts, "base": bases, "rows": rows})
    text = table(bases, rows, command, facts["machine"])
    write_text(options.results / "methods.md", text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
