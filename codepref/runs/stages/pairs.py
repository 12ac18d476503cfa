"""Verdicts and ratings in, pairs out, and how right they are."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from codepref.errors import GateError
from codepref.evaluation.audit import audit_pairs
from codepref.execution.execute import read_verdicts
from codepref.judging.artifact import read_judgments
from codepref.pairing.artifact import read_pairs, write_pairs
from codepref.pairing.pair import PairSet, pair
from codepref.pairing.pair_rated import RATING_RULES, pair_rated
from codepref.runs.directory import Result
from codepref.runs.instructions import PLAIN
from codepref.runs.stages.verdicts import execute_samples
from codepref.runs.work import Work


def stage_pair(work: Work) -> Result:
    """pairs.parquet."""
    made = _pairs(work)
    write_pairs(work.folder / "pairs.parquet", made.pairs)
    if not made.pairs:
        reasons = "; ".join(f"{reason}: {count}" for reason, count in made.dropped.items())
        raise GateError(
            f"no pair could be made ({reasons}). Sample more solutions or tests a problem, or look at the answers "
            f"with: codepref show {work.out} TASK_ID"
        )
    return {
        "count": len(made.pairs),
        "problems": len({p.task_id for p in made.pairs}),
        "dropped": made.dropped,
    }


def _pairs(work: Work) -> PairSet:
    settings = work.recipe.pairing
    common: dict[str, Any] = {
        "rule": settings.rule,
        "max_pairs_per_problem": settings.max_pairs_per_problem,
        "min_confidence": settings.min_confidence,
        "max_share": settings.max_share,
        "max_length_ratio": settings.max_length_ratio,
        "template": PLAIN if work.by_feedback else work.recipe.sampling.solution_template,
        "allow_shared": settings.allow_shared,
        "seed": work.seed("pair"),
    }
    verdicts = None if work.by_feedback else read_verdicts(work.folder / "verdicts")
    if settings.rule not in RATING_RULES:
        return pair(verdicts or (), work.train, draws=settings.draws, fence=settings.fence, **common)
    return pair_rated(
        read_judgments(work.folder / "judgments.jsonl"),
        verdicts,
        work.train,
        margin=settings.margin,
        correctness_pairs=settings.correctness_pairs,
        **common,
    )


def stage_audit(work: Work) -> Result:
    """How right the pairs are, by true tests that no stage before or after looks at."""
    tested = [problem for problem in work.train if problem.tests]
    pairs = read_pairs(work.folder / "pairs.parquet")
    if not pairs:
        return {"judged": 0, "verdicts": {}}
    if not tested:
        shape = audit_pairs(pairs, None, problems_total=len(work.train), seed=work.seed("audit"))
        return asdict(shape) | {"verdicts": {}}
    counts: Result = {}
    folder = work.folder / "verdicts"
    if work.self_tested:
        folder = work.folder / "audit"
        counts = execute_samples(work, folder, None, "true verdicts (for the report only)")
    audit = audit_pairs(pairs, read_verdicts(folder), problems_total=len(work.train), seed=work.seed("audit"))
    return asdict(audit) | {"verdicts": counts.get("verdicts", {})}
