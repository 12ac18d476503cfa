"""Command-line options that several benchmarks have."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

RUNS = Path("runs") / "benchmarks"
"""Default folder of working files and of results that are not published."""


def add_data(parser: argparse.ArgumentParser, holds: str) -> None:
    """Add --data. holds: the sub-folders that the benchmark reads, for the help text.

    The default is the environment variable CODEPREF_DATA; without it the option is required.
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
    """Add --results. names: the files that the benchmark writes there, for the help text."""
    parser.add_argument(
        "--results",
        type=Path,
        default=default,
        metavar="DIR",
        help=f"folder of {names} (default: benchmarks/results, which is under version control)",
    )
