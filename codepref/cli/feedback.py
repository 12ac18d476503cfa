"""The options of the commands of AI feedback: respond, judge, grade."""

from __future__ import annotations

import argparse

from codepref.cli.feedback_commands import grade, judge, respond

Parser = argparse.ArgumentParser


def add_respond(parser: Parser) -> None:
    """Add the options of `codepref respond`."""
    parser.add_argument("--instructions", required=True, help="file or hub name with a column of instructions")
    parser.add_argument("--column", help="name of that column (default: instruction, prompt, problem or question)")
    parser.add_argument("-n", type=int, help="number of instructions, drawn with --seed (default: all, in order)")
    parser.add_argument(
        "--preferences", nargs="+", help="preferences, given to the instructions in turn (default: all)"
    )
    parser.add_argument("--keep-cjk", action="store_true", help="keep instructions with Chinese characters")
    parser.add_argument("--pool", required=True, help="TOML file of [[pool]] tables; see docs/how-to/judge.md")
    parser.add_argument("--per-problem", type=int, default=4, help="models for each instruction (default %(default)s)")
    parser.add_argument("--no-principles", action="store_true", help="do not ask the models for the preference")
    parser.add_argument("--temperature", type=float, default=0.8, help="(default %(default)s)")
    parser.add_argument("--top-p", type=float, default=0.8, help="(default %(default)s)")
    parser.add_argument("--max-new-tokens", type=int, default=1024, help="of one response (default %(default)s)")
    parser.add_argument("--batch-size", type=int, default=32, help="local models: responses generated at once")
    parser.add_argument("--device", default="auto", help="local models: torch device")
    dtypes = ("auto", "float32", "bfloat16", "float16")
    parser.add_argument("--dtype", choices=dtypes, default="auto", help="local models: data type of the weights")
    _add_common(parser)
    parser.set_defaults(command=respond)


def add_judge(parser: Parser) -> None:
    """Add the options of `codepref judge`."""
    parser.add_argument("--responses", required=True, help="file that `respond` wrote, or published rows")
    parser.add_argument("--problems", help="rubric: the problems of the responses, to check entry points")
    _add_judge_model(parser, "the judge's name on its server, or `rubric`: static analysis without a model")
    modes = ("together", "single")
    parser.add_argument("--mode", choices=modes, default="together", help="all responses in one question, or one")
    parser.add_argument("--second-pass", action="store_true", help="ask again with the responses in reversed order")
    parser.add_argument("--temperature", type=float, default=0.0, help="of the judge (default %(default)s)")
    parser.add_argument("--max-new-tokens", type=int, default=1024, help="of one answer (default %(default)s)")
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="judge each problem three times, and write figures about the judge's reliability to --out",
    )
    parser.add_argument("--verdicts", help="with --calibrate: folder that `execute` wrote for the same responses")
    parser.add_argument("--own-models", nargs="+", default=[], help="with --calibrate: models that are the judge's own")
    _add_common(parser)
    parser.set_defaults(command=judge)


def add_grade(parser: Parser) -> None:
    """Add the options of `codepref grade`."""
    parser.add_argument("--benchmark", required=True, help="file or hub name: instruction, preference, a reference")
    parser.add_argument(
        "--reference", help="column of reference answers, or the model that wrote them (MODEL_response)"
    )
    parser.add_argument("--responses", required=True, help="file that `respond` wrote for the same instructions")
    parser.add_argument("--of", help="the model to grade, if the file holds responses of several")
    _add_judge_model(parser, "the judge's name on its server")
    parser.add_argument("--temperature", type=float, default=0.0, help="of the judge (default %(default)s)")
    parser.add_argument("--max-new-tokens", type=int, default=1024, help="of one answer (default %(default)s)")
    _add_common(parser, "the folder to write; it also keeps the judge's answers, in OUT/calls")
    parser.set_defaults(command=grade, mode="single", second_pass=False, calibrate=False)


def _add_judge_model(parser: Parser, help_text: str) -> None:
    parser.add_argument("--model", help=help_text)
    parser.add_argument("--judge", help="TOML file with one [[pool]] table, instead of the next options")
    parser.add_argument("--base-url", default="", help="OpenAI-compatible server, up to /v1")
    parser.add_argument("--api-key-env", default="OPENAI_API_KEY", help="variable with its key (default %(default)s)")
    parser.add_argument("--concurrency", type=int, default=8, help="calls at once (default %(default)s)")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for each call (default %(default)g)")
    parser.add_argument("--retries", type=int, default=8, help="attempts after the first one (default %(default)s)")
    parser.add_argument("--price-in", type=float, default=0.0, help="dollars per million tokens of prompts")
    parser.add_argument("--price-out", type=float, default=0.0, help="dollars per million tokens of answers")
    parser.add_argument("--schema", choices=("auto", "yes", "no"), default="auto", help="send a JSON schema")


def _add_common(parser: Parser, out: str = "the file to write; OUT.calls keeps the models' answers") -> None:
    parser.add_argument("--budget", type=float, help="limit in dollars over all runs with this --out; needs prices")
    parser.add_argument("--seed", type=int, default=0, help="seed of every random choice (default 0)")
    parser.add_argument("--out", required=True, help=out)
