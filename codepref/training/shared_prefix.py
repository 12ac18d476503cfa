"""Log-probabilities of answers without computing a token twice: for TRL's trainers, in place of padded batches."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from codepref.training.prefix_tree import Packed, pack

KNOWN = {"input_ids", "attention_mask", "labels", "use_cache", "num_items_in_batch"}
"""What TRL's trainers of texts give a model. A call with anything else is left as it is."""
FIELDS = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")
TOLERANCE = 1e-3
"""Of a token's log-probability, in nats, in float32: far above rounding, far below what a wrong mask does."""


def share_prefixes(model: Any) -> bool:
    """Have `model(..., fused_lm_head=True)` compute equal beginnings of a batch's rows once, and no padding.

    model: with TRL's fused head (`trl.trainer.utils.add_fused_lm_head`), an adapter around it included. The result is
    that of the padded batch up to rounding, gradients included, so that every loss and metric of a TRL trainer goes on
    as it was. False, and nothing is changed, where the model's attention cannot be given a mask of our own: other
    attention than PyTorch's, sliding windows, recurrent layers, mixtures of experts that balance their load.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not _takes_mask(base):
        return False
    padded = base.forward

    def forward(self: Any, *args: Any, fused_lm_head: bool = False, **given: Any) -> Any:
        if not fused_lm_head:
            return padded(*args, **given)
        if args or given.keys() - KNOWN or given.get("labels") is None or given["attention_mask"].dim() != 2:
            return padded(*args, fused_lm_head=True, **given)
        return _packed(base, padded, **given)

    base.forward = types.MethodType(forward, base)
    base.padded_forward = padded
    return True


def same_as_padded(model: Any, batch: dict[str, Any]) -> bool:
    """Whether the shared computation gives a batch's log-probabilities as the padded one does.

    batch: input_ids, attention_mask and labels. Looked at before the first step, since a model may read a mask in a way
    that its configuration does not tell. On a mismatch the padded computation is put back.
    """
    import torch

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    padded = base.padded_forward
    training = base.training
    base.eval()
    with torch.no_grad():
        one = base(**batch, fused_lm_head=True).log_probs.float()
        other = padded(**batch, fused_lm_head=True).log_probs.float()
    base.train(training)
    # half precision rounds a token's log-probability by some hundredths in either computation
    tolerance = TOLERANCE if base.dtype == torch.float32 else 0.1
    if bool((one - other).abs().max() <= tolerance):
        return True
    base.forward = padded
    return False


def share(trainer: Any, tokenizer: Any) -> bool:
    """Have the trainer compute equal beginnings once, if its model gives the same then as it does in a padded batch."""
    if not share_prefixes(trainer.model):
        return False
    given = _batch(trainer, tokenizer)
    if not same_as_padded(trainer.model, {name: value.to(trainer.model.device) for name, value in given.items()}):
        return False
    if getattr(trainer, "ref_model", None) is not None:
        share_prefixes(trainer.ref_model)
    return True


def _batch(trainer: Any, tokenizer: Any) -> dict[str, Any]:
    """A few rows as the trainer's model gets them; of a method that samples, prompts alone."""
    rows = [trainer.train_dataset[at] for at in range(min(4, len(trainer.train_dataset)))]
    if "task_id" in rows[0]:
        prompts = [row["prompt"] for row in rows]
        batch = tokenizer.apply_chat_template(
            prompts, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        real = batch["attention_mask"]
        # a prompt's first token has none before it; in a padded row it would be foretold from padding
        batch["labels"] = batch["input_ids"].masked_fill((real == 0) | (real.cumsum(1) == 1), -100)
    else:
        batch = trainer.data_collator(rows)
    labels = batch.get("labels")
    if labels is None:
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
    return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "labels": labels}


def _takes_mask(base: Any) -> bool:
    config = base.config.get_text_config()
    # a window over all layers alike (StarCoder2, Mistral) is told by its size alone; rows shorter than it show nothing
    windowed = getattr(config, "sliding_window", None) is not None
    kinds = set(getattr(config, "layer_types", None) or ["sliding_attention" if windowed else "full_attention"])
    return (
        getattr(config, "_attn_implementation", None) == "sdpa"
        and kinds == {"full_attention"}
        and not getattr(config, "output_router_logits", False)
        and not getattr(config, "is_encoder_decoder", False)
    )


def _packed(
    base: Any,
    padded: Any,
    *,
    input_ids: Any,
    attention_mask: Any,
    labels: Any,
    use_cache: bool = False,
    num_items_in_batch: Any = None,
) -> Any:
    """The padded forward on packed rows, its fields laid back into the padded batch's shape."""
    import torch

    device = input_ids.device
    ids, real, targets = (tensor.cpu().numpy() for tensor in (input_ids, attention_mask.bool(), labels))
    columns = [np.flatnonzero(row) for row in real]
    if min(map(len, columns)) < 2 or not (targets[:, 1:] != -100).any():
        return padded(input_ids=input_ids, attention_mask=attention_mask, labels=labels, fused_lm_head=True)
    laid = pack([row[kept].tolist() for row, kept in zip(ids, columns, strict=True)])
    scored = _scored(laid, columns, targets)
    places, source, target, foretold = (torch.from_numpy(array).to(device) for array in scored)

    def only_scored(module: Any, given: Any, outputs: Any) -> Any:
        outputs.last_hidden_state = outputs.last_hidden_state.flatten(0, 1)[places][None]
        return outputs

    # TRL's head scores every place where there is no Triton, prompts too; here it sees those that foretell an answer
    hook = base.base_model.register_forward_hook(only_scored)
    try:
        found = padded(
            input_ids=torch.from_numpy(laid.ids_BL).to(device),
            attention_mask=torch.from_numpy(laid.mask_BLL()[:, None]).to(device),
            position_ids=torch.from_numpy(laid.positions_BL).to(device),
            shift_labels=foretold[None],
            fused_lm_head=True,
        )
    finally:
        hook.remove()
    shape = (len(ids), ids.shape[1] - 1)
    for name in FIELDS:
        if (value := getattr(found, name)) is not None:
            flat = value.new_zeros(shape[0] * shape[1])
            setattr(found, name, flat.index_copy(0, target, value.reshape(-1).index_select(0, source)).view(shape))
    found.label_mask = labels[:, 1:] != -100
    tokens = found.label_mask.sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch
    found.loss = -found.log_probs.sum() / tokens
    return found


def _scored(laid: Packed, columns: list[Any], targets: Any) -> tuple[Any, Any, Any, Any]:
    """The N distinct flat places that foretell a label, and where their figures go.

    Returns the places and their labels (first and last, each of N), and between them for every label of the padded
    batch the place among the N, and its flat place in the batch without its first column.
    """
    sources, target, labels = [], [], []
    for row, (at, kept) in enumerate(zip(laid.places, columns, strict=True)):
        wanted = targets[row, kept[1:]]
        scored = wanted != -100
        sources.append(at[scored])
        labels.append(wanted[scored])
        target.append(row * (targets.shape[1] - 1) + kept[1:][scored] - 1)
    places, first, source = np.unique(np.concatenate(sources), return_index=True, return_inverse=True)
    return places, source, np.concatenate(target), np.concatenate(labels)[first]
