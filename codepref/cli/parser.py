"""The table of commands, and the parser that is built from it.

Each command is one row of the table: its name, its help, and the function that adds its options.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from codepref import __version__
from codepref.cli import (
    evaluation,
    execution,
    exporting,
    feedback,
    inspecting,
    pairing,
    runs,
    sampling,
    serving,
    training,
)

Parser = argparse.ArgumentParser

COMMANDS: tuple[tuple[str, str, Callable[[Parser], None]], ...] = (
    ("demo", "run the whole pipeline on the embedded starter", runs.add_demo),
    ("run", "run a recipe, or continue an interrupted run", runs.add_run),
    ("status", "show how far a run, an execution or a sampling has come", runs.add_status),
    ("show", "show one problem of a run: its answers, verdicts, ratings and pairs", runs.add_show),
    ("report", "write summary.json and report.html of a run again", runs.add_report),
    ("inspect", "describe a source of problems, and write its good problems", inspecting.add_inspect),
    ("sample", "ask a model for solutions or tests of problems", sampling.add_sample),
    ("execute", "run solutions against tests in the sandbox", execution.add_execute),
    ("speed", "measure the CPU time of right solutions, for pairs by speed", execution.add_speed),
    ("serve", "run solutions and programs for other programs, over HTTP", serving.add_serve),
    ("respond", "ask a pool of models to answer instructions", feedback.add_respond),
    ("judge", "have a judge rate responses, or measure how reliable the judge is", feedback.add_judge),
    (
        "grade",
        "have a judge grade responses to a benchmark, each beside a reference answer",
        feedback.add_grade,
    ),
    ("pair", "select preference pairs from verdicts or ratings", pairing.add_pair),
    ("audit", "measure how many pairs are right by true tests, or describe pairs without tests", pairing.add_audit),
    ("export", "write pairs, answers or problems in the form of another trainer", exporting.add_export),
    ("train", "train a model on pairs, verdicts, demonstrations or problems", training.add_train),
    ("evaluate", "compute pass@k of a model, of solutions or of verdicts", evaluation.add_evaluate),
    ("compare", "compute the paired differences between two score files", evaluation.add_compare),
    ("push", "upload a run's model and pairs to the hub", runs.add_push),
    ("doctor", "show which confinement this machine or each node of a Ray cluster offers", execution.add_doctor),
)
"""Rows of (name, help, function). The function adds the options and sets `command`, the function to run."""


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="codepref",
        description="Align a code model by preference learning, and measure whether it got better.",
        epilog="Exit status: 0 done, 1 failed or refused by a gate, 2 wrong input, 3 the machine lacks something.",
    )
    parser.add_argument("--version", action="version", version=f"codepref {__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, text, add_options in COMMANDS:
        add_options(subparsers.add_parser(name, help=text))
    return parser
