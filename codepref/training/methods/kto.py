"""KTO with TRL's KTOTrainer. docs/explanation/training.md lists the traps of TRL that codepref handles."""

from __future__ import annotations

from typing import Any

from codepref.chat import Chat
from codepref.config.sections import OnlineSection, TrainingSection
from codepref.errors import InfrastructureError, UserError
from codepref.training.examples import Examples
from codepref.training.job import TrainingJob
from codepref.training.kto_rows import kto_rows, label_weights
from codepref.training.methods.base import Method
from codepref.training.processes import count as process_count
from codepref.training.result import TrainingResult
from codepref.training.rows import TrainingRows

REFERENCE_COLUMNS = ("ref_logps", "ref_KL_logps")
"""The columns from which TRL reads the reference's log-probabilities, in the order of `compute_ref_log_probs`."""
TOLERANCE = 1e-3
"""The largest accepted difference of the first mean rewards, KL term and loss from their expected values."""


def train_kto(job: TrainingJob, examples: Examples) -> TrainingResult:
    """Train on single answers with KTO, and write the trained model, or its adapter, to `job.out`.

    The loss is KTO's (arXiv 2402.01306, eq. 7) plus `chosen_weight` times the mean negative log-likelihood of a token
    of the wanted answers. By default both labels have the same total weight. Raises what `run_training` and
    `first_loss` raise, and UserError when a process would hold fewer than two rows of a micro-batch or all rows have
    one label.
    """
    from codepref.training.trainer import run_training

    settings, processes = job.settings, process_count()
    # TRL estimates the KL term within the rows of one process
    batch = (settings.micro_batch_size or settings.batch_size) // processes
    if batch < 2:
        raise UserError(
            "KTO estimates its KL term within a micro-batch, in which the number of answers must be at least 2"
            + (f" for each of {processes} processes" if processes > 1 else "")
            + ": raise training.micro_batch_size or training.batch_size"
        )

    def rows(chat: Chat) -> TrainingRows:
        fitted = kto_rows(examples, chat, max_length=settings.max_length, batch=batch, seed=job.seed)
        if fitted.rows and len({row["label"] for row in fitted.rows}) == 1:
            raise UserError(
                "KTO needs wanted and unwanted answers, and all rows have one label: add answers of the other label"
            )
        return fitted

    return run_training(job, rows=rows, build=build_trainer, first_loss=first_loss, reference_columns=REFERENCE_COLUMNS)


def build_trainer(job: TrainingJob, rows: TrainingRows, tokenizer: Any) -> Any:
    """Return a KTOTrainer of TRL that also adds the likelihood term of the wanted answers to the training loss."""
    import datasets
    import trl

    from codepref.training.setup import models, trl_arguments

    settings = job.settings
    desirable, undesirable = label_weights(rows.weights, settings.desirable_weight, settings.undesirable_weight)

    class KTOTrainer(trl.KTOTrainer):  # type: ignore[misc]
        def compute_loss(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
            if not settings.chosen_weight or not self.model.training:
                return super().compute_loss(model, inputs, *rest, **named)
            with _KeptLogProbs(self.model) as kept:
                result = super().compute_loss(model, inputs, *rest, **named)
            loss = result[0] if isinstance(result, tuple) else result
            loss = loss + settings.chosen_weight * _wanted_nll(kept.log_probs, inputs)
            return (loss, result[1]) if isinstance(result, tuple) else loss

    return KTOTrainer(
        **models(job),
        args=trl.KTOConfig(
            desirable_weight=desirable, undesirable_weight=undesirable, **trl_arguments(len(rows.rows), job)
        ),
        train_dataset=datasets.Dataset.from_list(rows.rows),
        processing_class=tokenizer,
    )


class _KeptLogProbs:
    """Keeps the log-probabilities that TRL computes for its loss, so that they need not be computed again.

    Only values with gradients are kept. These are the answers' log-probabilities under the trained model, since TRL
    computes the KL term and the reference model without gradients.
    """

    def __init__(self, model: Any) -> None:
        self.log_probs: Any = None
        self._handle = model.register_forward_hook(self._keep)

    def _keep(self, model: Any, inputs: Any, output: Any) -> None:
        if output.log_probs.requires_grad:
            self.log_probs = output.log_probs

    def __enter__(self) -> _KeptLogProbs:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()


def _wanted_nll(log_probs: Any, inputs: Any) -> Any:
    """Return the mean negative log-likelihood of a token of the wanted answers, or 0 in a batch without wanted answers.

    log_probs: an array of answers x (tokens - 1), which is 0 at tokens that belong to no answer.
    """
    import torch

    wanted = torch.as_tensor(inputs["label"], dtype=torch.bool, device=log_probs.device)
    tokens = inputs["completion_mask"].to(log_probs.device)[:, 1:][wanted].sum()
    return -log_probs[wanted].sum() / tokens.clamp(min=1)


def first_loss(trainer: Any, settings: TrainingSection) -> float:
    """Return KTO's loss on the first micro-batch before the first step.

    When the model and the reference model agree, all rewards and the KL term are 0, and the loss is half the mean
    weight of the rows. The mean rewards and the KL term are checked too. The loss alone is not enough: if all rewards
    are wrong by the same amount, the loss of balanced labels does not change, since (1 - sigmoid(r)) + (1 -
    sigmoid(-r)) = 1. Raises InfrastructureError when a check fails, and GateError when the loss is not a finite number.
    """
    from codepref.training.curve import check_first_loss

    rows = trainer.train_dataset.select(
        range(min(len(trainer.train_dataset), settings.micro_batch_size or settings.batch_size))
    )
    metrics = trainer.evaluate(rows)
    trainer.state.log_history.clear()
    weights = [trainer.desirable_weight if label else trainer.undesirable_weight for label in rows["label"]]
    expected, loss = 0.5 * sum(weights) / len(weights), check_first_loss(float(metrics["eval_loss"]))
    largest = max(abs(metrics.get(f"eval_{name}", 0.0)) for name in ("rewards/chosen", "rewards/rejected", "kl"))
    if largest > TOLERANCE or abs(loss - expected) > TOLERANCE:
        raise InfrastructureError(
            f"the reference model differs from the start model: KTO's loss before the first step is {loss:.4f} "
            f"instead of {expected:.4f}, and the largest absolute value of mean rewards and KL term is {largest:.4f} "
            "instead of 0. Nothing was trained."
        )
    return loss


def kto_mistakes(settings: TrainingSection, online: OnlineSection) -> list[str]:
    """Return a message if a micro-batch holds fewer than two answers."""
    if (settings.micro_batch_size or settings.batch_size) >= 2:
        return []
    return [
        "training.method = 'kto' estimates its KL term within a micro-batch, which must hold at least 2 answers: raise "
        "training.micro_batch_size or training.batch_size"
    ]


KTO = Method(
    "kto",
    train_kto,
    learns_from="answers",
    sources=("pairs", "verdicts", "data"),
    learning_rate=5e-7,
    lora_learning_rate=5e-6,
    mistakes=kto_mistakes,
)
