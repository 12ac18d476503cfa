"""Measures how many pairs of each rule are right when the pairs rest on tests that a model wrote.

Sources: CodeGen-16B's solutions and tests of HumanEval problems, as published with CodeT (arXiv 2207.10397); the
embedded starter's answers to its own problems; and, with --model, a model's answers to problems of MBPP+. True tests
decide which solutions are correct: those of HumanEval+, of the starter and of MBPP+.

Protocol: The tests are at most the first five asserts of each test completion. A draw takes J solutions and K asserts.
Asserts are drawn with replacement, so a text that the model wrote often is drawn often. The published solutions are
drawn with replacement too. Of the pairs that a rule makes from a draw, only the first one counts. The pairs of all
problems and draws are sorted by confidence. The number of kept pairs is 20%, and then 30%, of problems x draws. If a
rule gives fewer pairs, each missing pair counts as wrong. A pair is right if the chosen solution is correct and the
rejected one is not.

The form of the rule `agreement` is also chosen with one source left out at a time; see leave_out.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.common.options import add_data, add_results
from benchmarks.common.results import RESULTS


def main() -> int:
    """Sample and run what --out lacks, choose pairs by each rule, and write figures and table."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.pairs", description=__doc__, formatter_class=plain)
    add_data(parser, "codegen16b/ and evalplus/")
    parser.add_argument("--model", type=Path, metavar="DIR", help="folder of a model that answers problems of MBPP+")
    parser.add_argument(
        "--model-problems", type=int, default=30, metavar="N", help="how many problems of MBPP+ (default: 30)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/pairs"),
        help="folder of the answers and verdicts, which a later run continues or reads (default: runs/pairs)",
    )
    rules = ["max-pass", "dstc", "codet", "b4", "agreement"]
    parser.add_argument("--rules", nargs="+", default=rules, help=f"default: {' '.join(rules)}")
    add_results(parser, RESULTS, "pairs.json and pairs.md")
    options = parser.parse_args()

    from benchmarks.pairs.leave_out import left_out
    from benchmarks.pairs.measure import measured, selection_seconds
    from benchmarks.pairs.sources import codegen, mbpp, starter
    from benchmarks.pairs.table import table
    from codepref.runs.summary import machine, versions
    from codepref.storage.files import write_json, write_text

    sources = [codegen(options.data, options.out / "codegen16b"), starter(options.out / "starter")]
    if options.model:
        sources.append(mbpp(options.data, options.model, options.model_problems, options.out / "model"))
    rows: dict[str, Any] = {}
    for source in sources:
        rows[source.name] = measured(source, options.rules)
        print(source.name, rows[source.name], flush=True)
    facts = {
        "command": "`python -m benchmarks.pairs --data DATA" + (" --model MODEL`" if options.model else "`"),
        "model": options.model.name if options.model else "",
        "selection_seconds": selection_seconds(options.out / "codegen16b", "agreement"),
        "machine": machine(),
        "versions": versions(),
    }
    results = {**facts, "sources": rows, "left out": left_out(sources)}
    write_json(options.results / "pairs.json", results)
    write_text(options.results / "pairs.md", table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
