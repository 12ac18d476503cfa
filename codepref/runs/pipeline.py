"""A recipe, whole: problems -> samples -> verdicts -> pairs -> checkpoint -> scores -> report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from codepref.config import ONLINE
from codepref.errors import GateError
from codepref.evaluation.audit import audit_pairs
from codepref.evaluation.evaluate import evaluate_model
from codepref.execution.execute import execute_into, read_verdicts
from codepref.judging.artifact import read_judgments
from codepref.pairing.artifact import read_pairs, write_pairs
from codepref.pairing.pair import PairSet, pair
from codepref.pairing.pair_rated import RATING_RULES, pair_rated
from codepref.problems.answers import iter_solutions, load_tests
from codepref.problems.contamination import answer_text, overlaps
from codepref.problems.load import read_rows
from codepref.records import Message
from codepref.runs import feedback
from codepref.runs.directory import Result
from codepref.runs.files import write_json
from codepref.runs.judging import judge_file, judge_samples, rate_evaluation
from codepref.runs.plan import labels, plan, round_prefix
from codepref.runs.work import Work
from codepref.sampling.backends import Decoding
from codepref.sampling.probes import with_probes
from codepref.sampling.sample import sample
from codepref.training.demonstrations import examples_from_rows
from codepref.training.kto_rows import Examples, examples_from_verdicts
from codepref.training.online import train_online
from codepref.training.train import train_on


def stage_problems(work: Work) -> Result:
    """contamination.json: which training problems were left out, since they hold a held-out one."""
    write_json(work.out / "contamination.json", [asdict(one) for one in work.contaminated])
    dropped = Counter(f"holds a held-out problem (its {one.kind})" for one in work.contaminated)
    return {"train": len(work.train), "heldout": len(work.heldout), "dropped": dict(sorted(dropped.items()))}


def stage_solutions(work: Work) -> Result:
    """samples/solutions.jsonl: the policy's own solutions of the training problems."""
    rows = _sample(work, "solutions", work.recipe.sampling.solutions)
    texts = [(row["task_id"], row["solution"]) for row in rows]
    dropped: Counter[str] = Counter()
    dropped["no code in the answer"] = sum(not text for _, text in texts)
    dropped["cut at max_new_tokens (kept when code is whole)"] = sum(not row["finished"] for row in rows)
    return {"sampled": len(rows), "distinct": len({t for t in texts if t[1]}), "dropped": _positive(dropped)}


def stage_tests(work: Work) -> Result:
    """samples/tests.jsonl: raw test completions; what can be extracted from them is counted here."""
    rows = _sample(work, "tests", work.recipe.sampling.tests)
    loaded = load_tests(_tests_file(work), work.train, per_completion=work.recipe.sampling.tests_per_completion)
    kept = [test for tests in loaded.tests.values() for test in tests]
    return {
        "completions": len(rows),
        "extracted": sum(test.count for test in kept),
        "distinct": len(kept),
        "dropped": _positive(loaded.dropped),
    }


def stage_execute(work: Work) -> Result:
    """verdicts/: the solutions against their own tests (dstc) or against the problems' (all-tests)."""
    tests = None
    if work.self_tested:
        settings = work.recipe.sampling
        tests = load_tests(_tests_file(work), work.train, per_completion=settings.tests_per_completion).tests
        if work.recipe.pairing.rule == "agreement":
            tests = with_probes(work.train, tests, settings.probes, seed=work.seed("probes"))
    return _execute_samples(work, work.folder / "verdicts", tests, "verdicts")


def stage_respond(work: Work) -> Result:
    """responses.jsonl: the pool's answers to the instructions."""
    return feedback.respond(
        work.tasks, work.recipe, work.out, work.seed("respond"), work.progress_for("respond: answers")
    )


