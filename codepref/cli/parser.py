"""What can be typed. Defaults are the functions' own; help texts say what a value is for."""

from __future__ import annotations

import argparse

from codepref import __version__
from codepref.cli import commands, feedback

Parser = argparse.ArgumentParser
SANDBOX_HELP = "run model code without the sandbox; only inside a machine that may be lost"


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="codepref",
        description="Align a code model by preference learning, and see honestly whether it got better.",
        epilog="Exit status: 0 done, 1 failed or refused by a gate, 2 wrong input, 3 the machine lacks something.",
    )
    parser.add_argument("--version", action="version", version=f"codepref {__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _demo(subparsers.add_parser("demo", help="the whole pipeline on the embedded starter"))
    _run(subparsers.add_parser("run", help="run a recipe, or go on with one"))
    _status(subparsers.add_parser("status", help="which stages of a run are done"))
    _show(subparsers.add_parser("show", help="one problem of a run: its answers, verdicts and pairs"))
    _report(subparsers.add_parser("report", help="write summary.json and report.html of a run again"))
    _sample(subparsers.add_parser("sample", help="problems x a model -> solutions or tests"))
    _execute(subparsers.add_parser("execute", help="solutions x tests -> verdicts, in the sandbox"))
    feedback.add_respond(subparsers.add_parser("respond", help="instructions x a pool of models -> responses"))
    feedback.add_judge(subparsers.add_parser("judge", help="responses x a judge -> ratings, or what they are worth"))
    feedback.add_grade(
        subparsers.add_parser("grade", help="responses x a benchmark with references x a judge -> points")
    )
    _pair(subparsers.add_parser("pair", help="verdicts -> preference pairs"))
    _audit(subparsers.add_parser("audit", help="how right pairs are by true tests, and what can be said without"))
    _train(subparsers.add_parser("train", help="pairs -> an aligned model"))
    _evaluate(subparsers.add_parser("evaluate", help="pass@k of a model, of solutions or of verdicts"))
    _compare(subparsers.add_parser("compare", help="paired difference of two score files"))
    _push(subparsers.add_parser("push", help="a run's model and pairs to the hub"))
    _doctor(subparsers.add_parser("doctor", help="what confinement this machine offers"))
    return parser


def _demo(parser: Parser) -> None:
    parser.add_argument("--recipe", default="dstc-dpo", help="recipe of the starter (default %(default)s)")
    parser.add_argument("--out", help="run directory (default runs/demo-RECIPE)")
    parser.add_argument("--seed", type=int, help="root of every random choice (default 0)")
    _overrides(parser)
    _sandbox(parser)
    parser.set_defaults(command=commands.demo)


def _run(parser: Parser) -> None:
    parser.add_argument("recipe", help="a TOML file, or the name of a recipe that ships with codepref")
    parser.add_argument("--out", help="run directory (default runs/NAME); an interrupted run there is gone on with")
    parser.add_argument("--seed", type=int, help="in place of the recipe's")
    _overrides(parser)
    _sandbox(parser)
    parser.set_defaults(command=commands.run)


def _status(parser: Parser) -> None:
    parser.add_argument("dir", help="run directory")
    parser.set_defaults(command=commands.status)


def _show(parser: Parser) -> None:
    parser.add_argument("dir", help="run directory")
    parser.add_argument("task_id", help="the problem's, as in samples/solutions.jsonl")
    parser.set_defaults(command=commands.show)


def _report(parser: Parser) -> None:
    parser.add_argument("dir", help="run directory")
    parser.set_defaults(command=commands.report)


def _sample(parser: Parser) -> None:
    _model(parser, "folder, hub name, `starter`, or `scripted:FILE` with the answers (docs/formats.md)")
    _problems(parser)
    parser.add_argument(
        "--kind", choices=("solutions", "tests"), default="solutions", help="what is asked for (default %(default)s)"
    )
    parser.add_argument("-n", type=int, default=10, help="answers a problem (default %(default)s)")
    _decoding(parser)
    parser.add_argument("--out", required=True, help="JSON lines; an interrupted call goes on from OUT.parts")
    parser.set_defaults(command=commands.sample)


def _execute(parser: Parser) -> None:
    _problems(parser)
    parser.add_argument(
        "--solutions",
        required=True,
        help='lines {"task_id", "completion"} or {"task_id", "solution"}; or EvalPlus\'s folder TASK/0.py or its '
        "*_eval_results.json",
    )
    parser.add_argument(
        "--tests", help='lines {"task_id", "test"} or {"task_id", "completion"}; default the problems\' own'
    )
    parser.add_argument("--tests-per-completion", type=int, default=5, help="asserts kept of one (default %(default)s)")
    parser.add_argument(
        "--probes",
        type=int,
        default=0,
        help="calls a problem, varied from the tests: 60 for --rule agreement (default 0)",
    )
    parser.add_argument("--out", required=True, help="folder for verdicts.parquet, tests.parquet, summary.json")
    parser.add_argument(
        "--skip-gold",
        action="store_true",
        help="do not run the gold solution of problems with a test that no solution passed",
    )
    _limits(parser, timeout_factor=20)
    parser.set_defaults(command=commands.execute)


def _pair(parser: Parser) -> None:
    parser.add_argument("--verdicts", help="folder that `execute` wrote")
    parser.add_argument(
        "--judgments", help="file that `judge` wrote, or published ratings: rules rated, tests-then-rating"
    )
    parser.add_argument("--problems", help="where prompts come from; default the verdicts' statements or instructions")
    parser.add_argument("--binarized", help="ratings: also write the pairs in CodeUltraFeedback_binarized's columns")
    parser.add_argument(
        "--margin", type=float, default=1.0, help="ratings: points apart at least (default %(default)g)"
    )
    parser.add_argument("--correctness-pairs", action="store_true", help="tests-then-rating: passing over failing too")
    rules = "all-tests, max-pass, dstc, dstc-code, codet, b4, agreement, rated, tests-then-rating"
    parser.add_argument("--rule", help=f"{rules} (default all-tests, with --judgments rated)")
    parser.add_argument("--max-pairs-per-problem", type=int, default=4, help="with any rule (default %(default)s)")
    parser.add_argument("--draws", type=int, default=1, help="of the dstc rules: pairs a problem (default 1)")
    parser.add_argument("--min-confidence", type=float, default=0.0, help="drop pairs below (default 0)")
    parser.add_argument("--max-share", type=float, default=1.0, help="share of problems that are kept, the surest")
    parser.add_argument(
        "--max-length-ratio", type=float, default=0.0, help="drop pairs with a side longer than so many times the other"
    )
    parser.add_argument("--template", help="user message of the prompts, with {prompt} and {entry_point}")
    parser.add_argument("--bare", action="store_true", help="answers are bare code, not a ```python block")
    parser.add_argument("--allow-shared", action="store_true", help="let verdicts of shared isolation ground a pair")
    parser.add_argument("--seed", type=int, default=0, help="root of every random choice (default 0)")
    parser.add_argument("--out", required=True, help="Parquet file")
    parser.set_defaults(command=commands.pair)


def _audit(parser: Parser) -> None:
    parser.add_argument("--pairs", required=True, help="file that `pair` wrote, or another that `train` takes")
    parser.add_argument("--verdicts", help="folder: the same solutions against true tests; without, what needs none")
    parser.add_argument("--problems-total", type=int, help="problems that could have given a pair (default: that did)")
    parser.add_argument("--seed", type=int, default=0, help="root of every random choice (default 0)")
    parser.add_argument("--out", help="JSON file for the figures (default PAIRS with .audit.json)")
    parser.set_defaults(command=commands.audit)


def _train(parser: Parser) -> None:
    _model(parser, "folder, hub name or `starter`")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--pairs", help="Parquet or JSON lines with prompt, chosen, rejected")
    source.add_argument("--verdicts", help="rft, sft, kto: folder that `execute` wrote; learns from what passed")
    source.add_argument("--problems", help="grpo, rloo: file, hub name or starter:SPLIT of problems with tests")
    source.add_argument("--data", help="sft: file or hub name with instructions and answers")
    parser.add_argument(
        "--method",
        choices=("dpo", "rpo", "kto", "sft", "rft", "grpo", "rloo"),
        default="dpo",
        help="(default %(default)s)",
    )
    parser.add_argument("--out", required=True, help="folder for the aligned model; a killed training goes on there")
    parser.add_argument(
        "--validation", help="problems that the model answers while it trains; never your held-out ones"
    )
    parser.add_argument("--validation-limit", type=int, default=100, help="the first N of them (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="root of every random choice (default 0)")
    _sandbox(parser)
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any key of [training], or online.KEY",
    )
    parser.set_defaults(command=commands.train)


def _evaluate(parser: Parser) -> None:
    parser.add_argument("--problems", help="file, hub name or starter:SPLIT; not needed with --verdicts")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model", help="folder, hub name or `starter`")
    source.add_argument("--solutions", help="samples drawn before, as `execute` takes them")
    source.add_argument("--verdicts", help="folder that `execute` wrote")
    parser.add_argument("--samples", type=int, default=10, help="sampled answers a problem (default %(default)s)")
    parser.add_argument("-k", type=int, nargs="+", default=[1, 10], help="the k of pass@k (default 1 10)")
    parser.add_argument("--label", default="", help="whose scores these are")
    parser.add_argument(
        "--evalplus", metavar="FILE", help="with --solutions or --verdicts: also write EvalPlus's *_eval_results.json"
    )
    _place(parser)
    parser.add_argument("--out", required=True, help="folder for scores.json")
    _decoding(parser)
    _limits(parser, timeout_factor=0)
    parser.set_defaults(command=commands.evaluate)


def _compare(parser: Parser) -> None:
    parser.add_argument("scores_a", help="scores.json (or its folder) or EvalPlus's *_eval_results.json of the base")
    parser.add_argument("scores_b", help="the same of the aligned model")
    parser.add_argument("--seed", type=int, default=0, help="root of every random choice (default 0)")
    parser.add_argument("--out", help="JSON file for the figures")
    parser.set_defaults(command=commands.compare)


def _push(parser: Parser) -> None:
    parser.add_argument("dir", help="directory of a finished run")
    parser.add_argument("--model", default="", metavar="OWNER/NAME", help="repository for its checkpoint")
    parser.add_argument("--dataset", default="", metavar="OWNER/NAME", help="repository for its pairs")
    parser.add_argument("--public", action="store_true", help="make new repositories public (default: private)")
    parser.add_argument("--anyway", action="store_true", help="push a model that was not promoted too")
    parser.set_defaults(command=commands.push)


def _doctor(parser: Parser) -> None:
    parser.set_defaults(command=commands.doctor)


def _model(parser: Parser, words: str) -> None:
    parser.add_argument("--model", required=True, help=words)
    _place(parser)


def _place(parser: Parser) -> None:
    parser.add_argument("--device", default="auto", help="torch device (default: GPU if there is one)")
    parser.add_argument(
        "--dtype",
        choices=("auto", "float32", "bfloat16", "float16"),
        default="auto",
        help="weights' type (default auto)",
    )


def _problems(parser: Parser) -> None:
    parser.add_argument("--problems", required=True, help="file (plain or .gz), hub name or starter:SPLIT")


def _decoding(parser: Parser) -> None:
    parser.add_argument("--temperature", type=float, default=0.8, help="0 is greedy (default %(default)s)")
    parser.add_argument("--top-p", type=float, default=0.95, help="nucleus size (default %(default)s)")
    parser.add_argument("--max-new-tokens", type=int, default=512, help="(default %(default)s)")
    parser.add_argument("--template", help="user message, with {prompt} and {entry_point}")
    parser.add_argument("--batch-size", type=int, default=128, help="answers at once (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="root of every random choice (default 0)")


def _limits(parser: Parser, *, timeout_factor: int) -> None:
    parser.add_argument("--cpu-seconds", type=float, help="CPU time a test, at most (default 3)")
    parser.add_argument(
        "--timeout-factor",
        type=float,
        help=f"times as long as the slowest right solution; 0: always --cpu-seconds (default {timeout_factor})",
    )
    parser.add_argument("--patience", type=float, help=argparse.SUPPRESS)  # the old name of --timeout-factor
    parser.add_argument("--memory-mb", type=int, help="memory of a judged process (default 1024)")
    parser.add_argument("--jobs", type=int, help="workers (default: one a core)")
    _sandbox(parser)


def _sandbox(parser: Parser) -> None:
    parser.add_argument("--unconfined", action="store_true", help=SANDBOX_HELP)


def _overrides(parser: Parser) -> None:
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="in place of the recipe's",
    )
