"""DPO and RPO with TRL's DPOTrainer.

docs/explanation/training.md lists the traps that are excluded before the first step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from codepref.config.sections import OnlineSection, TrainingSection
from codepref.errors import InfrastructureError
from codepref.records import Pair
from codepref.training.job import TrainingJob
from codepref.training.methods.base import Method
from codepref.training.result import TrainingResult
from codepref.training.rows import Encode, TrainingRows, preference_rows

LN_2 = math.log(2)
REFERENCE_COLUMNS = ("ref_chosen_logps", "ref_rejected_logps")
"""The columns in which TRL reads the results of `compute_ref_log_probs`, in its order."""
TOLERANCE = 1e-3
"""Largest difference of the first rewards from 0 and of the first loss from ln 2, in nats."""


def train_dpo(job: TrainingJob, pairs: Sequence[Pair]) -> TrainingResult:
    """Train on `pairs` with DPO and write model and tokenizer to `job.out`, whole or not at all.

    The loss is DPO's (arXiv 2305.18290, eq. 7) plus `chosen_weight` times the mean negative log-likelihood of a chosen
    token. The reference is a second copy of the start model, and is checked before the first step. Raises what
    `run_training` raises, and InfrastructureError when the reference differs from the start model.
    """
    from codepref.training.trainer import run_training

    def rows(encode: Encode, eos_id: int) -> TrainingRows:
        return preference_rows(pairs, encode, max_length=job.settings.max_length, eos_id=eos_id)

    return run_training(job, rows=rows, build=build_trainer, first_loss=first_loss, reference_columns=REFERENCE_COLUMNS)


def build_trainer(job: TrainingJob, rows: TrainingRows, tokenizer: Any) -> Any:
    """TRL's DPOTrainer for these rows."""
    import datasets
    import trl

    from codepref.training.setup import models, trl_arguments

    weight = job.settings.chosen_weight
    losses = [job.settings.loss, "sft"] if weight else [job.settings.loss]
    return trl.DPOTrainer(
        **models(job),
        args=trl.DPOConfig(
            loss_type=losses, loss_weights=[1.0, weight][: len(losses)], **trl_arguments(len(rows.rows), job)
        ),
        train_dataset=datasets.Dataset.from_list(rows.rows),
        processing_class=tokenizer,
    )


def first_loss(trainer: Any, settings: TrainingSection) -> float:
    """DPO's sigmoid loss on the first batch before any step.

    The loss is ln 2 when policy and reference agree, whatever `settings.loss` is, since it is computed from the reward
    margins. Raises InfrastructureError when it is not, GateError when it is not a number.
    """
    from codepref.training.curve import check_first_loss

    rows = trainer.train_dataset.select(range(min(len(trainer.train_dataset), settings.batch_size)))
    metrics = trainer.evaluate(rows)
    trainer.state.log_history.clear()
    largest_reward = max(abs(metrics["eval_rewards/chosen"]), abs(metrics["eval_rewards/rejected"]))
    check_first_loss(metrics["eval_loss"])
    loss = math.log1p(math.exp(-metrics["eval_rewards/margins"]))
    if largest_reward > TOLERANCE or abs(loss - LN_2) > TOLERANCE:
        raise InfrastructureError(
            f"the reference model differs from the start model: DPO's loss before the first step is {loss:.4f} "
            f"instead of ln 2 = 0.6931 (rewards up to {largest_reward:.4f}). Nothing was trained."
        )
    return loss


def expected_first_loss(settings: TrainingSection) -> float | None:
    """ln 2 for the sigmoid loss alone. Other losses, and the sum with a likelihood, start elsewhere."""
    return LN_2 if settings.loss == "sigmoid" and not settings.chosen_weight else None


def rpo_mistakes(settings: TrainingSection, online: OnlineSection) -> list[str]:
    """RPO without the likelihood of the chosen answers would be DPO."""
    if settings.chosen_weight:
        return []
    return ["training.method = 'rpo' adds the likelihood of the chosen answers to DPO: set training.chosen_weight"]


DPO = Method(
    "dpo",
    train_dpo,
    learns_from="pairs",
    sources=("pairs",),
    # Full DPO of 7B code models is published between 5e-7 and 5e-6, and DPO at 2e-4 destroyed one (HumanEval 71 to 53).
    # The low end is the safe default.
    learning_rate=5e-7,
    lora_learning_rate=5e-6,
    expected_first_loss=expected_first_loss,
)
RPO = Method(
    "rpo",
    train_dpo,
    learns_from="pairs",
    sources=("pairs",),
    learning_rate=DPO.learning_rate,
    lora_learning_rate=DPO.lora_learning_rate,
    mistakes=rpo_mistakes,
    expected_first_loss=expected_first_loss,
)
