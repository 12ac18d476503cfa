"""KTO through TRL's KTOTrainer, with its traps (see docs/training.md) closed before the first step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codepref.config.sections import TrainingSection
from codepref.errors import InfrastructureError, UserError
from codepref.training.curve import check_first_loss
from codepref.training.kto_rows import Examples, kto_rows, weighed
from codepref.training.processes import count as processes
from codepref.training.rows import TrainingRows
from codepref.training.setup import Place, Progress, arguments, models
from codepref.training.trainer import TrainingResult, train
from codepref.training.validation_callback import Probing


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
    watch: Probing | None = None,
) -> TrainingResult:
    """Train `model` on single answers with KTO and write model and tokenizer to `out` (whole or not at all).

    The loss is KTO's (arXiv 2402.01306, eq. 7), labels weighed alike unless the settings say otherwise, plus
    `chosen_weight` times the wanted answers' mean negative log-likelihood a token.
    Raises what `trainer.train` does, UserError for a batch of one row or rows of one label, and InfrastructureError
    when the reference is not the start.
    """
    # each of several processes has its own rows, and a KL term of these
    batch = (settings.micro_batch_size or settings.batch_size) // processes()
    if batch < 2:
        raise UserError(
            "KTO estimates its KL term within a batch: training.micro_batch_size must be at least 2"
            + (f" for each of {processes()} processes" if processes() > 1 else "")
        )

    def rows(encode: Any, eos_id: int) -> TrainingRows:
        fitted = kto_rows(examples, encode, max_length=settings.max_length, eos_id=eos_id, batch=batch, seed=seed)
        if fitted.rows and len({row["label"] for row in fitted.rows}) == 1:
            raise UserError("all answers have one label; KTO needs wanted and unwanted ones")
        return fitted

    place = Place(model, out, settings, seed, dtype, device, progress, watch)
    return train(place, rows, _trainer, _first_loss, reference=("ref_logps", "ref_KL_logps"))


def _trainer(place: Place, fitted: TrainingRows, tokenizer: Any) -> Any:
    import datasets
    import transformers
    import trl

    settings = place.settings
    desirable, undesirable = weighed(fitted.weights, settings.desirable_weight, settings.undesirable_weight)

    class KTOTrainer(trl.KTOTrainer):  # type: ignore[misc]
        def compute_loss(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
            if not settings.chosen_weight or not self.model.training:
                return super().compute_loss(model, inputs, *rest, **named)
            with _Seen(self.model) as seen:
                found = super().compute_loss(model, inputs, *rest, **named)
            loss = found[0] if isinstance(found, tuple) else found
            loss = loss + settings.chosen_weight * _likelihood(seen.log_probs, inputs)
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


class _Seen:
    """The log-probabilities that the policy gives while TRL computes its loss: they need not be computed again.

    The KL term and the reference are asked without gradients, the answers themselves with.
    """

    def __init__(self, model: Any) -> None:
        self.log_probs: Any = None
        self._handle = model.register_forward_hook(self._keep)

    def _keep(self, model: Any, given: Any, found: Any) -> None:
        if found.log_probs.requires_grad:
            self.log_probs = found.log_probs

    def __enter__(self) -> _Seen:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()


def _likelihood(log_probs: Any, inputs: Any) -> Any:
    """The wanted answers' mean negative log-likelihood a token; 0 in a batch without any.

    log_probs: answers x (tokens - 1), 0 outside the answers' own tokens.
    """
    import torch

    wanted = torch.as_tensor(inputs["label"], dtype=torch.bool, device=log_probs.device)
    tokens = inputs["completion_mask"].to(log_probs.device)[:, 1:][wanted].sum()
    return -log_probs[wanted].sum() / tokens.clamp(min=1)


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
    wanted, loss = 0.5 * sum(weights) / len(weights), check_first_loss(float(metrics["eval_loss"]))
    worst = max(abs(metrics.get(f"eval_{name}", 0.0)) for name in ("rewards/chosen", "rewards/rejected", "kl"))
    if worst > 1e-3 or abs(loss - wanted) > 1e-3:
        raise InfrastructureError(
            f"the reference model is not the model at the start: KTO's loss before the first step is {loss:.4f} "
            f"instead of {wanted:.4f} (rewards and KL up to {worst:.4f}). Nothing was trained."
        )
    return loss
