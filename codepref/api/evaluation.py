"""`codepref.evaluate`, `codepref.compare` and `codepref.audit`: scores, their differences, and how right pairs are."""

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
    read_matrices,
    read_pair_records,
)
from codepref.config.sections import EvaluationSection
from codepref.errors import UserError
from codepref.execution.limits import SCORING_LIMITS, Limits
from codepref.storage.files import check_target

if TYPE_CHECKING:
    from codepref.evaluation.audit import Audit
    from codepref.evaluation.comparison import Comparison
    from codepref.evaluation.scores import Scores
    from codepref.sampling.engines import Engine


def audit(pairs: Pairs, verdicts: Verdicts | None = None, *, problems_total: int | None = None, seed: int = 0) -> Audit:
    """Say how many pairs are right by true tests, and describe the pairs.

    verdicts: of the same solutions on true tests; without them the result holds the description alone. problems_total:
    the number of problems that could have given a pair. See `codepref.evaluation.audit` for the figures.
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
) -> Scores:
    """Compute pass@k of a model, of solutions, or of verdicts, by the problems' own tests.

    Give one of three. model: it answers each problem once greedily and `samples` times by sampling. solutions: in any
    form that `execute` takes. verdicts: a folder that `execute` wrote, or matrices. out: a folder for scores.json,
    which `compare` reads. evalplus: a file for the verdicts on solutions in EvalPlus's format; see
    `codepref.evaluation.eval_results`. Raises UserError for wrong or missing input.
    """
    from codepref.evaluation.eval_results import write_eval_results
    from codepref.evaluation.evaluate import evaluate_model, evaluate_verdicts
    from codepref.sampling.engines import Decoding

    if sum(source is not None for source in (model, solutions, verdicts)) != 1:
        raise UserError("give one of model, solutions and verdicts")
    if verdicts is None and problems is None:
        raise UserError("problems are needed to evaluate a model or solutions (--problems)")
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
            progress=progress_for("verdicts") if progress_for else None,
        )
    if matrices is not None:
        if evalplus is not None:
            source = Path(problems) if isinstance(problems, str | Path) else None
            write_eval_results(Path(evalplus), matrices, source)
        return evaluate_verdicts(matrices, ks=k, seed=seed, label=label, out=folder)
    assert model is not None
    assert problems is not None
    return evaluate_model(
        load_problems(problems),
        model,
        samples=samples,
        decoding=Decoding(temperature, top_p, max_new_tokens),
        ks=k,
        template=default_template(template, model, "solutions"),
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
    )


def _check_figures(k: Sequence[int], samples: int, *, of_model: bool, evalplus: str | Path | None) -> None:
    """Raise UserError for figures that could not be computed, before the model answers or a solution runs."""
    if below := [one for one in k if one < 1]:
        raise UserError(f"pass@{below[0]}: k must be at least 1")
    if of_model and samples < 1:
        raise UserError(f"samples must be at least 1, not {samples}")
    if evalplus is not None:
        check_target(Path(evalplus))
        if of_model:
            raise UserError(
                "EvalPlus's results hold solutions or verdicts, not a model: draw the samples first, "
                "with `codepref sample`"
            )


def compare(a: Scores | str | Path, b: Scores | str | Path, *, seed: int = 0) -> list[Comparison]:
    """Return the paired differences b - a of two score files (or Scores) of the same problems.

    Each difference has an interval and a p-value.
    """
    from codepref.evaluation.scores import compare as work

    return work(a, b, seed=seed)
