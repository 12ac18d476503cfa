"""DPO through TRL's DPOTrainer, with its traps (see docs/training.md) closed before the first step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codepref.config.sections import TrainingSection
from codepref.errors import InfrastructureError
from codepref.records import Pair
from codepref.training.curve import check_first_loss
from codepref.training.rows import TrainingRows, preference_rows
from codepref.training.setup import Place, Progress, arguments, models
from codepref.training.trainer import TrainingResult, train
from codepref.training.validation_callback import Probing

LOG_2 = math.log(2)
REFERENCE = ("ref_chosen_logps", "ref_rejected_logps")
"""Columns in which TRL looks for what `compute_ref_log_probs` answers."""


def train_dpo(
    pairs: Sequence[Pair],
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
    """Train `model` on `pairs` with DPO and write model and tokenizer to `out` (whole or not at all).

    The loss is DPO's (arXiv 2305.18290, eq. 7) plus `chosen_weight` times the chosen answer's mean negative
    log-likelihood a token. The reference is the model at the start, loaded on its own and checked.
    Raises what `trainer.train` does, and InfrastructureError when the reference is not the start.
    """

    def rows(encode: Any, eos_id: int) -> TrainingRows:
        return preference_rows(pairs, encode, max_length=settings.max_length, eos_id=eos_id)

    place = Place(model, out, settings, seed, dtype, device, progress, watch)
    return train(place, rows, build, _first_loss, reference=REFERENCE)


def build(place: Place, fitted: TrainingRows, tokenizer: Any) -> Any:
    """TRL's DPOTrainer for these rows, its reference given outright."""
    import datasets
    import transformers
    import trl

    weight = place.settings.chosen_weight
    losses = [place.settings.loss, "sft"] if weight else [place.settings.loss]
    trainer = trl.DPOTrainer(
        **models(place),
        args=trl.DPOConfig(
            loss_type=losses, loss_weights=[1.0, weight][: len(losses)], **arguments(len(fitted.rows), place)
        ),
        train_dataset=datasets.Dataset.from_list(fitted.rows),
        processing_class=tokenizer,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def _first_loss(trainer: Any, settings: TrainingSection) -> float:
    """DPO's loss on the first rows before any step; it is ln 2 exactly when policy and reference agree."""
    rows = trainer.train_dataset.select(range(min(len(trainer.train_dataset), settings.batch_size)))
    metrics = trainer.evaluate(rows)
    trainer.state.log_history.clear()
    worst = max(abs(metrics["eval_rewards/chosen"]), abs(metrics["eval_rewards/rejected"]))
    check_first_loss(metrics["eval_loss"])
    loss = math.log1p(math.exp(-metrics["eval_rewards/margins"]))
    if worst > 1e-3 or abs(loss - LOG_2) > 1e-3:
        raise InfrastructureError(
            f"the reference model is not the model at the start: DPO's loss before the first step is {loss:.4f} "
            f"instead of ln 2 = 0.6931 (rewards up to {worst:.4f}). Nothing was trained."
        )
    return loss
