"""Supervised fine-tuning with TRL's SFTTrainer. Its loss covers the tokens of the answers, including the end token."""

from __future__ import annotations

from typing import Any

from codepref.chat import Chat
from codepref.config.sections import TrainingSection
from codepref.training.examples import Examples
from codepref.training.job import TrainingJob
from codepref.training.methods.base import Method
from codepref.training.result import TrainingResult
from codepref.training.rows import TrainingRows


def train_sft(job: TrainingJob, examples: Examples) -> TrainingResult:
    """Train on the wanted answers, and write the complete model to `job.out`.

    The loss is the mean negative log-likelihood of a token of the answers. An adapter is merged into its base model, so
    that preference training can start from the result. Raises what `run_training` raises.
    """
    from codepref.training.demonstrations import sft_rows
    from codepref.training.trainer import run_training

    def rows(chat: Chat) -> TrainingRows:
        return sft_rows(examples, chat, max_length=job.settings.max_length, section=job.section)

    return run_training(job, rows=rows, build=build_trainer, first_loss=first_loss)


def build_trainer(job: TrainingJob, rows: TrainingRows, tokenizer: Any) -> Any:
    """Return TRL's SFTTrainer for the rows."""
    import datasets
    import trl

    from codepref.training.setup import models, trl_arguments

    arguments = trl_arguments(len(rows.rows), job)
    del arguments["beta"]
    return trl.SFTTrainer(
        **models(job, reference=False),
        args=trl.SFTConfig(completion_only_loss=True, **arguments),
        train_dataset=datasets.Dataset.from_list(rows.rows),
        processing_class=tokenizer,
    )


def first_loss(trainer: Any, settings: TrainingSection) -> float:
    """Return the loss on the first batch before the first step. Raises GateError when it is not a finite number."""
    from codepref.training.curve import check_first_loss

    rows = trainer.train_dataset.select(range(min(len(trainer.train_dataset), settings.batch_size)))
    loss = float(trainer.evaluate(rows)["eval_loss"])
    trainer.state.log_history.clear()
    return check_first_loss(loss)


SFT = Method(
    "sft",
    train_sft,
    learns_from="answers",
    sources=("pairs", "verdicts", "data"),
    # 1e-5 is a usual rate without an adapter. CodeUltraFeedback (arXiv 2403.09032) trains an adapter at 2e-4.
    learning_rate=1e-5,
    lora_learning_rate=2e-4,
    supervised=True,
)
RFT = Method(
    "rft",
    train_sft,
    learns_from="answers",
    sources=("verdicts",),
    learning_rate=SFT.learning_rate,
    lora_learning_rate=SFT.lora_learning_rate,
    supervised=True,
)
