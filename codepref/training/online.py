"""GRPO and RLOO through TRL, with execution as the reward: answers are sampled, run and learnt from in turn.

TRL 1.16 ships no PPO trainer. RLOO (arXiv 2402.14740) and GRPO (arXiv 2402.03300) are of its family, without a model of
values: the other answers to the same problem are what an answer is held against.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codepref.config.sections import OnlineSection, TrainingSection
from codepref.errors import UserError
from codepref.execution.limits import Limits
from codepref.models import resolve_model
from codepref.records import Problem
from codepref.training.checks import online_mistakes
from codepref.training.rewards import ExecutionReward
from codepref.training.rows import Encode, TrainingRows
from codepref.training.setup import Place, Progress, arguments, models
from codepref.training.trainer import TrainingResult, train
from codepref.training.validation_callback import Probing


def train_online(
    problems: Sequence[Problem],
    model: str,
    out: Path,
    settings: TrainingSection,
    online: OnlineSection | None = None,
    *,
    template: str | None = None,
    limits: Limits | None = None,
    jobs: int | None = None,
    unconfined: bool = False,
    seed: int = 0,
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
    watch: Probing | None = None,
) -> TrainingResult:
    """Train `model` by `settings.method` on problems with tests and write model and tokenizer to `out`.

    `settings.batch_size` counts answers a step, of which `online.generations` are of one problem; `epochs` counts
    passes over the problems. The result's `sampled` says how many answers were drawn, its curve the mean reward.
    Raises what `trainer.train` does, and UserError for problems without tests or a batch that is no multiple.
    """
    online = online or OnlineSection()
    if mistakes := online_mistakes(settings, online):
        raise UserError(*mistakes)
    if online.kl and (Path(resolve_model(model)) / "adapter_config.json").exists():
        raise UserError(
            "online.kl above 0: TRL would take the adapter's base as the reference; merge the adapter first"
        )
    asked = settings.batch_size // online.generations
    if len(problems) < asked:  # TRL leaves out a step that it cannot fill, and none would be left
        raise UserError(
            f"training.batch_size = {settings.batch_size} takes online.generations = {online.generations} answers to "
            f"{asked} problems a step, and there are {len(problems)}: set training.batch_size = "
            f"{max(1, len(problems)) * online.generations} or lower"
        )
    reward = ExecutionReward(
        problems,
        rule=online.reward,
        coarse=online.coarse,
        template=template,
        limits=limits,
        jobs=jobs,
        unconfined=unconfined,
    )

    def rows(encode: Encode, eos_id: int) -> TrainingRows:
        found = reward.rows()
        longest = max(len(encode(row["prompt"], True)) for row in found) + online.max_new_tokens
        return TrainingRows(found, {}, longest, len(found))

    def build(place: Place, fitted: TrainingRows, tokenizer: Any) -> Any:
        return _trainer(place, fitted, tokenizer, online, reward)

    place = Place(model, out, settings, seed, dtype, device, progress, watch)
    # rows hold prompts alone: how answers are drawn and paid for decides the weights as well
    also = [repr(one) for one in (online, limits, list(problems))]
    with reward:
        # by steps, since the reward's own count is of this process alone, and not of one that was killed before
        return train(place, rows, build, lambda trainer, settings: 0.0, sampled=settings.batch_size, also=also)


def _trainer(place: Place, fitted: TrainingRows, tokenizer: Any, online: OnlineSection, reward: ExecutionReward) -> Any:
    import datasets
    import transformers

    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    import trl

    given = arguments(len(fitted.rows) * online.generations, place)
    for name in ("beta", "max_length"):
        del given[name]
    kinds = {"grpo": (trl.GRPOTrainer, trl.GRPOConfig), "rloo": (trl.RLOOTrainer, trl.RLOOConfig)}
    kind, config = kinds[place.settings.method]
    trainer = kind(
        **models(place, reference=False),
        reward_funcs=reward,
        args=config(
            num_generations=online.generations,
            max_completion_length=online.max_new_tokens,
            temperature=online.temperature,
            top_p=online.top_p,
            beta=online.kl,
            **given,
        ),
        train_dataset=datasets.Dataset.from_list(fitted.rows),
        processing_class=tokenizer,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer
