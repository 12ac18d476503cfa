"""The command that writes files for other trainers: export."""

from __future__ import annotations

from argparse import Namespace

from codepref.cli.options import Parser, add_seed, add_strict
from codepref.cli.output import log
from codepref.exports import TRAINERS


def add_export(parser: Parser) -> None:
    """Add the options of `codepref export`."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--pairs", help="file that `pair` wrote, or another file of pairs that `train` takes")
    source.add_argument("--data", help="demonstrations or labelled answers: a file, or a data set on the hub")
    source.add_argument("--verdicts", help="folder that `execute` wrote, with the solutions to learn from")
    source.add_argument("--problems", help="problems for reinforcement learning: file, hub name or starter:SPLIT")
    parser.add_argument(
        "--to", required=True, help=f"{', '.join(TRAINERS.builtin)}, or a trainer of an installed package"
    )
    parser.add_argument(
        "--kind",
        choices=("pairs", "kto", "sft", "rl"),
        help="what to write: pairs, labelled answers (kto), demonstrations (sft) or problems (rl) (default: pairs from "
        "--pairs, kto from --verdicts, rl from --problems; from --data kto if an answer is labelled as unwanted, else "
        "sft)",
    )
    parser.add_argument(
        "--out",
        required=True,
        help="file for the rows, .jsonl or .parquet, as the trainer reads it; lines for the trainer's configuration "
        "are written beside it",
    )
    add_strict(parser)
    add_seed(parser)
    parser.set_defaults(command=export)


def export(options: Namespace) -> None:
    """Run `codepref export`."""
    from codepref import api

    result = api.export(
        options.pairs,
        to=options.to,
        out=options.out,
        data=options.data,
        verdicts=options.verdicts,
        problems=options.problems,
        kind=options.kind,
        strict=options.strict,
        seed=options.seed,
    )
    for reason, count in result.left_out.items():
        log(f"codepref: {count:,} left out: {reason}")
    for path, settings in result.settings:
        print(f"{path}: {settings.note}\n\n{settings.text}")
    print(f"{result.rows:,} rows")
    print(result.out)
