"""`codepref.inspect` describes a source of problems, and writes its good problems in codepref's own format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codepref.api.inputs import Problems, load_problems
from codepref.errors import UserError
from codepref.evaluation.inspection import Inspection, Notify
from codepref.execution.limits import Limits
from codepref.problems.formats.own import own_row
from codepref.problems.load import ProblemStream
from codepref.problems.survey import Survey
from codepref.storage.files import check_target, write_jsonl

GOLD = 200
"""The largest number of problems whose tests are run by default, if `limit` is not 0 and nothing is written."""


def inspect(
    source: str | Path,
    *,
    limit: int | None = None,
    gold: int | None = None,
    against: Sequence[Problems] = (),
    write: str | Path | None = None,
    limits: Limits | None = None,
    jobs: int | None = None,
    unconfined: bool = False,
    strict: bool = False,
    seed: int = 0,
    progress: Notify | None = None,
) -> dict[str, Any]:
    """Describe a source of problems: its format, the use of its columns, the rows that were left out, and its tests.

    The source is read as a stream, so it need not fit into memory. Only a `.json` file is read as a whole.

    source: a file, a hub name or `starter:SPLIT`, as in `load_problems`. Options may follow after `#`. limit: inspect
    only the first `limit` problems. None and 0 inspect all.
    gold: the largest number of problems, drawn at random with `seed`, whose tests are run: against the gold solution,
    and against programs that do nothing. -1 runs those of all problems, 0 runs none. The default is 0 if `limit` is 0,
    else -1 if `write` is given, else GOLD.
    against: benchmarks. A problem that contains one of their problems overlaps (see
    `codepref.problems.contamination`).
    write: a file of JSON lines for the good problems, in codepref's own format. A problem is good unless its gold
    solution fails or is unjudged, it has no test, its tests prove nothing, or it overlaps with a benchmark. Tests that
    prove nothing are left out. With gold=0 no tests are run, and only overlaps count.
    progress: called with a word for the work, the number of problems that are done, and the number of all, or 0 if it
    is not known.

    Returns the figures as plain JSON values; docs/reference/files.md describes them. Raises UserError for wrong
    arguments, and what `load_problems` and `execute` raise.
    """
    if limit is not None and limit < 0:
        raise UserError(f"the limit must be at least 0, not {limit}")
    if gold is not None and gold < -1:
        raise UserError(f"gold must be a number of problems, 0 for none or -1 for all, not {gold}")
    if write is not None:
        check_target(Path(write))
        if gold is not None and gold > 0:
            raise UserError(
                "to write good problems, the tests of all problems must be run (gold -1, --gold all), or none (gold 0)"
            )
    if gold is None:
        gold = 0 if limit == 0 else -1 if write is not None else GOLD
    benchmarks = {_name(one): load_problems(one) for one in against}
    survey = Survey()
    stream = ProblemStream(source, strict=strict, compact=True, watch=survey.watch)
    work = Inspection(stream, survey, benchmarks, gold=gold, seed=seed, progress=progress or _silent)
    settings = {"limits": limits, "jobs": jobs, "unconfined": unconfined}
    kept = work.good_problems(limit or None, settings)
    written = write_jsonl(Path(write), map(own_row, kept)) if write is not None else sum(1 for _ in kept)
    figures = {"source": str(source), **work.figures()}
    if write is not None:
        figures["written"] = {"file": str(write), "problems": written, "left_out": dict(work.not_written)}
    return figures


def _silent(word: str, done: int, total: int) -> None:
    return


def _name(benchmark: Problems) -> str:
    return str(benchmark) if isinstance(benchmark, str | Path) else "problems"
