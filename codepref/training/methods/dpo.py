"""DPO and RPO with TRL's DPOTrainer. docs/explanation/training.md lists the traps of TRL that codepref handles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from codepref.chat import Chat
from codepref.config.sections import OnlineSection, TrainingSection
from codepref.errors import InfrastructureError
from codepref.records import Pair
from codepref.training.job import TrainingJob
from codepref.training.methods.base import Method
from codepref.training.result import TrainingResult
from codepref.training.rows import TrainingRows, preference_rows

LN_2 = math.log(2)
REFERENCE_COLUMNS = ("ref_chosen_logps", "ref_rejected_logps")
"""The columns from which TRL reads the reference's log-probabilities, in the order of `compute_ref_log_probs`."""
TOLERANCE = 1e-3
"""The largest accepted difference of the first mean rewards from 0, and of the first loss from ln 2."""


def train_dpo(job: TrainingJob, pairs: Sequence[Pair]) -> TrainingResult:
    """Train on `pairs` with DPO or RPO, and write the trained model, or its adapter, to `job.out`.

    The loss is the one that `settings.loss` names ("sigmoid" is DPO's, arXiv 2305.18290, eq. 7), plus `chosen_weight`
    times the mean negative log-likelihood of a token of the chosen answers. The reference model is a second copy of the
    start model, or the model without its new adapter. Raises what `run_training` and `first_loss` raise.
    """
    from codepref.training.trainer import run_training

    def rows(chat: Chat) -> TrainingRows:
        return preference_rows(pairs, chat, max_length=job.settings.max_length)

    return run_training(job, rows=rows, build=build_trainer, first_loss=first_loss, reference_columns=REFERENCE_COLUMNS)


def build_trainer(job: TrainingJob, rows: TrainingRows, tokenizer: Any) -> Any:
    """Return TRL's DPOTrainer for the rows."""
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
    """Return DPO's sigmoid loss for the mean reward margin of the first batch before the first step.

    `settings.loss` does not change this result. It is ln 2 when the model and the reference model agree. Raises
    InfrastructureError when this loss or a mean reward shows that they differ, and GateError when TRL's loss is not a
    finite number.
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
            f"instead of ln 2 = 0.6931, and the largest absolute mean reward is {largest_reward:.4f} instead "
            "of 0. Nothing was trained."
        )
    return loss


def expected_first_loss(settings: TrainingSection) -> float | None:
    """Return ln 2 for the sigmoid loss without a likelihood term, and None for any other loss."""
    return LN_2 if settings.loss == "sigmoid" and not settings.chosen_weight else None


def rpo_mistakes(settings: TrainingSection, online: OnlineSection) -> list[str]:
    """Return a message if `chosen_weight` is 0, since RPO without the likelihood term would be DPO."""
    if settings.chosen_weight:
        return []
    return [
        "training.method = 'rpo' adds the likelihood of the chosen answers to DPO: set training.chosen_weight above 0"
    ]


DPO = Method(
    "dpo",
    train_dpo,
    learns_from="pairs",
    sources=("pairs",),
    # Publications train 7B code models without an adapter by DPO at learning rates of 5e-7 to 5e-6. At 2e-4 DPO
    # destroyed such a model (HumanEval fell from 71 to 53). The lowest of these rates is the default.
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
