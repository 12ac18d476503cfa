"""CPO, SimPO and ORPO: methods on pairs without a reference model.

TRL has trainers for them in `trl.experimental`. They tokenize prompt and answer as texts, put an end token after the
end of the template's turn, cut long answers, and compute the logits of all tokens. codepref computes the same losses on
the batches of TRL's DPOTrainer, so that rows, shared prefixes and probes are those of DPO. A test compares the losses
with TRL's. ORPO's likelihood term in TRL covers the prompt too; here it covers the answer only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from codepref.chat import Chat
from codepref.config.sections import OnlineSection, TrainingSection
from codepref.errors import UserError
from codepref.records import Pair
from codepref.training.job import TrainingJob
from codepref.training.methods.base import Method
from codepref.training.methods.sft import first_loss
from codepref.training.pair_losses import PairLoss, cpo, orpo, simpo
from codepref.training.processes import sharded
from codepref.training.result import TrainingResult
from codepref.training.rows import TrainingRows, preference_rows


def train_without_reference(job: TrainingJob, pairs: Sequence[Pair], loss: PairLoss) -> TrainingResult:
    """Train on `pairs` without a reference model, and write the trained model, or its adapter, to `job.out`.

    The loss of the training is `loss` plus `chosen_weight` times the mean negative log-likelihood of a token of the
    chosen answers. Raises what `run_training` raises, and UserError for FSDP or DeepSpeed, with which TRL would load a
    reference model.
    """
    from codepref.training.trainer import run_training

    if sharded():
        raise UserError(
            f"training.method = {job.settings.method!r} has no reference model, and with FSDP or DeepSpeed TRL would "
            "load one. Set training.processes, or an accelerate configuration without FSDP and DeepSpeed"
        )

    def rows(chat: Chat) -> TrainingRows:
        return preference_rows(pairs, chat, max_length=job.settings.max_length)

    return run_training(job, rows=rows, build=partial(build_trainer, loss=loss), first_loss=first_loss)


def build_trainer(job: TrainingJob, rows: TrainingRows, tokenizer: Any, *, loss: PairLoss) -> Any:
    """Return a DPOTrainer of TRL that computes `loss` and loads no reference model."""
    import datasets
    import trl

    from codepref.training.setup import models, trl_arguments

    settings = job.settings

    class ReferenceFreeTrainer(trl.DPOTrainer):  # type: ignore[misc]
        def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
            return dataset  # no loss here reads the log-probabilities of a reference model

        def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> Any:
            mask = inputs["completion_mask"][:, 1:]
            labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
            aux = {"output_router_logits": True} if self.aux_loss_enabled else {}
            kept = {name: inputs[name] for name in ("input_ids", "attention_mask")}
            outputs = model(**kept, **aux, labels=labels, use_cache=False, fused_lm_head=True)
            log_probs, lengths = outputs.log_probs.float(), mask.sum(1).clamp(min=1)
            chosen, rejected = log_probs.sum(1).chunk(2)
            each, wanted, unwanted = loss(chosen, rejected, lengths.view(2, -1), self.beta, settings.gamma_ratio)
            total = each.mean() - settings.chosen_weight * chosen.sum() / lengths.chunk(2)[0].sum()
            if self.aux_loss_enabled:
                total = total + self.router_aux_loss_coef * outputs.aux_loss
            entropy = (outputs.entropy * mask).sum() / mask.sum()
            self._log_figures(chosen, rejected, wanted, unwanted, entropy)
            return (total, outputs) if return_outputs else total

        def _log_figures(self, chosen: Any, rejected: Any, wanted: Any, unwanted: Any, entropy: Any) -> None:
            figures = {
                "rewards/chosen": wanted,
                "rewards/rejected": unwanted,
                "rewards/margins": wanted - unwanted,
                "rewards/accuracies": (wanted > unwanted).float(),
                "logps/chosen": chosen,
                "logps/rejected": rejected,
                "entropy": entropy,
            }
            metrics = self._metrics["train" if self.model.training else "eval"]
            for name, values in figures.items():
                metrics[name].append(self.accelerator.gather(values.detach()).mean().item())

    return ReferenceFreeTrainer(
        **models(job, reference=False),
        # with this argument TRL does not load a reference model
        args=trl.DPOConfig(precompute_ref_log_probs=True, **trl_arguments(len(rows.rows), job)),
        train_dataset=datasets.Dataset.from_list(rows.rows),
        processing_class=tokenizer,
    )


def likelihood_mistakes(settings: TrainingSection, online: OnlineSection) -> list[str]:
    """Return a message if `chosen_weight` is 0, since CPO and ORPO are defined with a likelihood term."""
    if settings.chosen_weight:
        return []
    return [
        f"training.method = {settings.method!r} needs the likelihood term of the chosen answers: set "
        "training.chosen_weight above 0"
    ]


CPO = Method(
    "cpo",
    partial(train_without_reference, loss=cpo),
    learns_from="pairs",
    sources=("pairs",),
    learning_rate=1e-6,  # TRL's default for CPO and ORPO
    lora_learning_rate=1e-5,
    mistakes=likelihood_mistakes,
)
SIMPO = Method(
    "simpo",
    partial(train_without_reference, loss=simpo),
    learns_from="pairs",
    sources=("pairs",),
    learning_rate=5e-7,  # the authors' scripts use 3e-7 to 1e-6
    lora_learning_rate=5e-6,
    beta=2.0,  # the paper uses 2 to 10
)
ORPO = Method(
    "orpo",
    partial(train_without_reference, loss=orpo),
    learns_from="pairs",
    sources=("pairs",),
    learning_rate=5e-6,  # the paper's models are trained at 5e-6 to 8e-6; the loss includes that of SFT
    lora_learning_rate=5e-5,
    mistakes=likelihood_mistakes,
)
