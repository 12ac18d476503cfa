"""Samples solutions. With an output file, they are read from it one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from codepref.records import Problem, Solution
from codepref.sampling.answers import iter_solutions, solutions_from_rows
from codepref.sampling.engines import Decoding, Engine
from codepref.sampling.sample import Progress, sample, sample_to_file


def sampled_solutions(
    problems: Sequence[Problem],
    engine: Engine,
    *,
    n: int,
    decoding: Decoding,
    template: str | None,
    seed: int,
    batch_size: int,
    out: Path | None,
    progress: Progress | None,
) -> Iterable[Solution]:
    """Sample `n` solutions of each problem, and return them.

    With `out`, they are read from this file as they are used, and are not kept in memory. The arguments and the errors
    are those of `codepref.sampling.sample.sample`, or with `out` those of `sample_to_file`.
    """
    if out is None:
        rows = sample(
            problems,
            engine,
            n=n,
            decoding=decoding,
            template=template,
            seed=seed,
            batch_size=batch_size,
            progress=progress,
        )
        return solutions_from_rows(rows, problems)
    sample_to_file(
        problems,
        engine,
        out,
        n=n,
        decoding=decoding,
        template=template,
        seed=seed,
        batch_size=batch_size,
        progress=progress,
    )
    return iter_solutions(out, problems)
