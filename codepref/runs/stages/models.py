"""Stages that train: demonstrations, pairs or problems become models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from codepref.execution.execute import read_verdicts
from codepref.pairing.artifact import read_pairs
from codepref.problems.contamination import answer_text, overlaps
from codepref.problems.load import read_rows
from codepref.records import Message
from codepref.runs.directory import Result
from codepref.runs.work import Work
from codepref.training.checks import ONLINE
from codepref.training.demonstrations import examples_from_rows
from codepref.training.kto_rows import Examples, examples_from_verdicts
from codepref.training.online import train_online
from codepref.training.train import train_on


def stage_sft(work: Work) -> Result:
    """Write sft/: the model after supervised fine-tuning, from which preference training starts."""
    section = work.recipe.sft
    result = train_on(
        _demonstrations(work),
        work.recipe.model.path,
        work.out / "sft",
        section.training(),
        seed=work.seed("sft"),
        dtype=work.recipe.model.dtype,
        device=work.recipe.model.device,
        progress=work.progress_for("sft: steps"),
    )
    return asdict(result) | {"model": "sft"}


def _demonstrations(work: Work) -> Examples:
    """Return the demonstrations without those that hold a held-out problem, unless the recipe keeps them."""
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
    loaded = examples_from_rows(read_rows(section.data), limit=section.limit)
    if work.recipe.problems.contamination == "keep":
        return loaded
    by_name = {str(place): example for place, example in enumerate(loaded.examples)}
    texts = (answer_text(name, _content(one.prompt), _content(one.completion)) for name, one in by_name.items())
    contaminated = overlaps(texts, work.heldout)
    for overlap in contaminated:
        del by_name[overlap.name]
    dropped = {"answer left out: holds a held-out problem": len(contaminated)} if contaminated else {}
    return Examples(list(by_name.values()), loaded.dropped | dropped)


def _content(messages: Sequence[Message]) -> str:
    return "\n".join(message["content"] for message in messages)


def stage_train(work: Work) -> Result:
    """Write checkpoint/: the aligned model of this round."""
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
    if not last:  # the next round trains a new adapter, which needs a whole model
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
