"""The commands for whole runs: demo, run, status, show, report, push.

`status` also describes an execution or a sampling.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codepref.cli.options import Parser, add_overrides, add_sandbox
from codepref.cli.output import log
from codepref.errors import GateError


def add_demo(parser: Parser) -> None:
    """Add the options of `codepref demo`."""
    parser.add_argument("--recipe", default="dstc-dpo", help="name of a recipe for the starter (default %(default)s)")
    parser.add_argument("--out", help="run directory (default runs/demo-RECIPE)")
    parser.add_argument("--seed", type=int, help="seed of the run (default: the recipe's seed)")
    add_overrides(parser)
    add_sandbox(parser)
    parser.set_defaults(command=demo)


def add_run(parser: Parser) -> None:
    """Add the options of `codepref run`."""
    parser.add_argument("recipe", help="a TOML file, or the name of a recipe that ships with codepref")
    parser.add_argument("--out", help="run directory (default runs/NAME); an interrupted run in it is continued")
    parser.add_argument("--seed", type=int, help="seed of the run, instead of the recipe's seed")
    add_overrides(parser)
    add_sandbox(parser)
    parser.set_defaults(command=run)


def add_status(parser: Parser) -> None:
    """Add the options of `codepref status`."""
    parser.add_argument("dir", help="run directory, or what --out of codepref execute or codepref sample names")
    parser.set_defaults(command=status)


def add_show(parser: Parser) -> None:
    """Add the options of `codepref show`."""
    parser.add_argument("dir", help="run directory")
    parser.add_argument("task_id", help="task_id of the problem or instruction, as in the run's files")
    parser.set_defaults(command=show)


def add_report(parser: Parser) -> None:
    """Add the options of `codepref report`."""
    parser.add_argument("dir", help="run directory")
    parser.set_defaults(command=report)


def add_push(parser: Parser) -> None:
    """Add the options of `codepref push`."""
    parser.add_argument("dir", help="directory of a finished run")
    parser.add_argument("--model", default="", metavar="OWNER/NAME", help="repository for the run's checkpoint")
    parser.add_argument("--dataset", default="", metavar="OWNER/NAME", help="repository for the run's pairs")
    parser.add_argument(
        "--public", action="store_true", help="make the repositories that are created public (default: private)"
    )
    parser.add_argument(
        "--anyway", action="store_true", help="push the model even if it was not promoted or not measured"
    )
    parser.set_defaults(command=push)


def demo(options: Namespace) -> None:
    """Run `codepref demo`."""
    from codepref.runs.run import demo as work

    _run(work, options, Path(options.out or f"runs/demo-{options.recipe}"))


def run(options: Namespace) -> None:
    """Run `codepref run`."""
    from codepref.runs.run import run as work

    _run(work, options, Path(options.out or Path("runs") / Path(options.recipe).stem))


def _run(work: Callable[..., dict[str, Any]], options: Namespace, folder: Path) -> None:
    from codepref.reports.tables import summary_table

    summary = work(
        options.recipe,
        folder,
        seed=options.seed,
        overrides=options.overrides,
        unconfined=options.unconfined,
        log=log,
    )
    print(summary_table(summary))
    print(folder / "summary.json")
    print(folder / "report.html")
    if summary["gate"] and not summary["gate"]["promoted"]:
        raise GateError(f"not promoted: {summary['gate']['reasons'][0]}. All reasons are in {folder / 'not-promoted'}")


def status(options: Namespace) -> None:
    """Run `codepref status`."""
    from codepref.runs.inspect import status_lines

    print("\n".join(status_lines(Path(options.dir))))


def show(options: Namespace) -> None:
    """Run `codepref show`."""
    from codepref.runs.show import show_lines

    print("\n".join(show_lines(Path(options.dir), options.task_id)))


def report(options: Namespace) -> None:
    """Run `codepref report`."""
    from codepref.reports.html import write_report
    from codepref.runs.summary import refresh_summary

    folder = Path(options.dir)
    refresh_summary(folder)
    print(write_report(folder))


def push(options: Namespace) -> None:
    """Run `codepref push`."""
    from codepref.hub.push import push as work

    pushed = work(
        options.dir, model=options.model, dataset=options.dataset, public=options.public, anyway=options.anyway
    )
    for address in pushed.addresses.values():
        print(address)
