"""One function a command: options -> the function of its name -> figures on stdout, the result's file last."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.errors import GateError, UserError
from codepref.storage.files import write_json
from codepref.storage.progress import ProgressLine

if TYPE_CHECKING:
    from codepref.execution.limits import Limits


def demo(options: Namespace) -> None:
    """`codepref demo`."""
    from codepref.runs.run import demo as work

    _run(work, options, Path(options.out or f"runs/demo-{options.recipe}"))


def run(options: Namespace) -> None:
    """`codepref run`."""
    from codepref.runs.run import run as work

    _run(work, options, Path(options.out or Path("runs") / Path(options.recipe).stem))


def _run(work: Callable[..., dict[str, Any]], options: Namespace, folder: Path) -> None:
    summary = work(
        options.recipe,
        folder,
        seed=options.seed,
        overrides=options.overrides,
        unconfined=options.unconfined,
        say=_say,
    )
    _print_summary(summary, folder)
    if summary["gate"] and not summary["gate"]["promoted"]:
        raise GateError(f"not promoted: {summary['gate']['reasons'][0]}. {folder / 'not-promoted'} says it too")


def status(options: Namespace) -> None:
    """`codepref status`."""
    from codepref.runs.inspect import status_lines

    print("\n".join(status_lines(Path(options.dir))))


def show(options: Namespace) -> None:
    """`codepref show`."""
    from codepref.runs.inspect import show_lines

    print("\n".join(show_lines(Path(options.dir), options.task_id)))


def report(options: Namespace) -> None:
    """`codepref report`."""
    from codepref.reports.html import write_report
    from codepref.runs.inspect import refresh_summary

    folder = Path(options.dir)
    refresh_summary(folder)
    print(write_report(folder))


def sample(options: Namespace) -> None:
    """`codepref sample`."""
    from codepref import api

    progress = ProgressLine("sample: answers")
    rows = api.sample(
        options.problems,
        options.model,
        kind=options.kind,
        n=options.n,
        temperature=options.temperature,
        top_p=options.top_p,
        max_new_tokens=options.max_new_tokens,
        template=options.template,
        batch_size=options.batch_size,
        seed=options.seed,
        dtype=options.dtype,
        device=options.device,
        out=options.out,
        progress=progress,
    )
    progress.close()
    cut = sum(not row["finished"] for row in rows)
    print(f"{len(rows):,} answers, {cut:,} cut at {options.max_new_tokens} tokens")
    if options.kind == "solutions":
        print(f"{sum(not row['solution'] for row in rows):,} answers hold no code that defines the entry point")
    print(options.out)


def execute(options: Namespace) -> None:
    """`codepref execute`."""
    from codepref import api
    from codepref.cli.faults import tell_faults, tell_gold, tell_needs, tell_tests
    from codepref.sampling.answers import load_tests

    if not options.out:
        raise UserError("--out is empty; it must name a folder")
    if options.tests_per_completion < 1:
        raise UserError(f"--tests-per-completion must be at least 1, not {options.tests_per_completion}")
    limits, problems = _limits(options), api.load_problems(options.problems)
    given = load_tests(options.tests, problems, per_completion=options.tests_per_completion) if options.tests else None
    tell_tests(problems, given, _say)
    tell_needs(problems, _say)
    progress = ProgressLine("execute: solutions")
    engine = {"limits": limits, "jobs": options.jobs, "unconfined": options.unconfined}
    tests = given.tests if given else None
    summary = api.execute_into(
        problems, options.solutions, tests, probes=options.probes, out=options.out, progress=progress, **engine
    )
    progress.close()
    print(f"{summary['problems']:,} problems, {summary['samples']:,} solutions, {summary['cells']:,} verdicts")
    print("  ".join(f"{code} {count:,}" for code, count in Counter(summary["verdicts"]).most_common()))
    print(options.out, flush=True)
    if not summary["samples"]:
        _say(f"codepref: {options.solutions} holds no solution")
    tell_faults(Path(options.out), summary, _say)
    if given is None and not options.skip_gold:
        tell_gold(problems, Path(options.out), _say, **engine)


def pair(options: Namespace) -> None:
    """`codepref pair`."""
    from codepref import api
    from codepref.judging.artifact import read_judgments
    from codepref.judging.binarized import write_binarized

    made = api.pair(
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
        template=options.template,
        fence=not options.bare,
        allow_shared=options.allow_shared,
        seed=options.seed,
        out=options.out,
    )
    if options.binarized:
        if not options.judgments:
            raise UserError("--binarized writes ratings too, and needs --judgments")
        write_binarized(Path(options.binarized), read_judgments(options.judgments), made.pairs)
        print(options.binarized)
    print(f"{len(made.pairs):,} pairs of {len({p.task_id for p in made.pairs}):,} problems")
    for reason, count in made.dropped.items():
        print(f"  {count:,} {reason}")
    print(options.out)


def audit(options: Namespace) -> None:
    """`codepref audit`."""
    from codepref import api
    from codepref.reports.tables import audit_lines

    total = {"problems_total": options.problems_total}
    found = api.audit(options.pairs, options.verdicts, seed=options.seed, **total)
    for line in audit_lines(found):
        print(line)
    target = Path(options.out) if options.out else Path(options.pairs).with_suffix(".audit.json")
    write_json(target, asdict(found))
    print(target)


def train(options: Namespace) -> None:
    """`codepref train`."""
    from codepref import api
    from codepref.config.sections import ValidationSection
    from codepref.runs.recipes import parse_recipe

    given = [_training_setting(item) for item in options.settings]
    recipe = parse_recipe({"training": {}}, overrides=given, where="--set")
    # the method is no recipe's: a run does not train by all that this command does
    settings = replace(recipe.training, method=options.method)
    progress = ProgressLine("train: steps")
    trained = api.train(
        options.pairs,
        options.model,
        options.out,
        verdicts=options.verdicts,
        data=options.data,
        settings=settings,
        seed=options.seed,
        dtype=options.dtype,
        device=options.device,
        progress=progress,
        validation=options.validation,
        watch=ValidationSection(limit=options.validation_limit),
        problems=options.problems,
        online=recipe.online,
        unconfined=options.unconfined,
    )
    progress.close()
    last: dict[str, Any] = trained.curve[-1] if trained.curve else {}
    unit = "pairs" if settings.method in ("dpo", "rpo") else "problems" if trained.sampled else "answers"
    start = (
        f"{trained.sampled:,} answers" if trained.sampled else f"loss before the first step {trained.first_loss:.4f}"
    )
    print(f"{trained.pairs:,} {unit}, {trained.steps:,} steps, {start}")
    print(
        "  ".join(
            f"{key} {last[key]:.4g}"
            for key in ("loss", "margin", "accuracy", "kl", "chosen_logp", "reward")
            if key in last
        )
    )
    for probe in trained.probes:
        print(
            f"  step {probe['step']:,}: pass@1 on validation problems {100 * probe['pass_rate']:.1f}, difference "
            f"{100 * probe['difference']:+.1f} [{100 * probe['low']:+.1f}, {100 * probe['high']:+.1f}]"
        )
    if trained.stopped:
        print(f"ended early: {trained.stopped}")
    if trained.kept_step != trained.steps:
        print(f"kept: the weights of step {trained.kept_step:,}")
    for said in trained.warnings:
        print(f"warning: {said}")
    for reason, count in trained.dropped.items():
        print(f"  {count:,} x {reason}")
    print(options.out)


def _training_setting(item: str) -> str:
    """KEY=VALUE of `train --set` as a recipe's override. Raises UserError for a key that only a run obeys."""
    key = item.partition("=")[0].strip().removeprefix("training.")
    if key == "method":
        raise UserError(f"--set {item}: the method is named with --method")
    if key in ("rounds", "round_start"):
        raise UserError(f"--set {item}: rounds are a run's (`codepref run`); this command trains once")
    if "." in key and not key.startswith("online."):
        raise UserError(f"--set {item}: this command takes the keys of [training] as KEY=VALUE, and online.KEY=VALUE")
    return item if item.startswith(("online.", "training.")) else f"training.{item}"


