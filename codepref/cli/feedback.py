"""The options of the commands of AI feedback: respond, judge, grade."""

from __future__ import annotations

import argparse

from codepref.cli.feedback_commands import grade, judge, respond
from codepref.cli.options import add_strict

Parser = argparse.ArgumentParser


def add_respond(parser: Parser) -> None:
    """Add the options of `codepref respond`."""
    parser.add_argument(
        "--instructions", required=True, help="file, or data set on the hub, with a column of instructions"
    )
    parser.add_argument("--column", help="name of that column (default: instruction, prompt, problem or question)")
    parser.add_argument("-n", type=int, help="number of instructions, drawn with --seed (default: all, in order)")
    parser.add_argument(
        "--preferences", nargs="+", help="names of preferences; the instructions get them in turn (default: all)"
    )
    parser.add_argument("--keep-cjk", action="store_true", help="keep instructions with Chinese characters")
    parser.add_argument("--pool", required=True, help="TOML file of [[pool]] tables; see docs/how-to/judge.md")
    parser.add_argument(
        "--per-problem", type=int, default=4, help="number of models that answer each instruction (default %(default)s)"
    )
    parser.add_argument(
        "--no-principles", action="store_true", help="send no system prompt that asks for the preference"
    )
    parser.add_argument("--temperature", type=float, default=0.8, help="0 is greedy (default %(default)s)")
    parser.add_argument("--top-p", type=float, default=0.8, help="nucleus size (default %(default)s)")
    parser.add_argument(
        "--max-new-tokens", type=int, default=1024, help="longest response, in tokens (default %(default)s)"
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=32,
        help="for local models: number of responses to generate at once (default %(default)s)",
    )
    parser.add_argument(
        "--device", default="auto", help="for local models: torch device (default: the GPU if there is one)"
    )
    dtypes = ("auto", "float32", "bfloat16", "float16")
    parser.add_argument(
        "--dtype", choices=dtypes, default="auto", help="for local models: number type of the weights (default auto)"
    )
    _add_common(parser)
    parser.set_defaults(command=respond)


def add_judge(parser: Parser) -> None:
    """Add the options of `codepref judge`."""
    parser.add_argument("--responses", required=True, help="file that `respond` wrote, or a published data set")
    parser.add_argument(
        "--problems", help="with --model rubric: the problems of the responses; the rubric then checks entry points"
    )
    add_strict(parser)
    _add_judge_model(
        parser, "the judge's name on its server, or `rubric`, which rates by static analysis without a model"
    )
    modes = ("together", "single")
    parser.add_argument(
        "--mode",
        choices=modes,
        default="together",
        help="together: put all responses to an instruction into one question; single: put one response into each "
        "question (default together)",
    )
    parser.add_argument("--second-pass", action="store_true", help="ask again with the responses in reversed order")
    parser.add_argument("--temperature", type=float, default=0.0, help="temperature of the judge (default %(default)s)")
    parser.add_argument(
        "--max-new-tokens", type=int, default=1024, help="longest answer, in tokens (default %(default)s)"
    )
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="judge each problem three times, and write to --out how reliable the judge is",
    )
    parser.add_argument("--verdicts", help="with --calibrate: folder that `execute` wrote for the same responses")
    parser.add_argument(
        "--own-models",
        nargs="+",
        default=[],
        help="with --calibrate: other names of the judge's own model in the responses",
    )
    _add_common(parser)
    parser.set_defaults(command=judge)


def add_grade(parser: Parser) -> None:
    """Add the options of `codepref grade`."""
    parser.add_argument(
        "--benchmark",
        required=True,
        help="file, or data set on the hub, with the columns instruction, preference and a reference answer",
    )
    parser.add_argument(
        "--reference", help="column of the reference answers, or the name of the model with a column MODEL_response"
    )
    parser.add_argument("--responses", required=True, help="file that `respond` wrote for the benchmark's instructions")
    parser.add_argument("--of", help="name of the model to grade, if the file holds responses of several models")
    _add_judge_model(parser, "the judge's name on its server")
    parser.add_argument("--temperature", type=float, default=0.0, help="temperature of the judge (default %(default)s)")
    parser.add_argument(
        "--max-new-tokens", type=int, default=1024, help="longest answer, in tokens (default %(default)s)"
    )
    _add_common(parser, "the folder to write; it also keeps the judge's answers, in OUT/calls")
    parser.set_defaults(command=grade, mode="single", second_pass=False, calibrate=False)


def _add_judge_model(parser: Parser, help_text: str) -> None:
    parser.add_argument("--model", help=help_text)
    parser.add_argument(
        "--judge",
        help="TOML file with one [[pool]] table that describes the judge, instead of --model and the options from "
        "--base-url to --schema",
    )
    parser.add_argument("--base-url", default="", help="address of an OpenAI-compatible server, up to /v1")
    parser.add_argument(
        "--api-key-env",
        default="OPENAI_API_KEY",
        help="environment variable with the server's key (default %(default)s)",
    )
    parser.add_argument("--concurrency", type=int, default=8, help="number of calls at once (default %(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=120.0, help="seconds for each attempt at a call (default %(default)g)"
    )
    parser.add_argument(
        "--retries", type=int, default=8, help="number of attempts after the first one (default %(default)s)"
    )
    parser.add_argument("--price-in", type=float, default=0.0, help="dollars per million tokens of prompts")
    parser.add_argument("--price-out", type=float, default=0.0, help="dollars per million tokens of answers")
    parser.add_argument(
        "--schema",
        choices=("auto", "yes", "no"),
        default="auto",
        help="send a JSON schema with each call (default %(default)s)",
    )


def _add_common(parser: Parser, out: str = "the file to write; the folder OUT.calls keeps the models' answers") -> None:
    parser.add_argument("--budget", type=float, help="limit in dollars over all calls with this --out; needs prices")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random choices (default 0)")
    parser.add_argument("--out", required=True, help=out)
