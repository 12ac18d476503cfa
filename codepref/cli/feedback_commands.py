"""The functions of the commands of AI feedback: respond, judge, grade."""

from __future__ import annotations

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
            log=progress.notify,
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
        raise UserError("--verdicts and --own-models apply only with --calibrate: add it, or leave the two options out")
    progress = ProgressLine("judge: questions")
    with closing(progress):
        summary = codepref.judge(
            options.responses,
            member,
            options.out,
            settings=settings,
            budget=options.budget,
            progress=progress,
            log=progress.notify,
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
            log=progress.notify,
        )
    for figure in calibration.figures:
        print(f"{figure.name}: {figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}], {figure.n:,} problems")
    for note in calibration.notes:
        print(f"left out: {note}")
    print(options.out)


def _judge_by_rubric(options: Namespace) -> None:
    if options.calibrate or options.second_pass or options.budget is not None:
        raise UserError("--calibrate, --second-pass and --budget do not apply to the rubric: leave them out")
    _print_ratings(
        codepref.judge_by_rubric(options.responses, options.out, problems=options.problems, strict=options.strict)
    )
    print(options.out)


def grade(options: Namespace) -> None:
    """Run `codepref grade`."""
    from codepref.evaluation.graded import summarise_grades

    if options.model == "rubric" and not options.judge and not options.base_url:
        raise UserError("the rubric cannot grade a benchmark: name a judge model with --model and --base-url")
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
            log=progress.notify,
        )
    print(f"{grades.label}, graded by {grades.judge}, points from 1 to 10")
    for figure in summarise_grades(grades, seed=options.seed):
        print(f"{figure.name}: {figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}], {figure.n:,} problems")
    for reason, count in grades.left_out().items():
        print(f"  {count:,} ungraded, left out: {reason}")
    print(Path(options.out) / "scores.json")


def judge_member(options: Namespace) -> Member:
    """Return the judge that the options name.

    Raises UserError if they do not name exactly one judge, if the judge has no server, or if the file of --judge is
    missing or malformed.
    """
    from codepref.config.pool import Member, load_members

    if options.judge:
        if options.model or options.base_url:
            raise UserError("give --judge FILE to name the judge, or --model with --base-url, but not both")
        members = load_members(Path(options.judge))
        if len(members) != 1:
            raise UserError(
                f"{options.judge}: must hold one [[pool]] table, which describes the judge; it holds {len(members)}"
            )
        member = members[0]
    else:
        if not options.model:
            raise UserError("no judge is named: give --model with --base-url, or --judge FILE")
        names = ("model", "base_url", "api_key_env", "concurrency", "timeout", "retries", "schema")
        prices = {"price_in": options.price_in, "price_out": options.price_out}
        member = Member(**{name: getattr(options, name) for name in names}, **prices)
    if not member.base_url:
        raise UserError(
            f"{member.label}: the address of its server is missing; give --base-url (OpenAI-compatible, up to /v1), or "
            "set base_url in the file of --judge"
        )
    return member


def _settings(options: Namespace) -> JudgeSettings:
    from codepref.judging.questions import JudgeSettings

    _check_positive(options, "max_new_tokens")
    if options.mode == "single" and (options.second_pass or options.calibrate):
        raise UserError(
            "--second-pass and --calibrate need --mode together, since they reverse the order of the responses"
        )
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
        spent, more = summary["dollars"], summary["dollars_at_most_more"]
        print(f"${spent:.4f} spent, and at most ${more:.4f} more for unanswered calls")


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