def push(options: Namespace) -> None:
    """`codepref push`."""
    from codepref.hub.push import push as work

    found = work(
        options.dir, model=options.model, dataset=options.dataset, public=options.public, anyway=options.anyway
    )
    for address in found.addresses.values():
        print(address)


def evaluate(options: Namespace) -> None:
    """`codepref evaluate`."""
    from codepref import api
    from codepref.cli.faults import tell_needs
    from codepref.evaluation.scores import summarise
    from codepref.reports.tables import score_table

    lines: list[ProgressLine] = []

    def progress_for(label: str) -> ProgressLine:
        lines.append(ProgressLine(label))
        return lines[-1]

    problems, asked = options.problems, set[str]()
    if problems and not options.verdicts:
        loaded = api.load_problems(problems)
        tell_needs(loaded, _say)
        asked = {problem.task_id for problem in loaded}
    scores = api.evaluate(
        problems,
        model=options.model,
        solutions=options.solutions,
        verdicts=options.verdicts,
        samples=options.samples,
        k=options.k,
        temperature=options.temperature,
        top_p=options.top_p,
        max_new_tokens=options.max_new_tokens,
        template=options.template,
        batch_size=options.batch_size,
        limits=_limits(options, timeout_factor=None),
        jobs=options.jobs,
        unconfined=options.unconfined,
        seed=options.seed,
        label=options.label,
        out=options.out,
        dtype=options.dtype,
        device=options.device,
        progress_for=progress_for,
        evalplus=options.evalplus,
    )
    for line in lines:
        line.close()
    figures = summarise(scores, seed=options.seed)
    print(score_table({options.label or "scores": [asdict(figure) for figure in figures]}))
    for k in scores.ks:
        if f"pass@{k}" not in {figure.name for figure in figures}:
            _say(f"codepref: no problem has {k} judged samples, so there is no pass@{k}")
    for reason, count in scores.left_out().items():
        print(f"{count:,} solutions left out: {reason}")
    if unanswered := sorted(asked - {row.task_id for row in scores.problems}):
        print(f"{len(unanswered):,} of {len(asked):,} problems left out: no solution, such as {unanswered[0]}")
    if options.evalplus:
        print(options.evalplus)
    print(Path(options.out) / "scores.json")


