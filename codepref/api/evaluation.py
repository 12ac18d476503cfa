"""The functions that measure: `codepref.evaluate`, `codepref.compare` and `codepref.audit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codepref.api.execution import execute
from codepref.api.inputs import (
    Pairs,
    Problems,
    Progress,
    Solutions,
    Verdicts,
    default_template,
    load_problems,
    on_server,
    read_matrices,
    read_pair_records,
)
from codepref.api.launched import on_launched
from codepref.config.engine import EngineSection
from codepref.config.sections import EvaluationSection
from codepref.errors import UserError
from codepref.execution.limits import SCORING_LIMITS, Limits
from codepref.records import VacuousTests
from codepref.storage.files import check_target

if TYPE_CHECKING:
    from codepref.config.served import ModelServer
    from codepref.evaluation.audit import Audit
    from codepref.evaluation.comparison import Comparison
    from codepref.evaluation.scores import Scores
    from codepref.sampling.engines import Engine


def audit(pairs: Pairs, verdicts: Verdicts | None = None, *, problems_total: int | None = None, seed: int = 0) -> Audit:
    """Compute how many pairs are right by true tests, and describe the pairs.

    verdicts: the verdicts of true tests on the same solutions. None: the result only describes the pairs.
    problems_total: the number of problems that could have given a pair. `codepref.evaluation.audit` explains the
    figures.
    Raises UserError for pairs or verdicts that cannot be read, and what `audit_pairs` raises.
    """
    from codepref.evaluation.audit import audit_pairs

    matrices = None if verdicts is None else read_matrices(verdicts)
    return audit_pairs(read_pair_records(pairs), matrices, problems_total=problems_total, seed=seed)


def evaluate(
    problems: Problems | None = None,
    *,
    model: str | Engine | None = None,
    solutions: Solutions | None = None,
    verdicts: Verdicts | None = None,
    samples: int = 10,
    k: Sequence[int] = (1, 10),
    temperature: float = EvaluationSection.temperature,
    top_p: float = EvaluationSection.top_p,
    max_new_tokens: int = EvaluationSection.max_new_tokens,
    template: str | None = None,
    batch_size: int = 128,
    limits: Limits | None = None,
    jobs: int | None = None,
    unconfined: bool = False,
    seed: int = 0,
    label: str = "",
    out: str | Path | None = None,
    dtype: str = "auto",
    device: str = "auto",
    progress_for: Callable[[str], Progress] | None = None,
    evalplus: str | Path | None = None,
    vacuous_tests: VacuousTests = "leave-out",
    strict: bool = False,
    base_url: str | Sequence[str] = (),
    server: ModelServer | None = None,
    engine: EngineSection | None = None,
    log: Callable[[str], None] = lambda text: None,
) -> Scores:
    """Compute pass@k of a model, of solutions, or of verdicts.

    Give exactly one of `model`, `solutions` and `verdicts`.
    model: a folder, a GGUF file, a hub name, `starter`, `ENGINE:MODEL`, or an Engine. It answers each problem once
    greedily and `samples` times with `temperature` and `top_p`. The problems' own tests run on the answers.
    solutions: in any form that `execute` takes. The problems' own tests run on them.
    verdicts: a folder that `execute` wrote, or matrices. They need no `problems`.

    out: a folder for scores.json, which `compare` reads, and for the answers and verdicts that the call makes.
    evalplus: a file to write in EvalPlus's format, from `solutions` or `verdicts`; see
    `codepref.evaluation.eval_results`.
    vacuous_tests: as in `execute`.
    strict: refuse a source of problems with a bad row. By default bad rows are left out, with a warning.
    base_url, server, engine, log: as in `codepref.sample`, for a model on a server.
    Raises UserError for wrong or missing input, and what sampling and `execute` raise.
    """
    from codepref.evaluation.eval_results import write_eval_results
    from codepref.evaluation.evaluate import evaluate_model, evaluate_verdicts
    from codepref.sampling.engines import Decoding

    if sum(source is not None for source in (model, solutions, verdicts)) != 1:
        raise UserError("give exactly one of model, solutions and verdicts")
    if verdicts is None and problems is None:
        raise UserError("the problems are missing: give `problems` (--problems), since a model or solutions need them")
    if model is None:
        _check_no_server(bool(base_url or server), bool(engine))
    _check_figures(k, samples, of_model=model is not None, evalplus=evalplus)
    folder = Path(out) if out else None
    matrices = None if verdicts is None else read_matrices(verdicts)
    if solutions is not None:
        matrices = execute(
            problems or (),
            solutions,
            out=folder / "verdicts" if folder else None,
            limits=limits or SCORING_LIMITS,
            jobs=jobs,
            unconfined=unconfined,
            strict=strict,
            progress=progress_for("verdicts") if progress_for else None,
            vacuous_tests=vacuous_tests,
        )
    if matrices is not None:
        if evalplus is not None:
            source = Path(problems) if isinstance(problems, str | Path) else None
            write_eval_results(Path(evalplus), matrices, source)
        return evaluate_verdicts(matrices, ks=k, seed=seed, label=label, out=folder)
    assert model is not None
    assert problems is not None
    chosen = on_server(model, base_url, server, log)
    template = default_template(template, chosen, "solutions")
    place = folder / "server" if folder else None
    with on_launched(chosen, engine, calls=server, folder=place, log=log, dtype=dtype) as answering:
        return evaluate_model(
            load_problems(problems, strict=strict),
            answering,
            samples=samples,
            decoding=Decoding(temperature, top_p, max_new_tokens),
            ks=k,
            template=template,
            batch_size=batch_size,
            seed=seed,
            limits=limits,
            jobs=jobs,
            unconfined=unconfined,
            label=label,
            out=folder,
            dtype=dtype,
            device=device,
            progress_for=progress_for,
            vacuous_tests=vacuous_tests,
        )


def _check_no_server(address: bool, engine: bool) -> None:
    """Raise UserError if a server is named although there is no model.

    address: whether the server's address or settings of calls are given. engine: whether an [engine] is given.
    """
    if address:
        raise UserError("base_url (--base-url) and server are for a model on a server: give `model` (--model) too")
    if engine:
        raise UserError("engine (--engine) starts a server for a model: give `model` (--model) too")


def _check_figures(k: Sequence[int], samples: int, *, of_model: bool, evalplus: str | Path | None) -> None:
    """Raise UserError for a `k` below 1 and for an `evalplus` path that cannot be a file.

    For a model, also raise UserError for `samples` below 1 and for any `evalplus` path. This check comes before the
    model answers and before a solution runs.
    """
    if below := [one for one in k if one < 1]:
        raise UserError(f"k must be at least 1 in pass@k, not {below[0]}")
    if of_model and samples < 1:
        raise UserError(f"samples must be at least 1, not {samples}")
    if evalplus is not None:
        check_target(Path(evalplus))
        if of_model:
            raise UserError(
                "an EvalPlus file is written from solutions or verdicts, not from a model. Sample solutions with "
                "`codepref sample` first, and evaluate those"
            )


def compare(a: Scores | str | Path, b: Scores | str | Path, *, seed: int = 0) -> list[Comparison]:
    """Return the differences b - a of two score files (or Scores), paired by problem.

    Each difference has an interval and a p-value. Raises UserError for a file that cannot be read, for scores on
    different problems, and for scores without a common figure.
    """
    from codepref.evaluation.scores import compare as work

    return work(a, b, seed=seed)
