"""The commands that make and compare scores: evaluate, compare."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from codepref.cli.engine_options import add_engine, read_engine
from codepref.cli.options import (
    Parser,
    add_decoding,
    add_device,
    add_limits,
    add_seed,
    add_strict,
    add_where,
    read_limits,
)
from codepref.cli.output import log
from codepref.cli.server_options import add_server, read_server, server_lines
from codepref.storage.files import write_json
from codepref.storage.progress import ProgressLine


def add_evaluate(parser: Parser) -> None:
    """Add the options of `codepref evaluate`."""
    parser.add_argument("--problems", help="file, hub name or starter:SPLIT; not needed with --verdicts")
    add_where(parser, "problems")
    add_strict(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--model", help="folder, hub name or `starter`; with --base-url: the server's name for the model"
    )
    source.add_argument("--solutions", help="file or folder of solutions, in any form that `execute` takes")
    source.add_argument("--verdicts", help="folder that `execute` wrote")
    parser.add_argument(
        "--samples", type=int, default=10, help="number of sampled answers per problem (default %(default)s)"
    )
    parser.add_argument("-k", type=int, nargs="+", default=[1, 10], help="values of k in pass@k (default 1 10)")
    parser.add_argument("--label", default="", help="name of the model, for tables and messages")
    parser.add_argument(
        "--evalplus", metavar="FILE", help="with --solutions or --verdicts: also write EvalPlus's *_eval_results.json"
    )
    add_device(parser)
    parser.add_argument("--out", required=True, help="folder for scores.json")
    add_decoding(parser)
    add_server(parser)
    add_engine(parser)
    add_limits(parser, timeout_factor=0)
    parser.set_defaults(command=evaluate)


def add_compare(parser: Parser) -> None:
    """Add the options of `codepref compare`."""
    parser.add_argument(
        "scores_a", help="the base's scores: scores.json, its folder, or EvalPlus's *_eval_results.json"
    )
    parser.add_argument("scores_b", help="the aligned model's scores, in one of the same forms")
    add_seed(parser)
    parser.add_argument("--out", help="JSON file for the figures")
    parser.set_defaults(command=compare)


def evaluate(options: Namespace) -> None:
    """Run `codepref evaluate`."""
    from codepref import api
    from codepref.cli.execution_notes import note_packages
    from codepref.evaluation.scores import summarise
    from codepref.reports.tables import score_table

    engine = read_engine(options)
    lines: list[ProgressLine] = []

    def progress_for(label: str) -> ProgressLine:
        lines.append(ProgressLine(label))
        return lines[-1]

    problems, wanted = options.problems, set[str]()
    if problems and not options.verdicts:
        loaded = api.load_problems(problems, strict=options.strict)
        note_packages(loaded, log)
        wanted = {problem.task_id for problem in loaded}
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
        limits=read_limits(options, timeout_factor=None),
        jobs=options.jobs,
        unconfined=options.unconfined,
        vacuous_tests=options.vacuous_tests,
        seed=options.seed,
        label=options.label,
        out=options.out,
        dtype=options.dtype,
        device=options.device,
        progress_for=progress_for,
        evalplus=options.evalplus,
        strict=options.strict,
        server=read_server(options, launched=engine is not None),
        engine=engine,
        log=log,
    )
    for line in lines:
        line.close()
    for kind in ("greedy", "sampled") if options.model else ():
        for text in server_lines(Path(options.out) / f"{kind}.jsonl"):
            print(text)
    figures = summarise(scores, seed=options.seed)
    print(score_table({options.label or "scores": [asdict(figure) for figure in figures]}))
    for k in scores.ks:
        if f"pass@{k}" not in {figure.name for figure in figures}:
            log(f"codepref: pass@{k} is left out: no problem has {k} judged samples")
    for reason, count in scores.left_out().items():
        print(f"solutions left out: {count:,} ({reason})")
    if unanswered := sorted(wanted - {row.task_id for row in scores.problems}):
        print(f"left out: {len(unanswered):,} of {len(wanted):,} problems have no solution, such as {unanswered[0]}")
    if options.evalplus:
        print(options.evalplus)
    print(Path(options.out) / "scores.json")


def compare(options: Namespace) -> None:
    """Run `codepref compare` on two score files or two files of grades."""
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
    rows = [asdict(item) | {"problems_needed": needed(item.spread)} for item in compared]
    sides = {
        name: [asdict(score) for score in summarise(scores, seed=options.seed)]
        for name, scores in (("base", a), ("aligned", b))
    }
    print(score_table(sides, rows))
    print("\n" + power_table(rows))
    if differing := differing_conditions(a, b):
        print(f"note: the two evaluations differ in {', '.join(differing)}")
    if options.out:
        write_json(Path(options.out), rows)
        print(options.out)


def _compare_grades(options: Namespace) -> None:
    from codepref.evaluation.graded import compare_grades
    from codepref.evaluation.grades_file import read_grades
    from codepref.evaluation.power import needed
    from codepref.reports.tables import power_table

    a, b = read_grades(Path(options.scores_a)), read_grades(Path(options.scores_b))
    compared = compare_grades(a, b, seed=options.seed)
    print(f"points from 1 to 10 by {a.judge}: {b.label} minus {a.label}")
    for one in compared:
        print(
            f"{one.name}: {one.base:.2f} -> {one.aligned:.2f}, {one.difference:+.2f} "
            f"[{one.low:+.2f}, {one.high:+.2f}], p = {one.p_value:.3g}, {one.n:,} problems"
        )
    rows = [asdict(one) | {"problems_needed": needed(one.spread, (0.1, 0.2, 0.5), unit=1.0)} for one in compared]
    print("\n" + power_table(rows))
    if options.out:
        write_json(Path(options.out), rows)
        print(options.out)
