"""GRPO and RLOO with TRL. The model samples answers, the sandbox runs them, and their rewards train the model.

RLOO (arXiv 2402.14740) and GRPO (arXiv 2402.03300) are policy-gradient methods without a value model. They compare the
rewards of the answers to one problem with each other. TRL 1.16 has no PPO trainer.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.chat import Chat, about
from codepref.config.sections import OnlineSection, TrainingSection
from codepref.errors import UserError
from codepref.training.job import TrainingJob
from codepref.training.methods.base import Method, OnlineProblems
from codepref.training.processes import count as process_count
from codepref.training.processes import sharded
from codepref.training.result import TrainingResult
from codepref.training.rows import TrainingRows

if TYPE_CHECKING:
    from codepref.training.rewards import ExecutionReward

TRL_NAMES = {"grpo": ("GRPOTrainer", "GRPOConfig"), "rloo": ("RLOOTrainer", "RLOOConfig")}
"""The names of TRL's trainer and configuration for each method."""


def train_online(job: TrainingJob, data: OnlineProblems) -> TrainingResult:
    """Train on problems with tests, and write the trained model, or its adapter, to `job.out`.

    A step samples `settings.batch_size` answers, `online.generations` of them to each problem. An epoch is one pass
    over the problems. If too few problems remain for another step, they are left out of the epoch. With several
    processes, each process samples and runs its share of the answers. The result's `sampled` counts the sampled
    answers, and its curve holds the mean reward. Raises what `run_training` raises, and UserError for problems without
    tests, for fewer problems than a step needs, for `online.kl` above 0 when the start model is an adapter, and for
    FSDP or DeepSpeed. Raises MachineError when the sandbox cannot confine programs, or when the server at `online.url`
    does not answer or cannot run programs.
    """
    from codepref.training.rewards import ExecutionReward
    from codepref.training.trainer import run_training

    _check(job, data)
    reward = ExecutionReward(
        data.problems,
        rule=data.settings.reward,
        coarse=data.settings.coarse,
        template=data.template,
        limits=data.limits,
        jobs=None if data.settings.url else _jobs(data.jobs),
        unconfined=data.unconfined and not data.settings.url,
        vacuous_tests=data.vacuous_tests,
        url=data.settings.url or None,
    )

    def rows(chat: Chat) -> TrainingRows:
        prompts = reward.rows()
        longest = 0
        for row in prompts:
            with about(f"problem {row['task_id']}"):
                longest = max(longest, len(chat.prompt_ids(row["prompt"])))
        return TrainingRows(prompts, {}, longest + data.settings.max_new_tokens, len(prompts))

    def build(job: TrainingJob, rows: TrainingRows, tokenizer: Any) -> Any:
        return build_trainer(job, rows, tokenizer, data.settings, reward)

    with reward:
        return run_training(
            job,
            rows=rows,
            build=build,
            first_loss=lambda trainer, settings: 0.0,
            sampled_per_step=job.settings.batch_size,
            # The rows hold no answers, and the weights also depend on how answers are sampled and rewarded. The key
            # leaves out the address of the server, so that a training can resume with another one.
            key_parts=[repr(part) for part in (replace(data.settings, url=""), data.limits, list(data.problems))],
        )


def _check(job: TrainingJob, data: OnlineProblems) -> None:
    from codepref.models import resolve_model

    if sharded():
        raise UserError(
            f"method {job.settings.method} samples from the whole model in every process, and FSDP and DeepSpeed can "
            "split the model: set training.processes, or an accelerate configuration without FSDP and DeepSpeed"
        )
    if data.settings.kl and (Path(resolve_model(job.model)) / "adapter_config.json").exists():
        raise UserError(
            "online.kl is above 0 and the start model is an adapter. TRL would take the adapter's base model as the "
            "reference model. Merge the adapter first, or set online.kl = 0."
        )
    if not data.problems:
        raise UserError(f"method {job.settings.method} learns from problems, but the data holds none")
    batch, generations = job.settings.batch_size, data.settings.generations
    if len(data.problems) < batch // generations:  # TRL leaves out a step for which there are too few problems
        raise UserError(
            f"a step of training.batch_size = {batch} answers with online.generations = {generations} needs "
            f"{batch // generations} problems, and there are {len(data.problems)}: set training.batch_size = "
            f"{len(data.problems) * generations} or lower, or add problems"
        )


def _jobs(jobs: int | None) -> int | None:
    """Return the number of sandbox workers of this process, or None for the default.

    When several processes train, they share the `jobs` that the user chose, or the cores of the machine.
    """
    if process_count() == 1:
        return jobs
    from codepref.execution.engine import usable_cpus

    return max(1, (jobs or usable_cpus()) // process_count())


def build_trainer(
    job: TrainingJob, rows: TrainingRows, tokenizer: Any, online: OnlineSection, reward: ExecutionReward
) -> Any:
    """Return TRL's GRPOTrainer or RLOOTrainer for the prompts in `rows`."""
    import datasets

    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    import trl

    from codepref.training.setup import models, trl_arguments

    arguments = trl_arguments(len(rows.rows) * online.generations, job)
    for name in ("beta", "max_length"):
        del arguments[name]
    trainer_class, config_class = (getattr(trl, name) for name in TRL_NAMES[job.settings.method])
    return trainer_class(
        **models(job, reference=False),
        reward_funcs=reward,
        args=config_class(
            num_generations=online.generations,
            max_completion_length=online.max_new_tokens,
            temperature=online.temperature,
            top_p=online.top_p,
            beta=online.kl,
            **arguments,
        ),
        train_dataset=datasets.Dataset.from_list(rows.rows),
        processing_class=tokenizer,
    )


def online_mistakes(settings: TrainingSection, online: OnlineSection) -> list[str]:
    """Return messages for settings of [online] that are wrong or do not fit [training]."""
    mistakes = []
    if len(online.coarse) != 4:
        mistakes.append(
            "online.coarse needs four values: the rewards of a program that does not compile, raises, "
            "fails a test, and passes"
        )
    if settings.batch_size % online.generations:
        mistakes.append(
            f"training.batch_size = {settings.batch_size}, the answers of a step, must be a multiple of "
            f"online.generations = {online.generations}"
        )
    return mistakes


GRPO = Method(
    "grpo",
    train_online,
    learns_from="problems",
    sources=("problems",),
    learning_rate=1e-6,  # TRL's default for GRPO and RLOO
    lora_learning_rate=2e-5,
    mistakes=online_mistakes,
)
RLOO = Method(
    "rloo",
    train_online,
    learns_from="problems",
    sources=("problems",),
    learning_rate=GRPO.learning_rate,
    lora_learning_rate=GRPO.lora_learning_rate,
    mistakes=online_mistakes,
)
