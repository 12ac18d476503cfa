"""Scores a model, or verdicts of its solutions, on problems with true tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from codepref.config.scale import ScaleSection
from codepref.config.templates import SOLUTION_TEMPLATE
from codepref.evaluation.scores import Kind, Scores, merge, scores_from_verdicts, write_scores
from codepref.execution.execute import execute
from codepref.execution.limits import SCORING_LIMITS, Limits
from codepref.records import Problem, VacuousTests, VerdictMatrix
from codepref.sampling.engines import Decoding, Engine
from codepref.sampling.sample import Progress, engine_facts, open_replicas
from codepref.sampling.sampled import sampled_solutions
from codepref.storage.files import content_hash

ProgressFor = Callable[[str], Progress]


def evaluate_model(
    problems: Sequence[Problem],
    model: str | Engine,
    *,
    samples: int = 10,
    decoding: Decoding | None = None,
    ks: Sequence[int] = (1, 10),
    template: str | None = None,
    batch_size: int = 128,
    seed: int = 0,
    limits: Limits | None = None,
    jobs: int | None = None,
    unconfined: bool = False,
    label: str = "",
    out: Path | None = None,
    dtype: str = "auto",
    device: str = "auto",
    progress_for: ProgressFor | None = None,
    vacuous_tests: VacuousTests = "leave-out",
    scale: ScaleSection | None = None,
    log: Callable[[str], None] = lambda text: None,
) -> Scores:
    """Sample answers to each problem, run the problems' own tests, and count the correct answers.

    The model gives one greedy answer to each problem, and `samples` answers that are drawn with `decoding`.
    ks: the values of k for pass@k. limits: the limits of each solution, or None for SCORING_LIMITS. label: the name of
    the model in scores and in the names of the phases. out: a folder for answers, verdicts and scores.json. A second
    call with the same folder continues from its content. vacuous_tests: as in `execute`. scale: where the model answers
    and where solutions run; None means on this machine. log: called with messages about processes and nodes.
    progress_for: a function from the name of a phase to the callback for the progress of this phase.
    Raises what `codepref.sampling.engines.open_engine`, `codepref.sampling.sampled.sampled_solutions` and
    `codepref.execution.execute.execute` raise, and MachineError if scores.json cannot be written.
    """
    engine = open_replicas(model, scale, dtype, device, log)
    decoding = decoding or Decoding()
    parts = []
    kinds: tuple[tuple[Kind, int, Decoding], ...] = (
        ("greedy", 1, replace(decoding, temperature=0.0)),
        ("sampled", samples, decoding),
    )
    for kind, n, how in kinds:
        answers = sampled_solutions(
            problems,
            engine,
            n=n,
            decoding=how,
            template=template,
            seed=int(content_hash(seed, kind)[:8], 16),
            batch_size=batch_size,
            out=out / f"{kind}.jsonl" if out else None,
            progress=progress_for(f"{label} {kind}: answers".strip()) if progress_for else None,
        )
        matrices = execute(
            problems,
            answers,
            out=out / f"{kind}-verdicts" if out else None,
            limits=limits or SCORING_LIMITS,
            jobs=jobs,
            unconfined=unconfined,
            progress=progress_for(f"{label} {kind}: verdicts".strip()) if progress_for else None,
            vacuous_tests=vacuous_tests,
            scale=scale,
            log=log,
        )
        parts.append(scores_from_verdicts(matrices, kind=kind, label=label, ks=ks))
    conditions = vars(decoding) | {"samples": samples, "template": template or SOLUTION_TEMPLATE, "seed": seed}
    facts = engine_facts(engine, out / f"{kinds[-1][0]}.jsonl" if out else None)
    if "engine" in facts:
        conditions |= {"dtype": facts["engine"]["dtype"]}
    return _keep(replace(merge(label, *parts), conditions=conditions), out, seed)


def evaluate_verdicts(
    verdicts: Sequence[VerdictMatrix],
    *,
    ks: Sequence[int] = (1, 10),
    kind: Kind = "sampled",
    seed: int = 0,
    label: str = "",
    out: Path | None = None,
) -> Scores:
    """Return the scores of verdicts, and write scores.json into the folder `out` if it is given.

    ks: the values of k for pass@k. A k gives no figure if every problem has fewer than k solutions of known
    correctness. kind: whether the solutions were sampled or are greedy answers. Raises UserError if a task occurs
    twice or if `out` is a file, and MachineError if scores.json cannot be written for another reason.
    """
    return _keep(scores_from_verdicts(verdicts, kind=kind, label=label, ks=ks), out, seed)


def _keep(scores: Scores, out: Path | None, seed: int) -> Scores:
    if out:
        write_scores(scores, out, seed=seed)
    return scores
