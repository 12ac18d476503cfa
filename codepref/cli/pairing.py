"""The commands that select and audit pairs: pair, audit."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from codepref.cli.options import Parser, add_seed, add_strict
from codepref.errors import UserError
from codepref.pairing.rules import RULES
from codepref.storage.files import write_json


def add_pair(parser: Parser) -> None:
    """Add the options of `codepref pair`."""
    parser.add_argument("--verdicts", help="folder that `execute` wrote")
    parser.add_argument(
        "--judgments",
        help="file that `judge` wrote, or a published data set of ratings; for the rules rated and tests-then-rating",
    )
    parser.add_argument(
        "--problems",
        help="source of the prompts (default: the instructions in --judgments, else the statements in --verdicts)",
    )
    add_strict(parser)
    parser.add_argument(
        "--binarized",
        help="with --judgments: also write the pairs to this file, with the columns of CodeUltraFeedback_binarized",
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=1.0,
        help="with --judgments: least difference between the ratings (default %(default)g)",
    )
    parser.add_argument(
        "--correctness-pairs",
        action="store_true",
        help="with the rules tests-then-rating and speed: also pair passing solutions with failing ones",
    )
    # RULES.names() would search all installed packages, which would slow down every command
    rules = f"{', '.join(RULES.builtin)}, or a rule of an installed package"
    parser.add_argument("--rule", help=f"{rules} (default all-tests, with --judgments rated)")
    parser.add_argument(
        "--max-pairs-per-problem",
        type=int,
        default=4,
        help="largest number of pairs of one problem (default %(default)s)",
    )
    parser.add_argument(
        "--draws",
        type=int,
        default=1,
        help="with a rule that proposes one pair per problem, such as dstc: proposals per problem (default 1)",
    )
    parser.add_argument(
        "--min-confidence", type=float, default=0.0, help="drop pairs with a lower confidence (default 0)"
    )
    parser.add_argument(
        "--max-share",
        type=float,
        default=1.0,
        help="keep only this share of the problems, those with the highest confidence (default 1)",
    )
    parser.add_argument(
        "--max-length-ratio",
        type=float,
        default=0.0,
        help="drop a pair if one side is more than this many times as long as the other; 0 drops none (default 0)",
    )
    _add_choice_of_pairs(parser)
    parser.add_argument("--template", help="text of the user message in the prompts, with {prompt} and {entry_point}")
    parser.add_argument("--bare", action="store_true", help="without --judgments: write the answers as bare code")
    parser.add_argument(
        "--allow-shared", action="store_true", help="also use verdicts of tests that shared a process with the solution"
    )
    add_seed(parser)
    parser.add_argument("--out", required=True, help="Parquet file")
    parser.set_defaults(command=pair)


def _add_choice_of_pairs(parser: Parser) -> None:
    """Add the options of near misses, of pairs by speed, of repair pairs and of balanced pairs."""
    parser.add_argument(
        "--max-edit-share",
        type=float,
        default=1.0,
        help="with the rule near-miss: largest edit distance, as a share of the longer program's tokens (default 1)",
    )
    parser.add_argument("--speeds", help="with the rule speed: file that `codepref speed` wrote")
    parser.add_argument(
        "--speed-factor",
        type=float,
        default=2.0,
        help="with the rule speed: least factor between the CPU times, in each repeat (default %(default)g)",
    )
    parser.add_argument(
        "--min-cpu-ms",
        type=float,
        default=5.0,
        help="with the rule speed: least difference of the CPU times in milliseconds (default %(default)g)",
    )
    parser.add_argument(
        "--repair",
        choices=("none", "add", "only"),
        default="none",
        help="pairs whose prompt asks to correct the rejected program: beside each pair, or only these (default none)",
    )
    parser.add_argument(
        "--repair-template", help="text of the user message in repair pairs, with {request}, {program} and {failure}"
    )
    parser.add_argument(
        "--balance-length",
        action="store_true",
        help="drop pairs until the longer answer is chosen as often as it is rejected",
    )
    parser.add_argument(
        "--max-easy-share",
        type=float,
        default=1.0,
        help="largest share of pairs of problems that the model mostly solves; 0.5: as many as of others (default 1)",
    )


def add_audit(parser: Parser) -> None:
    """Add the options of `codepref audit`."""
    parser.add_argument(
        "--pairs", required=True, help="file that `pair` wrote, or another file of pairs that `train` takes"
    )
    parser.add_argument(
        "--verdicts",
        help="folder with the verdicts of true tests on the same solutions (default: only figures without verdicts)",
    )
    parser.add_argument(
        "--problems-total",
        type=int,
        help="number of problems that could have given a pair (default: number of problems with a judged pair)",
    )
    add_seed(parser)
    parser.add_argument("--out", help="JSON file for the figures (default: PAIRS with the ending .audit.json)")
    parser.set_defaults(command=audit)


def pair(options: Namespace) -> None:
    """Run `codepref pair`."""
    from codepref import api
    from codepref.judging.artifact import read_judgments
    from codepref.judging.binarized import write_binarized

    if options.binarized and not options.judgments:
        raise UserError("--binarized also writes the ratings: give --judgments")
    result = api.pair(
        options.verdicts,
        options.problems,
        judgments=options.judgments,
        rule=options.rule or ("rated" if options.judgments else "all-tests"),
        margin=options.margin,
        correctness_pairs=options.correctness_pairs,
        max_pairs_per_problem=options.max_pairs_per_problem,
        draws=options.draws,
        min_confidence=options.min_confidence,
        max_share=options.max_share,
        max_length_ratio=options.max_length_ratio,
        max_edit_share=options.max_edit_share,
        speeds=options.speeds,
        speed_factor=options.speed_factor,
        min_cpu_ms=options.min_cpu_ms,
        repair=options.repair,
        repair_template=options.repair_template,
        balance_length=options.balance_length,
        max_easy_share=options.max_easy_share,
        template=options.template,
        fence=not options.bare,
        allow_shared=options.allow_shared,
        strict=options.strict,
        seed=options.seed,
        out=options.out,
    )
    if options.binarized:
        write_binarized(Path(options.binarized), read_judgments(options.judgments), result.pairs)
        print(options.binarized)
    print(f"{len(result.pairs):,} pairs of {len({p.task_id for p in result.pairs}):,} problems")
    for reason, count in result.dropped.items():
        print(f"  {count:,} {reason}")
    print(options.out)


def audit(options: Namespace) -> None:
    """Run `codepref audit`."""
    from codepref import api
    from codepref.reports.tables import audit_lines

    result = api.audit(options.pairs, options.verdicts, seed=options.seed, problems_total=options.problems_total)
    for line in audit_lines(result):
        print(line)
    pairs = Path(options.pairs)
    beside = pairs if pairs.exists() else Path(pairs.name)  # a data set on the hub has no folder here
    target = Path(options.out) if options.out else beside.with_suffix(".audit.json")
    write_json(target, asdict(result))
    print(target)