def compare(options: Namespace) -> None:
    """`codepref compare`."""
    from codepref import api
    from codepref.evaluation.grades_file import is_grades_file
    from codepref.evaluation.power import needed
    from codepref.evaluation.scores import differing_conditions, read_scores, summarise
    from codepref.reports.tables import power_table, score_table

    if is_grades_file(Path(options.scores_a)):
        _compare_grades(options)
        return
    a, b = read_scores(Path(options.scores_a)), read_scores(Path(options.scores_b))
    compared = api.compare(a, b, seed=options.seed)
    found = [asdict(item) | {"problems_needed": needed(item.spread)} for item in compared]
    sides = {
        name: [asdict(score) for score in summarise(scores, seed=options.seed)]
        for name, scores in (("base", a), ("aligned", b))
    }
    print(score_table(sides, found))
    print("\n" + power_table(found))
    if differing := differing_conditions(a, b):
        print(f"note: the two were evaluated with another {', '.join(differing)}")
    if options.out:
        write_json(Path(options.out), found)
        print(options.out)


def _compare_grades(options: Namespace) -> None:
    from codepref.evaluation.graded import compare_grades
    from codepref.evaluation.grades_file import read_grades
    from codepref.evaluation.power import needed
    from codepref.reports.tables import power_table

    a, b = read_grades(Path(options.scores_a)), read_grades(Path(options.scores_b))
    found = compare_grades(a, b, seed=options.seed)
    print(f"points from 1 to 10 by {a.judge}: {b.label} less {a.label}")
    for one in found:
        print(
            f"{one.name}: {one.base:.2f} -> {one.aligned:.2f}, {one.difference:+.2f} "
            f"[{one.low:+.2f}, {one.high:+.2f}], p = {one.p_value:.3g}, {one.n:,} problems"
        )
    rows = [asdict(one) | {"problems_needed": needed(one.spread, (0.1, 0.2, 0.5), unit=1.0)} for one in found]
    print("\n" + power_table(rows))
    if options.out:
        write_json(Path(options.out), rows)
        print(options.out)


def doctor(options: Namespace) -> None:
    """`codepref doctor`."""
    from codepref.execution.doctor import examine

    for line in examine():
        print(line)


def _limits(options: Namespace, **defaults: Any) -> Limits:
    from codepref.execution.limits import Limits

    given = {"cpu_seconds": options.cpu_seconds, "memory_mb": options.memory_mb}
    for name, value in given.items():
        if value is not None and value <= 0:
            raise UserError(f"--{name.replace('_', '-')} must be above 0, not {value}")
    chosen: dict[str, Any] = defaults | {name: value for name, value in given.items() if value is not None}
    factor = options.timeout_factor
    if options.patience is not None:
        warnings.warn("--patience is now called --timeout-factor", FutureWarning, stacklevel=2)
        factor = options.patience if factor is None else factor
    if factor is not None:
        if factor < 0:
            raise UserError(f"--timeout-factor must not be below 0, not {factor}")
        chosen["timeout_factor"] = factor or None
    return Limits(**chosen)


def _print_summary(summary: dict[str, Any], folder: Path) -> None:
    from codepref.reports.tables import summary_table

    print(summary_table(summary))
    print(folder / "summary.json")
    print(folder / "report.html")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
