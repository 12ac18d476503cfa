"""The commands of AI feedback (respond, judge, grade): their options and what they print."""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import codepref
from codepref.errors import UserError
from codepref.storage.progress import ProgressLine

if TYPE_CHECKING:
    from codepref.config.pool import Member
    from codepref.judging.questions import JudgeSettings

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
    parser.add_argument("--pool", required=True, help="TOML file of [[pool]] tables; see docs/feedback.md")
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


def respond(options: Namespace) -> None:
    """Run `codepref respond`."""
    from codepref.preferences import PREFERENCES
    from codepref.problems.instructions import load_instructions
    from codepref.sampling.pool import PoolSettings

    _check_positive(options, "per_problem", "max_new_tokens", "batch_size")
    loaded = load_instructions(
        options.instructions,
        column=options.column,
        n=options.n,
        seed=options.seed,
        preferences=tuple(options.preferences or PREFERENCES),
        keep_cjk=options.keep_cjk,
    )
    for reason, count in loaded.dropped.items():
        _log(f"codepref: {count:,} instructions left out: {reason}")
    settings = PoolSettings(
        per_problem=options.per_problem,
        principles=not options.no_principles,
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_new_tokens,
        batch_size=options.batch_size,
        seed=options.seed,
    )
    progress = ProgressLine("respond: answers")
    with closing(progress):
        summary = codepref.respond(
            loaded.tasks,
            options.pool,
            options.out,
            settings=settings,
            budget=options.budget,
            dtype=options.dtype,
            device=options.device,
            progress=progress,
            log=_log,
        )
    print(
        f"{summary['responses']:,} responses to {summary['problems']:,} instructions, "
        f"{summary['cut']:,} cut at {options.max_new_tokens} tokens, {summary['empty']:,} empty"
    )
    _print_ledger(summary)
    print(options.out)


def judge(options: Namespace) -> None:
    """Run `codepref judge`."""
    if options.model == "rubric" and not options.judge:
        _judge_by_rubric(options)
        return
    member, settings = judge_member(options), _settings(options)
    if options.calibrate:
        _calibrate(options, member, settings)
        return
    if options.verdicts or options.own_models:
        raise UserError("--verdicts and --own-models need --calibrate")
    progress = ProgressLine("judge: questions")
    with closing(progress):
        summary = codepref.judge(
            options.responses,
            member,
            options.out,
            settings=settings,
            budget=options.budget,
            progress=progress,
            log=_log,
        )
    _print_ratings(summary)
    for reason, count in summary["unjudged"].items():
        print(f"  {count:,} unjudged: {reason}")
    if counts := summary.get("second_pass"):
        print(f"{counts['changed']:,} of {counts['rated_twice']:,} ratings change in reversed order")
    _print_ledger(summary)
    print(options.out)


def _calibrate(options: Namespace, member: Member, settings: JudgeSettings) -> None:
    progress = ProgressLine("judge: questions")
    with closing(progress):
        calibration = codepref.calibrate_judge(
            options.responses,
            member,
            options.out,
            verdicts=options.verdicts,
            own_models=options.own_models,
            settings=settings,
            budget=options.budget,
            progress=progress,
            log=_log,
        )
    for figure in calibration.figures:
        print(f"{figure.name}: {figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}], {figure.n:,} problems")
    for note in calibration.notes:
        print(f"left out: {note}")
    print(options.out)


def _judge_by_rubric(options: Namespace) -> None:
    if options.calibrate or options.second_pass or options.budget is not None:
        raise UserError("the rubric is static analysis: --calibrate, --second-pass and --budget do not apply to it")
    _print_ratings(codepref.judge_by_rubric(options.responses, options.out, problems=options.problems))
    print(options.out)


def grade(options: Namespace) -> None:
    """Run `codepref grade`."""
    from codepref.evaluation.graded import summarise_grades

    if options.model == "rubric" and not options.judge and not options.base_url:
        raise UserError("the rubric cannot grade a benchmark, only rate responses (`codepref judge`): name a model")
    member, settings = judge_member(options), _settings(options)
    progress = ProgressLine("grade: questions")
    with closing(progress):
        grades = codepref.grade(
            options.benchmark,
            options.responses,
            member,
            options.out,
            of=options.of,
            reference=options.reference,
            settings=settings,
            budget=options.budget,
            progress=progress,
            log=_log,
        )
    print(f"{grades.label}, graded by {grades.judge}, points from 1 to 10")
    for figure in summarise_grades(grades, seed=options.seed):
        print(f"{figure.name}: {figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}], {figure.n:,} problems")
    for reason, count in grades.left_out().items():
        print(f"  {count:,} ungraded, left out: {reason}")
    print(Path(options.out) / "scores.json")


def judge_member(options: Namespace) -> Member:
    """The judge that the options name. Raises UserError if they name none, or two."""
    from codepref.config.pool import Member, load_members

    if options.judge:
        if options.model or options.base_url:
            raise UserError("give --judge FILE, or --model with --base-url, not both")
        members = load_members(Path(options.judge))
        if len(members) != 1:
            raise UserError(
                f"{options.judge}: must hold exactly one [[pool]] table, the judge's; it has {len(members)}"
            )
        member = members[0]
    else:
        if not options.model:
            raise UserError("no judge: give --model with --base-url, or --judge FILE")
        names = ("model", "base_url", "api_key_env", "concurrency", "timeout", "retries", "schema")
        prices = {"price_in": options.price_in, "price_out": options.price_out}
        member = Member(**{name: getattr(options, name) for name in names}, **prices)
    if not member.base_url:
        raise UserError(f"{member.label}: its server is missing: give --base-url (OpenAI-compatible, up to /v1)")
    return member


def _settings(options: Namespace) -> JudgeSettings:
    from codepref.judging.questions import JudgeSettings

    _check_positive(options, "max_new_tokens")
    if options.mode == "single" and (options.second_pass or options.calibrate):
        raise UserError("--second-pass and --calibrate need --mode together: a single response has no order to reverse")
    return JudgeSettings(
        mode=options.mode,
        second_pass=options.second_pass,
        temperature=options.temperature,
        max_tokens=options.max_new_tokens,
        seed=options.seed,
    )


def _check_positive(options: Namespace, *names: str) -> None:
    for name in names:
        if (value := getattr(options, name)) < 1:
            raise UserError(f"--{name.replace('_', '-')} must be at least 1, not {value}")


def _print_ratings(summary: dict[str, Any]) -> None:
    print(f"{summary['rated']:,} of {summary['responses']:,} responses to {summary['problems']:,} problems rated")
    print("  ".join(f"{value}: {count:,}" for value, count in summary["ratings"].items()))


def _print_ledger(summary: dict[str, Any]) -> None:
    from codepref.servers.ledger import ledger_table

    for line in ledger_table(summary["ledger"]):
        print(line)
    if summary["dollars"] or summary["dollars_at_most_more"]:
        print(f"${summary['dollars']:.4f}, and at most ${summary['dollars_at_most_more']:.4f} for unanswered calls")


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
