"""Builds the starter model, and measures what recipes gain on it.

recipes   run each recipe with several seeds, and measure the models on held-out and validation problems
build     train the starter model from random weights, and measure it
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks.common.options import add_results
from benchmarks.common.results import RESULTS


def main() -> int:
    """Run one command and return the exit status."""
    from codepref.starter import model_path

    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.starter", description=__doc__, formatter_class=plain)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    text = (
        "run recipes on the starter, and compare the models with the starter; finished runs in --out are not repeated"
    )
    recipes = commands.add_parser("recipes", help=text, description=text)
    names = ["tests-dpo", "dstc-dpo"]
    recipes.add_argument("--recipes", nargs="+", default=names, help=f"default: {' '.join(names)}")
    recipes.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="default: 0 1 2")
    recipes.add_argument(
        "--out", type=Path, default=Path("runs/starter"), help="folder of the runs (default: runs/starter)"
    )
    add_results(recipes, RESULTS, "starter.json and starter.md, which keep their rows of other recipes")
    text = "train the starter model on the CPU, measure it on held-out problems, and write it with its figures"
    build = commands.add_parser("build", help=text, description=text)
    build.add_argument("--out", type=Path, default=model_path(), help="folder to write (default: inside the package)")
    build.add_argument("--seed", type=int, default=0, help="seed of the weights, the training texts and the sampling")
    options = parser.parse_args()
    if options.command == "recipes":
        from benchmarks.starter.recipes import measure

        measure(options.recipes, options.seeds, options.out, options.results)
        return 0
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from benchmarks.starter.build import build as build_starter
    from codepref.starter.learning import Settings

    print(*build_starter(options.out, options.seed, Settings()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
