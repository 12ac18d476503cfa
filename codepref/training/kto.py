"""KTO through TRL's KTOTrainer, with its traps (see docs/training.md) closed before the first step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codepref.config import TrainingSection
from codepref.errors import InfrastructureError, UserError
from codepref.training.kto_rows import Examples, kto_rows, weighed
from codepref.training.rows import TrainingRows
from codepref.training.trainer import Place, Progress, TrainingResult, arguments, models, train


def train_kto(
    examples: Examples,
    model: str,
    out: Path,
    settings: TrainingSection,
    *,
    seed: int = 0,
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
) -> TrainingResult:
    """Train `model` on single answers with KTO and write model and tokenizer to `out` (whole or not at all).

    The loss is KTO's (arXiv 2402.01306, eq. 7), labels weighed alike unless the settings say otherwise, plus
    `chosen_weight` times the wanted answers' mean negative log-likelihood a token.
    Raises what `trainer.train` does, UserError for a batch of one row or rows of one label, and InfrastructureError
    when the reference is not the start.
    """
    batch = settings.micro_batch_size or settings.batch_size
    if batch < 2:
        raise UserError("KTO estimates its KL term within a batch: training.micro_batch_size must be at least 2")

    def rows(encode: Any, eos_id: int) -> TrainingRows:
        fitted = kto_rows(examples, encode, max_length=settings.max_length, eos_id=eos_id, batch=batch, seed=seed)
        if fitted.rows and len({row["label"] for row in fitted.rows}) == 1:
            raise UserError("all answers have one label; KTO needs wanted and unwanted ones")
        return fitted

    place = Place(model, out, settings, seed, dtype, device, progress)
    return train(place, rows, _trainer, _first_loss)


def _trainer(place: Place, fitted: TrainingRows, tokenizer: Any) -> Any:
    import datasets
    import transformers
    import trl

    settings = place.settings
    desirable, undesirable = weighed(fitted.weights, settings.desirable_weight, settings.undesirable_weight)

    class KTOTrainer(trl.KTOTrainer):  # type: ignore[misc]
        def compute_loss(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
            found = super().compute_loss(model, inputs, *rest, **named)
            if not settings.chosen_weight or not self.model.training:
                return found
            loss = found[0] if isinstance(found, tuple) else found
            loss = loss + settings.chosen_weight * _likelihood(model, inputs)
            return (loss, found[1]) if isinstance(found, tuple) else loss

    trainer = KTOTrainer(
        **models(place),
        args=trl.KTOConfig(
            desirable_weight=desirable,
            undesirable_weight=undesirable,
            **arguments(len(fitted.rows), place),
        ),
        train_dataset=datasets.Dataset.from_list(fitted.rows),
        processing_class=tokenizer,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def _likelihood(model: Any, inputs: Any) -> Any:
    """The wanted answers' mean negative log-likelihood a token; 0 in a batch without any.

    By the head that TRL put on the model, which never holds logits of answers x tokens x vocabulary.
    """
    import torch

    ids, mask, answer = (inputs[name] for name in ("input_ids", "attention_mask", "completion_mask"))
    rows = torch.as_tensor(inputs["label"], dtype=torch.bool, device=ids.device)
    if not bool(rows.any()):
        return torch.zeros((), device=ids.device)
    targets = ids[rows].masked_fill(answer[rows] == 0, -100)
    found = model(
        input_ids=ids[rows], attention_mask=mask[rows], labels=targets, use_cache=False, fused_lm_head=True
    ).log_probs
    return -found.sum() / (targets[:, 1:] != -100).sum()


def _first_loss(trainer: Any, settings: TrainingSection) -> float:
    """KTO's loss on the first rows before any step: half of each row's weight when policy and reference agree, since
    all rewards and the KL term are 0 then.

    Rewards and KL are looked at themselves as well: rewards that are all off alike leave the loss of balanced labels
    where it is, since (1 - sigmoid(r)) + (1 - sigmoid(-r)) = 1.
    """
    count = min(len(trainer.train_dataset), settings.micro_batch_size or settings.batch_size)
    rows = trainer.train_dataset.select(range(count))
    metrics = trainer.evaluate(rows)
    trainer.state.log_history.clear()
    weights = [trainer.desirable_weight if label else trainer.undesirable_weight for label in rows["label"]]
    wanted, loss = 0.5 * sum(weights) / len(weights), float(metrics["eval_loss"])
    worst = max(abs(metrics.get(f"eval_{name}", 0.0)) for name in ("rewards/chosen", "rewards/rejected", "kl"))
    if worst > 1e-3 or abs(loss - wanted) > 1e-3:
        raise InfrastructureError(
            f"the reference model is not the model at the start: KTO's loss before the first step is {loss:.4f} "
            f"instead of {wanted:.4f} (rewards and KL up to {worst:.4f}). Nothing was trained."
        )
    return loss
