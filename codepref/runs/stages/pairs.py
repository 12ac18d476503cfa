"""The stages `pair`, which selects pairs from verdicts and ratings, and `audit`, which audits the pairs."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from codepref.errors import GateError
from codepref.evaluation.audit import audit_pairs
from codepref.execution.execute import read_verdicts
from codepref.execution.speed import read_speeds
from codepref.judging.artifact import read_judgments
from codepref.pairing.artifact import read_pairs, write_pairs
from codepref.pairing.balance import balanced
from codepref.pairing.pair import PairSet
from codepref.pairing.repair import SUFFIX
from codepref.pairing.rules import load_rule
from codepref.pairing.select import select_pairs
from codepref.problems.contamination import answer_text, overlaps
from codepref.runs.directory import Result
from codepref.runs.instructions import PLAIN
from codepref.runs.stages.choice import chosen, chosen_verdicts
from codepref.runs.stages.verdicts import SPEEDS, execute_samples
from codepref.runs.work import Work, content


def stage_pair(work: Work) -> Result:
    """Select pairs and write pairs.parquet. Raises GateError if there is no pair."""
    result, settings = _pairs(work), work.recipe.pairing
    write_pairs(work.folder / "pairs.parquet", result.pairs)
    if not result.pairs:
        reasons = "; ".join(f"{reason}: {count}" for reason, count in result.dropped.items())
        if source := work.recipe.pairing.source:
            raise GateError(
                f"pairing.source = {source!r} gives no pair to train on ({reasons or 'it is empty'}). Name another "
                "source of pairs"
            )
        raise GateError(
            f"no pair could be made ({reasons}). Sample more answers or more tests per problem, or look at the answers "
            f"with: codepref show {work.out} TASK_ID"
        )
    return {
        "count": len(result.pairs),
        "problems": len({p.task_id for p in result.pairs}),
        "dropped": result.dropped,
        **({"selected": result.selected} if settings.balance_length or settings.max_easy_share < 1 else {}),
        **({"repairs": sum(p.rule.endswith(SUFFIX) for p in result.pairs)} if settings.repair != "none" else {}),
    }


def _pairs(work: Work) -> PairSet:
    settings = work.recipe.pairing
    if settings.source:
        return _ready_pairs(work)
    rule = load_rule(settings.rule)
    return select_pairs(
        chosen(work),
        verdicts=None if work.by_feedback else chosen_verdicts(work),
        judgments=read_judgments(work.folder / "judgments.jsonl") if rule.ratings else None,
        speeds=read_speeds(work.folder / SPEEDS) if rule.speed else None,
        template=PLAIN if work.by_feedback else work.recipe.sampling.solution_template,
        seed=work.seed("pair"),
        **{key: value for key, value in asdict(settings).items() if key != "source"},
    )


def _ready_pairs(work: Work) -> PairSet:
    """Return the pairs of `pairing.source`, balanced by length if the recipe says so.

    Pairs whose prompt or chosen answer contains a held-out problem are left out, unless `problems.contamination` is
    "keep".
    """
    settings, dropped = work.recipe.pairing, Counter[str]()
    pairs = read_pairs(settings.source)
    if work.recipe.problems.contamination != "keep":
        texts = (answer_text(str(place), content(one.prompt), content(one.chosen)) for place, one in enumerate(pairs))
        names = {overlap.name for overlap in overlaps(texts, work.heldout)}
        pairs = [one for place, one in enumerate(pairs) if str(place) not in names]
        dropped.update({"pair left out: holds a held-out problem": len(names)} if names else {})
    balance: dict[str, Any] = {"balance_length": settings.balance_length, "seed": work.seed("pair"), "dropped": dropped}
    return PairSet(balanced(pairs, {}, max_easy_share=1.0, **balance), dict(dropped), len(pairs))


def stage_audit(work: Work) -> Result:
    """Describe the pairs. If training problems have true tests, measure how many pairs are right by these tests.

    Ready pairs, which `pairing.source` names, are only described. In a run on self-written tests, this stage runs the
    true tests. No other stage uses their verdicts.
    """
    tested = [problem for problem in work.train if problem.tests]
    pairs = read_pairs(work.folder / "pairs.parquet")
    if not pairs:
        return {"judged": 0, "verdicts": {}}
    if not tested or work.recipe.pairing.source:
        shape = audit_pairs(pairs, None, problems_total=len(work.train), seed=work.seed("audit"))
        return asdict(shape) | {"verdicts": {}}
    counts: Result = {}
    folder = work.folder / "verdicts"
    if work.self_tested:
        folder = work.folder / "audit"
        counts = execute_samples(work, folder, None, "true verdicts (for the report only)")
    audit = audit_pairs(pairs, read_verdicts(folder), problems_total=len(work.train), seed=work.seed("audit"))
    return asdict(audit) | {"verdicts": counts.get("verdicts", {})}
