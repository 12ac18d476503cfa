"""Command-line options that several benchmarks have."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

RUNS = Path("runs") / "benchmarks"
"""The default folder for working files and for results that are not published."""


def add_data(parser: argparse.ArgumentParser, holds: str) -> None:
    """Add the option --data to `parser`.

    The default is the environment variable CODEPREF_DATA. If that is not set, the option is required.
    holds: the names of the sub-folders that the benchmark reads, for the help text.
    """
    default = os.environ.get("CODEPREF_DATA")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(default) if default else None,
        required=not default,
        metavar="DIR",
        help=f"folder of published files, which holds {holds} (default: $CODEPREF_DATA; see benchmarks/README.md)",
    )


def add_results(parser: argparse.ArgumentParser, default: Path, names: str) -> None:
    """Add the option --results to `parser`. names: the files that the benchmark uses there, for the help text."""
    parser.add_argument(
        "--results",
        type=Path,
        default=default,
        metavar="DIR",
        help=f"folder of {names} (default: benchmarks/results, which is under version control)",
    )
