"""Reads what the functions of the API accept: a path, records, or rows of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.errors import UserError
from codepref.problems.left_out import ProblemList
from codepref.problems.statements import read_statements
from codepref.records import Judgment, Pair, Problem, Solution, Test, VerdictMatrix

if TYPE_CHECKING:
    from codepref.config.served import ModelServer
    from codepref.sampling.engines import Engine

Progress = Callable[[int, int], None]
"""A function that is called with the numbers (done, total) while the work runs."""

Problems = str | Path | Sequence[Problem]
Solutions = str | Path | Iterable[Solution] | Iterable[Mapping[str, Any]]
Tests = str | Path | Mapping[str, Sequence[Test]]
Verdicts = str | Path | Sequence[VerdictMatrix]
Pairs = Any
"""A path, a hub name, a list of Pair, a PairSet, or rows in a form that `read_pairs` takes (a `datasets.Dataset`)."""


def load_problems(source: Problems, *, limit: int | None = None, strict: bool = False) -> list[Problem]:
    """Load problems from a file, a hub name, `starter:SPLIT`, records, or rows of a known format (`datasets.Dataset`).

    limit: load at most this many problems. Of records or rows, only the first `limit` are used. strict: refuse bad
    rows. By default they are left out, with a warning; the attribute `left_out` of the result describes them. See
    `codepref.problems.load.load_problems` for the formats, and for the errors if `source` is a text or a Path. Raises
    UserError for bad rows if `strict` is set, if all rows are bad, and if none of the first 100 has a known format.
    Records are not checked.
    """
    if isinstance(source, str | Path):
        from codepref.problems.load import load_problems as load

        return load(source, limit=limit, strict=strict)
    if isinstance(source, ProblemList) and limit is None:
        return source
    rows: list[Any] = list(source)[:limit]
    if all(isinstance(row, Problem) for row in rows):
        return rows
    from codepref.problems.load import problems_from_rows

    return problems_from_rows(rows, strict=strict)


def read_solutions(solutions: Solutions, problems: Sequence[Problem]) -> Iterator[Solution]:
    """Return an iterator over the solutions. It reads the source step by step, so the source may be a generator.

    Raises UserError, at once or while the iterator is read, for a file that cannot be read, for malformed rows, for
    items that are neither Solution records nor rows, and for a mixture of both.
    """
    from codepref.sampling.answers import iter_solutions, iter_solutions_from_rows

    if isinstance(solutions, str | Path):
        return iter_solutions(Path(solutions), problems)
    source: Iterator[Any] = iter(solutions)
    first = list(islice(source, 1))
    kind = Solution if first and isinstance(first[0], Solution) else Mapping
    items = (_of_kind(item, kind) for item in chain(first, source))
    return items if kind is Solution else iter_solutions_from_rows(items, problems)


def _of_kind(item: Any, kind: type) -> Any:
    if not isinstance(item, kind):
        raise UserError(
            "solutions must be a path, Solution records, or rows with task_id and completion or solution, not a mixture"
        )
    return item


def read_tests(
    tests: Tests | None, problems: Sequence[Problem], per_completion: int, probes: int
) -> Mapping[str, Sequence[Test]] | None:
    """Return the tests by task. With `probes` above 0, add the probes that `with_probes` makes.

    If `tests` is None and `probes` is 0, return None, which stands for the problems' own tests. per_completion: the
    largest number of tests to take from one completion in a file of tests. Raises UserError for a negative `probes`,
    and for a file that cannot be read or has malformed rows.
    """
    from codepref.sampling.answers import load_tests
    from codepref.sampling.probes import with_probes

    if probes < 0:
        raise UserError(f"probes must be at least 0, not {probes}")
    if isinstance(tests, str | Path):
        tests = load_tests(Path(tests), problems, per_completion=per_completion).tests
    if not probes:
        return tests
    return with_probes(problems, {p.task_id: p.tests for p in problems} if tests is None else tests, probes)


def read_matrices(verdicts: Verdicts) -> Sequence[VerdictMatrix]:
    """Return the verdict matrices in a folder that `execute` wrote. Matrices are returned unchanged."""
    if isinstance(verdicts, str | Path):
        from codepref.execution.execute import read_verdicts

        return read_verdicts(Path(verdicts))
    return verdicts


def read_prompts(verdicts: Verdicts) -> list[Problem]:
    """Return the problems whose statements a folder of verdicts holds.

    Raises UserError for matrices, and for a folder as `read_statements` does.
    """
    if not isinstance(verdicts, str | Path):
        raise UserError("matrices hold no prompts: give `problems` too")
    return read_statements(Path(verdicts))


def read_ratings(judgments: str | Path | Sequence[Judgment]) -> Sequence[Judgment]:
    """Return the judgments in a file or data set. Judgment records are returned unchanged."""
    from codepref.judging.artifact import read_judgments

    return read_judgments(judgments) if isinstance(judgments, str | Path) else judgments


def read_pair_records(pairs: Pairs) -> list[Pair]:
    """Return the pairs as Pair records. pairs: any of the forms that `Pairs` lists."""
    from codepref.pairing.artifact import pairs_from_rows, read_pairs
    from codepref.pairing.pair import PairSet

    if isinstance(pairs, str | Path):
        return read_pairs(pairs)
    if isinstance(pairs, PairSet):
        return pairs.pairs
    rows = list(pairs)
    return rows if all(isinstance(row, Pair) for row in rows) else pairs_from_rows(rows)


def on_server(
    model: str | Engine,
    base_url: str | Sequence[str],
    server: ModelServer | None,
    log: Callable[[str], None],
) -> str | Engine:
    """Return the engine for a model on a server, or `model` unchanged if no address is given.

    Raises UserError for mistakes in the settings, and for an address together with an Engine.
    """
    if not base_url and (server is None or not server.base_url):
        return model
    if not isinstance(model, str):
        raise UserError("with `base_url`, give the server's name for the model as `model`, and not an Engine")
    from codepref.sampling.engines import open_engine

    return open_engine(model, base_url=base_url, server=server, log=log)


def default_template(template: str | None, model: Any, kind: str) -> str | None:
    """Return `template` or, if it is None, the template of this `kind` in the model's folder.

    Return None, which means codepref's default, if neither exists. An Engine and `ENGINE:MODEL`, such as
    `scripted:FILE`, count as models without a folder. Some models, such as the starter, understand only the wording
    that they were trained on, and their folders hold templates with this wording. kind: "solutions" or "tests".
    Raises what `codepref.models.model_templates` raises.
    """
    if template is None and isinstance(model, str) and (":" not in model.partition("/")[0] or Path(model).exists()):
        from codepref.models import model_templates

        return model_templates(model).get(kind)
    return template
