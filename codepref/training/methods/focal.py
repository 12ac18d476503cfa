"""Focal DPO: DPO's loss on the tokens in which the chosen and the rejected answer differ.

This is codepref's own reading of Target-DPO (arXiv 2503.02783). Three ideas are taken from the paper: most tokens of a
wrong program are right, a diff between the two programs finds the others, and DPO's loss leaves out shared tokens.
These points differ from the paper:

- The paper makes its pairs by repairing a program step by step. codepref takes the pairs of any rule.
- The paper leaves out shared tokens of the rejected answer only. codepref leaves them out on both sides, so that the
  same text adds nothing to the margin. The likelihood term (`chosen_weight`) covers all tokens of the chosen answer.
- The diff is difflib's, over token ids. All differing tokens have the weight 1.

Tokens before the first difference have the same context on both sides, so they cancel in plain DPO too. The methods
differ in the shared tokens after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codepref.chat import Chat
from codepref.config.sections import OnlineSection, TrainingSection
from codepref.records import Pair
from codepref.training.differing import differing_tokens
from codepref.training.job import TrainingJob
from codepref.training.methods.base import Method
from codepref.training.methods.dpo import DPO, REFERENCE_COLUMNS, expected_first_loss, first_loss
from codepref.training.result import TrainingResult
from codepref.training.rows import TrainingRows, preference_rows

COLUMNS = ("chosen_focus", "rejected_focus")
"""The columns of the rows that hold `differing_tokens`."""
FOCUS = "focus"
"""The key of the mask in a batch: an array of answers x tokens, 1 at the differing tokens."""
BY_LENGTH = ("ipo", "sigmoid_norm")
"""Losses of TRL that divide by the length of the whole answer, which does not fit a sum over some of its tokens."""


def train_focal(job: TrainingJob, pairs: Sequence[Pair]) -> TrainingResult:
    """Train on `pairs` with DPO's loss on differing tokens, and write the trained model, or its adapter, to `job.out`.

    The loss is the one that `settings.loss` names, of log-probabilities summed over the differing tokens of each
    answer, plus `chosen_weight` times the mean negative log-likelihood of all tokens of the chosen answers. The
    result's settings record the share of tokens that differ, on each side. Raises what `train_dpo` raises.
    """
    from codepref.training.trainer import run_training

    def rows(chat: Chat) -> TrainingRows:
        return preference_rows(pairs, chat, max_length=job.settings.max_length)

    return run_training(job, rows=rows, build=build_trainer, first_loss=first_loss, reference_columns=REFERENCE_COLUMNS)


def build_trainer(job: TrainingJob, rows: TrainingRows, tokenizer: Any) -> Any:
    """Return a DPOTrainer of TRL whose models give the log-probability 0 to shared tokens."""
    import datasets
    import trl

    from codepref.training.setup import models, trl_arguments

    weight = job.settings.chosen_weight

    class FocalTrainer(trl.DPOTrainer):  # type: ignore[misc]
        def _set_signature_columns_if_needed(self) -> None:
            super()._set_signature_columns_if_needed()
            self._signature_columns += [name for name in COLUMNS if name not in self._signature_columns]

        def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> Any:
            rest = {name: value for name, value in inputs.items() if name != FOCUS}
            with _Focused((self.model, self.ref_model), inputs[FOCUS]) as focused:
                result = super()._compute_loss(model, rest, return_outputs)
            if not weight or not self.model.training:
                return result
            loss = result[0] if isinstance(result, tuple) else result
            loss = loss + weight * _chosen_nll(focused.log_probs, inputs["completion_mask"])
            return (loss, result[1]) if isinstance(result, tuple) else loss

        def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
            rest = {name: value for name, value in inputs.items() if name != FOCUS}
            with _Focused((model,), inputs[FOCUS]):
                return super().compute_ref_log_probs(model, rest)

    trainer = FocalTrainer(
        **models(job),
        args=trl.DPOConfig(loss_type=[job.settings.loss], **trl_arguments(len(rows.rows), job)),
        train_dataset=datasets.Dataset.from_list(rows.rows),
        processing_class=tokenizer,
    )
    trainer.data_collator = _Collator(trainer.data_collator)
    trainer.train_dataset = trainer.train_dataset.map(_focus)
    trainer.recorded = {f"{side}_share": _share(trainer.train_dataset[side]) for side in COLUMNS}
    return trainer


def _focus(row: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(COLUMNS, differing_tokens(row["chosen_ids"], row["rejected_ids"]), strict=True))


def _share(masks: Sequence[Sequence[int]]) -> float:
    return sum(map(sum, masks)) / max(1, sum(map(len, masks)))


class _Collator:
    """TRL's collator of preference rows, whose batches also hold FOCUS."""

    def __init__(self, collator: Any) -> None:
        self.collator = collator

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        import torch

        batch: dict[str, Any] = self.collator(rows)
        focus = torch.zeros_like(batch["completion_mask"])
        # the first half of the batch holds the chosen answers
        masks = [row[side] for side in COLUMNS for row in rows]
        for place, (row, mask) in enumerate(zip([*rows, *rows], masks, strict=True)):
            start = len(row["prompt_ids"])
            focus[place, start : start + len(mask)] = torch.tensor(mask)
        return batch | {FOCUS: focus}


class _Focused:
    """Sets log-probabilities in the output of models to 0 at shared tokens, while the context is open.

    log_probs: the last unchanged log-probabilities with gradients, which are those of the trained model.
    """

    def __init__(self, models: Sequence[Any], focus: Any) -> None:
        self.log_probs: Any = None
        self._focus = focus[:, 1:]
        self._handles = [model.register_forward_hook(self._change) for model in models if model is not None]

    def _change(self, model: Any, inputs: Any, output: Any) -> None:
        if output.log_probs.requires_grad:
            self.log_probs = output.log_probs
        output.log_probs = output.log_probs * self._focus.to(output.log_probs.device)

    def __enter__(self) -> _Focused:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()


def _chosen_nll(log_probs: Any, completion_mask: Any) -> Any:
    """Return the mean negative log-likelihood of a token of the chosen answers, the first half of the batch.

    log_probs: an array of answers x (tokens - 1), which is 0 at tokens that belong to no answer.
    """
    chosen, mask = log_probs.chunk(2)[0], completion_mask[:, 1:].chunk(2)[0]
    return -chosen.sum() / mask.sum().clamp(min=1)


def focal_mistakes(settings: TrainingSection, online: OnlineSection) -> list[str]:
    """Return a message for a loss that divides by the length of whole answers."""
    if settings.loss not in BY_LENGTH:
        return []
    return [
        f"training.loss = {settings.loss!r} divides by the length of the whole answer, and training.method = "
        "'focal-dpo' sums over the differing tokens only: choose another loss, such as 'sigmoid'"
    ]


FOCAL = Method(
    "focal-dpo",
    train_focal,
    learns_from="pairs",
    sources=("pairs",),
    learning_rate=DPO.learning_rate,
    lora_learning_rate=DPO.lora_learning_rate,
    mistakes=focal_mistakes,
    expected_first_loss=expected_first_loss,
)
