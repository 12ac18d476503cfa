"""Supervised fine-tuning through TRL's SFTTrainer: the loss is on the answers' tokens alone, their end included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codepref.config.sections import TrainingSection
from codepref.training.curve import check_first_loss
from codepref.training.demonstrations import sft_rows
from codepref.training.kto_rows import Examples
from codepref.training.rows import TrainingRows
from codepref.training.setup import Place, Progress, arguments, models
from codepref.training.trainer import TrainingResult, train
from codepref.training.validation_callback import Probing


def train_sft(
    examples: Examples,
    model: str,
    out: Path,
    settings: TrainingSection,
    *,
    seed: int = 0,
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
    watch: Probing | None = None,
) -> TrainingResult:
    """Train `model` on the wanted answers and write model and tokenizer to `out` (whole or not at all).

    The loss is the mean negative log-likelihood of an answer's tokens. An adapter is merged into its base model, so
    that preference training can start from the result. `first_loss` of the result is that loss before any step.
    Raises what `trainer.train` does.
    """

    def rows(encode: Any, eos_id: int) -> TrainingRows:
        return sft_rows(examples, encode, max_length=settings.max_length, eos_id=eos_id)

    place = Place(model, out, settings, seed, dtype, device, progress, watch)
    return train(place, rows, _trainer, _first_loss)


def _trainer(place: Place, fitted: TrainingRows, tokenizer: Any) -> Any:
    import datasets
    import transformers
    import trl

    given = arguments(len(fitted.rows), place)
    del given["beta"]
    trainer = trl.SFTTrainer(
        **models(place, reference=False),
        args=trl.SFTConfig(completion_only_loss=True, **given),
        train_dataset=datasets.Dataset.from_list(fitted.rows),
        processing_class=tokenizer,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def _first_loss(trainer: Any, settings: TrainingSection) -> float:
    """The loss on the first rows before any step. Raises GateError where it is no number."""
    rows = trainer.train_dataset.select(range(min(len(trainer.train_dataset), settings.batch_size)))
    loss = float(trainer.evaluate(rows)["eval_loss"])
    trainer.state.log_history.clear()
    return check_first_loss(loss)
