"""The commands of the sandbox: execute, speed, doctor."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from pathlib import Path

from codepref.cli.options import Parser, add_limits, add_problems, add_sandbox, add_scale, read_limits, read_scale
from codepref.cli.output import log
from codepref.errors import UserError
from codepref.storage.progress import ProgressLine


def add_execute(parser: Parser) -> None:
    """Add the options of `codepref execute`."""
    add_problems(parser)
    parser.add_argument(
        "--solutions",
        required=True,
        help='file with rows {"task_id", "completion"} or {"task_id", "solution"}, or in a form of another program, '
        "such as EvalPlus's folder, its *_eval_results.json, or bigcode's generations.json",
    )
    parser.add_argument(
        "--tests",
        help='file of lines {"task_id", "test"} or {"task_id", "completion"} (default: the problems\' own tests)',
    )
    parser.add_argument(
        "--tests-per-completion",
        type=int,
        default=5,
        help="largest number of asserts to keep from one completion (default %(default)s)",
    )
    parser.add_argument(
        "--probes",
        type=int,
        default=0,
        help="about how many calls to add per problem, varied from its tests, at most 16 per test; for the rule "
        "agreement, take about 60 (default 0)",
    )
    parser.add_argument(
        "--out", required=True, help="folder for verdicts.parquet, tests.parquet, summary.json and other files"
    )
    parser.add_argument(
        "--skip-gold",
        action="store_true",
        help="do not check gold solutions; otherwise, without --tests, the gold solutions of most problems with a test "
        "that no solution passed are run",
    )
    add_limits(parser, timeout_factor=20)
    add_scale(parser)
    parser.set_defaults(command=execute)


def add_speed(parser: Parser) -> None:
    """Add the options of `codepref speed`."""
    add_problems(parser)
    parser.add_argument(
        "--verdicts", required=True, help="folder that `execute` wrote, with verdicts of the problems' own tests"
    )
    parser.add_argument("--out", required=True, help="file of JSON lines for the CPU times")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each solution (default %(default)s)")
    parser.add_argument(
        "--inputs",
        type=int,
        default=3,
        help="how many of a problem's inputs to measure on, the largest ones (default %(default)s)",
    )
    parser.add_argument("--cpu-seconds", type=float, help="CPU time limit of one test, in seconds (default 3)")
    parser.add_argument("--memory-mb", type=int, help="memory limit of a solution's process, in MiB (default 1024)")
    add_sandbox(parser)
    parser.set_defaults(command=speed)


def add_doctor(parser: Parser) -> None:
    """Add the option of `codepref doctor`."""
    parser.add_argument(
        "--address",
        help="report on each node of the Ray cluster at this address, auto or HOST:PORT (default: only this machine)",
    )
    parser.set_defaults(command=doctor)


def speed(options: Namespace) -> None:
    """Run `codepref speed`."""
    from codepref import api
    from codepref.execution.limits import Limits

    given = {"cpu_seconds": options.cpu_seconds, "memory_mb": options.memory_mb}
    progress = ProgressLine("speed: problems")
    counts = api.speed(
        options.problems,
        options.verdicts,
        out=options.out,
        repeats=options.repeats,
        inputs=options.inputs,
        limits=Limits(**{name: value for name, value in given.items() if value is not None}),
        unconfined=options.unconfined,
        strict=options.strict,
        progress=progress,
    )
    progress.close()
    print(f"{counts['solutions']:,} right solutions of {counts['problems']:,} problems")
    print(options.out)


def execute(options: Namespace) -> None:
    """Run `codepref execute`."""
    from codepref import api
    from codepref.cli.execution_notes import note_gold, note_infrastructure, note_packages, note_tests, note_vacuous
    from codepref.sampling.answers import load_tests

    if not options.out:
        raise UserError("--out is empty; it must name a folder")
    if options.tests_per_completion < 1:
        raise UserError(f"--tests-per-completion must be at least 1, not {options.tests_per_completion}")
    limits, problems = read_limits(options), api.load_problems(options.problems, strict=options.strict)
    loaded = load_tests(options.tests, problems, per_completion=options.tests_per_completion) if options.tests else None
    note_tests(problems, loaded, log)
    note_packages(problems, log)
    progress = ProgressLine("execute: solutions")
    engine = {"limits": limits, "jobs": options.jobs, "unconfined": options.unconfined}
    engine |= {"vacuous_tests": options.vacuous_tests, "scale": read_scale(options)}
    tests = loaded.tests if loaded else None
    summary = api.execute_into(
        problems, options.solutions, tests, probes=options.probes, out=options.out, progress=progress, log=log, **engine
    )
    progress.close()
    print(f"{summary['problems']:,} problems, {summary['samples']:,} solutions, {summary['cells']:,} verdicts")
    print("  ".join(f"{code} {count:,}" for code, count in Counter(summary["verdicts"]).most_common()))
    print(options.out, flush=True)
    if not summary["samples"]:
        log(f"codepref: {options.solutions} holds no solution")
    note_vacuous(summary, log)
    note_infrastructure(Path(options.out), summary, log)
    if loaded is None and not options.skip_gold:
        note_gold(problems, Path(options.out), log, **engine)


def doctor(options: Namespace) -> None:
    """Run `codepref doctor`."""
    from codepref.execution.doctor import examine

    if options.address is not None:
        from codepref.scale.doctor import examine_nodes

        for line in examine_nodes(options.address):
            print(line, flush=True)
        return
    for line in examine():
        print(line)