def stage_judge(work: Work) -> Result:
    """judgments.jsonl: the recipe's judge on the same solutions, or on the pool's responses."""
    judge, model = work.recipe.judge, work.policy
    samples = work.folder / "samples" / "solutions.jsonl"
    if judge.model == "rubric":
        if work.by_feedback:
            return judge_file(work.train, work.folder / feedback.RESPONSES, judge, work.folder / feedback.JUDGMENTS)
        return judge_samples(work.train, samples, judge, model, work.folder / feedback.JUDGMENTS)
    if not work.by_feedback:
        template = work.recipe.sampling.solution_template
        feedback.samples_as_responses(work.train, template, samples, judge.preferences, model, work.folder)
    return feedback.judge_responses(judge, work.folder, work.seed("judge"), work.progress_for("judge: questions"))


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
        "template": feedback.PLAIN if work.by_feedback else work.recipe.sampling.solution_template,
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
        counts = _execute_samples(work, folder, None, "true verdicts (for the report only)")
    audit = audit_pairs(pairs, read_verdicts(folder), problems_total=len(work.train), seed=work.seed("audit"))
    return asdict(audit) | {"verdicts": counts.get("verdicts", {})}


def stage_sft(work: Work) -> Result:
    """sft/: the model after supervised fine-tuning, from which preferences are trained."""
    section = work.recipe.sft
    trained = train_on(
        _demonstrations(work),
        work.recipe.model.path,
        work.out / "sft",
        section.training(),
        seed=work.seed("sft"),
        dtype=work.recipe.model.dtype,
        device=work.recipe.model.device,
        progress=work.progress_for("sft: steps"),
    )
    return asdict(trained) | {"model": "sft"}


def _demonstrations(work: Work) -> Examples:
    section = work.recipe.sft
    if section.data == "passing":
        settings = work.recipe.pairing
        return examples_from_verdicts(
            read_verdicts(work.folder / "verdicts"),
            work.train,
            template=work.recipe.sampling.solution_template,
            fence=settings.fence,
            allow_shared=settings.allow_shared,
            seed=work.seed("sft"),
        )
    given = examples_from_rows(read_rows(section.data), limit=section.limit)
    if work.recipe.problems.contamination == "keep":
        return given
    named = {str(place): example for place, example in enumerate(given.examples)}
    texts = (answer_text(name, _content(one.prompt), _content(one.completion)) for name, one in named.items())
    found = overlaps(texts, work.heldout)
    for one in found:
        del named[one.name]
    reason = "answer left out: holds a held-out problem"
    return Examples(list(named.values()), given.dropped | ({reason: len(found)} if found else {}))


def _content(messages: Sequence[Message]) -> str:
    return "\n".join(message["content"] for message in messages)


def stage_train(work: Work) -> Result:
    """checkpoint/: the aligned model."""
    settings, last = work.recipe.training, work.round == work.recipe.training.rounds
    how: dict[str, Any] = {
        "seed": work.seed("train"),
        "dtype": work.recipe.model.dtype,
        "device": work.recipe.model.device,
        "progress": work.progress_for("train: steps"),
        "watch": work.probing(),
    }
    if settings.method in ONLINE:
        return _train_online(work, how)
    if not last:  # the next round trains an adapter of its own, on a whole model
        settings = replace(settings, merge_adapter=True)
    trained = train_on(
        read_pairs(work.folder / "pairs.parquet"),
        work.start,
        work.folder / "checkpoint",
        settings,
        **how,
    )
    return asdict(trained) | {"model": "checkpoint"}


def _train_online(work: Work, how: dict[str, Any]) -> Result:
    trained = train_online(
        [problem for problem in work.train if problem.tests],
        work.start,
        work.folder / "checkpoint",
        work.recipe.training,
        work.recipe.online,
        template=work.recipe.sampling.solution_template,
        limits=work.limits,
        jobs=work.recipe.execution.jobs or None,
        unconfined=work.unconfined,
        **how,
    )
    return asdict(trained) | {"model": "checkpoint"}


