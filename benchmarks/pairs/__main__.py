"""Measures how many pairs of each rule are right when the pairs rest on tests that a real model wrote.

Problems, solutions and test completions are those that were published with CodeT (arXiv 2207.10397). The tests of
HumanEval+ decide which solutions are correct.

Protocol: The tests are at most the first five asserts of each test completion. A draw takes J solutions and K asserts
with replacement, so a text that the model wrote often is drawn often. A rule gives at most one pair for each problem
and draw. The pairs of all problems and draws are sorted by confidence. The number of kept pairs is 20%, and then 30%,
of problems x draws. If a rule gives fewer pairs, each missing pair counts as wrong. A pair is right if the chosen
solution passes HumanEval+ and the rejected solution does not.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.common.options import add_data, add_results
from benchmarks.common.results import RESULTS


def main() -> int:
    """Run the solutions for which --out has no verdicts, choose pairs by each rule, and write figures and table."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.pairs", description=__doc__, formatter_class=plain)
    add_data(parser, "codegen16b/ and evalplus/")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/pairs"),
        help="folder of the verdicts, which a later run continues or reads (default: runs/pairs)",
    )
    rules = ["max-pass", "dstc", "codet", "b4", "agreement"]
    parser.add_argument("--rules", nargs="+", default=rules, help=f"default: {' '.join(rules)}")
    add_results(parser, RESULTS, "pairs.json and pairs.md")
    options = parser.parse_args()

    from benchmarks.pairs.measure import SETTINGS, answers_of, execute_all, figures, selection_seconds
    from benchmarks.pairs.table import table
    from codepref.runs.summary import machine, versions
    from codepref.storage.files import write_json, write_text

    problems = execute_all(options.data, options.out)
    rows: dict[str, Any] = {}
    for setting in SETTINGS:
        key = f"{setting[0]}x{setting[1]}"
        rows[key] = {
            rule: figures(list(answers_of(problems, rule, setting)), draws=setting[2]) for rule in options.rules
        }
        print(key, rows[key], flush=True)
    facts = {
        "command": "`python -m benchmarks.pairs --data DATA`",
        "problems": len(problems),
        "selection_seconds": selection_seconds(options.out, "agreement"),
        "machine": machine(),
        "versions": versions(),
    }
    write_json(options.results / "pairs.json", {**facts, "settings": rows})
    write_text(options.results / "pairs.md", table(rows, facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
