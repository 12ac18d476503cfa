"""The command that describes a source of problems: inspect."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from codepref.cli.options import Parser, add_sandbox, add_seed, add_strict, add_where
from codepref.errors import UserError
from codepref.storage.files import check_target, write_text
from codepref.storage.progress import ProgressLine


def add_inspect(parser: Parser) -> None:
    """Add the options of `codepref inspect`."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="file, folder, hub name, owner/name/path/file.jsonl@revision or starter:SPLIT; options may follow after #",
    )
    add_where(parser, "source")
    parser.add_argument(
        "--limit",
        type=int,
        help="inspect only the first N problems; 0 reads all, and runs tests only with --gold (default: all)",
    )
    parser.add_argument(
        "--gold",
        default=None,
        metavar="N",
        help="run the tests of N problems, drawn at random, against their gold solutions and against programs that do "
        "nothing; all, or 0 for none (default 200; with --write all)",
    )
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="SOURCE",
        help="benchmark to compare the problems with, to find contamination; may be repeated",
    )
    parser.add_argument("--write", metavar="FILE", help="write the good problems to FILE, in codepref's own format")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of a table")
    parser.add_argument("--html", metavar="FILE", help="write the figures to FILE as one HTML page")
    add_strict(parser)
    add_seed(parser)
    parser.add_argument(
        "--cpu-seconds", type=float, default=3.0, help="CPU time limit of one test (default %(default)g)"
    )
    parser.add_argument("--jobs", type=int, help="number of workers (default: one per core)")
    add_sandbox(parser)
    parser.set_defaults(command=inspect)


def inspect(options: Namespace) -> None:
    """Run `codepref inspect`."""
    from codepref import api
    from codepref.execution.limits import Limits
    from codepref.reports.inspection import inspection_lines, render_inspection

    if options.html:
        check_target(Path(options.html))
    line = ProgressLine("inspect")

    def progress(word: str, done: int, total: int) -> None:
        line.label = f"inspect: {word}"
        line(done, total)

    figures = api.inspect(
        options.source,
        limit=options.limit,
        gold=_gold(options.gold),
        against=options.against,
        write=options.write,
        limits=Limits(cpu_seconds=options.cpu_seconds),
        jobs=options.jobs,
        unconfined=options.unconfined,
        strict=options.strict,
        seed=options.seed,
        progress=progress,
    )
    line.close()
    if options.html:
        write_text(Path(options.html), render_inspection(figures))
    print(json.dumps(figures, indent=2, ensure_ascii=False) if options.json else "\n".join(inspection_lines(figures)))
    if options.html and not options.json:
        print(options.html)


def _gold(text: str | None) -> int | None:
    if text is None or text == "all":
        return None if text is None else -1
    if not text.isdecimal():
        raise UserError(f"--gold must be a number of problems, or all, not {text!r}")
    return int(text)