def stage_evaluate(work: Work, label: str, model: str) -> Result:
    """evaluation/LABEL/: scores on held-out problems, and the judge's ratings of the same answers."""
    settings = work.recipe.evaluation
    evaluate_model(
        work.heldout,
        model,
        samples=settings.samples,
        decoding=Decoding(settings.temperature, settings.top_p, settings.max_new_tokens),
        ks=settings.k,
        template=work.recipe.sampling.solution_template,
        batch_size=work.recipe.sampling.batch_size,
        # The same seed for both models: common random numbers make the paired comparison sharper.
        seed=replace(work, round=1).seed("evaluate"),
        limits=replace(work.limits, patience=None),
        jobs=work.recipe.execution.jobs or None,
        unconfined=work.unconfined,
        label=label,
        out=work.out / "evaluation" / label,
        dtype=work.recipe.model.dtype,
        device=work.recipe.model.device,
        progress_for=work.progress_for,
    )
    if work.recipe.judge.model == "rubric":
        seed = work.recipe.seed
        rate_evaluation(work.heldout, work.out / "evaluation" / label, work.recipe.judge, label, seed)
    return {"scores": f"evaluation/{label}/scores.json"}


def stage_grade(work: Work, label: str, model: str) -> Result:
    """grading/LABEL/: the judge's grades on the recipe's benchmark."""
    progress = work.progress_for(f"grade {label}")
    return feedback.grade(work.recipe, label, model, work.out, replace(work, round=1).seed("grade"), progress)


STAGES: dict[str, Callable[[Work], Result]] = {
    "respond": stage_respond,
    "sample-solutions": stage_solutions,
    "sample-tests": stage_tests,
    "execute": stage_execute,
    "judge": stage_judge,
    "pair": stage_pair,
    "audit": stage_audit,
    "sft": stage_sft,
    "train": stage_train,
}
"""The stages of a round by their names in `codepref.runs.plan`."""


def stages(work: Work) -> list[tuple[str, Callable[[Work], Result]]]:
    """The stages of a run in their order."""
    recipe, planned = work.recipe, plan(work.recipe)
    last = replace(work, round=recipe.training.rounds)
    models = {"base": recipe.model.path, "sft": str(work.out / "sft"), "aligned": str(work.out / "checkpoint")}
    made: dict[str, Callable[[Work], Result]] = {}
    for number in range(1, recipe.training.rounds + 1):
        here = replace(work, round=number)
        for name, stage in STAGES.items():
            made[round_prefix(recipe, number) + name] = partial(_in_round, stage=stage, here=here)
    for label in labels(recipe):
        for name, measure in (("evaluate", stage_evaluate), ("grade", stage_grade)):
            stage = partial(measure, label=label, model=models[label])
            made[f"{name}-{label}"] = partial(_in_round, stage=stage, here=last)
    return [(name, made[name]) for name in planned]


def _in_round(_: Work, *, stage: Callable[[Work], Result], here: Work) -> Result:
    return stage(here)


def _sample(work: Work, kind: str, n: int) -> list[dict[str, Any]]:
    settings = work.recipe.sampling
    return sample(
        work.train,
        work.policy,
        kind=kind,
        n=n,
        decoding=Decoding(settings.temperature, settings.top_p, settings.max_new_tokens),
        template=settings.solution_template if kind == "solutions" else settings.test_template,
        seed=work.seed(f"sample-{kind}"),
        batch_size=settings.batch_size,
        out=work.folder / "samples" / f"{kind}.jsonl",
        dtype=work.recipe.model.dtype,
        device=work.recipe.model.device,
        progress=work.progress_for(f"sample {kind}: answers"),
    )


def _execute_samples(work: Work, out: Path, tests: Any, label: str) -> Result:
    summary = execute_into(
        work.train,
        iter_solutions(work.folder / "samples" / "solutions.jsonl", work.train),
        tests,
        out=out,
        limits=work.limits,
        jobs=work.recipe.execution.jobs or None,
        unconfined=work.unconfined,
        progress=work.progress_for(f"{label}: solutions"),
    )
    return {"cells": summary["cells"], "verdicts": summary["verdicts"]}


def _tests_file(work: Work) -> Path:
    return work.folder / "samples" / "tests.jsonl"


def _positive(counts: Any) -> dict[str, int]:
    return {reason: count for reason, count in counts.items() if count}
