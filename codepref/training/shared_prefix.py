"""Log-probabilities of answers from packed rows, which hold shared prefixes once, instead of padded batches."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from codepref.training.prefix_tree import Packed, pack

KNOWN_ARGUMENTS = {"input_ids", "attention_mask", "labels", "use_cache", "num_items_in_batch"}
"""The arguments with which TRL calls a text model. A call with other arguments, or without labels, computes the padded
batch."""
FIELDS = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")
"""The values for each token that TRL's fused head can return."""
TOLERANCE = 1e-3
"""The largest accepted difference of a token's log-probability in float32, in nats. Rounding errors are usually far
smaller, and the effect of a wrong mask is usually far larger."""


def share_prefixes(model: Any) -> bool:
    """Change `model` so that `model(..., fused_lm_head=True)` computes shared prefixes of a batch once.

    model: a model with TRL's fused head (`trl.trainer.utils.add_fused_lm_head`), with or without an adapter. If the
    model uses the given mask and positions and has no dropout, results and gradients equal those of the padded batch up
    to rounding. Returns True. If packed rows do not suit the model, returns False and does not change it. They do not
    suit a model whose configuration shows another kind of attention than `sdpa`, layers other than full attention (such
    as sliding windows and recurrent layers), an encoder, or a loss that balances the load of experts.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not _takes_mask(base):
        return False
    padded = base.forward

    def forward(self: Any, *args: Any, fused_lm_head: bool = False, **named: Any) -> Any:
        if not fused_lm_head:
            return padded(*args, **named)
        unknown = args or named.keys() - KNOWN_ARGUMENTS
        if unknown or named.get("labels") is None or named["attention_mask"].dim() != 2:
            return padded(*args, fused_lm_head=True, **named)
        return _packed(base, padded, **named)

    base.forward = types.MethodType(forward, base)
    base.padded_forward = padded
    return True


def same_as_padded(model: Any, batch: dict[str, Any]) -> bool:
    """Return whether packed rows give a batch the log-probabilities of the padded batch, within a tolerance.

    If they do not, the model computes padded batches again. This check is needed since a model may use its attention
    mask in a way that its configuration does not show. model: a model that `share_prefixes` has changed. batch:
    input_ids, attention_mask and labels.
    """
    import torch

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    padded = base.padded_forward
    training = base.training
    base.eval()
    with torch.no_grad():
        shared = base(**batch, fused_lm_head=True).log_probs.float()
        expected = padded(**batch, fused_lm_head=True).log_probs.float()
    base.train(training)
    # in half precision both computations round the log-probability of a token by some hundredths
    tolerance = TOLERANCE if base.dtype == torch.float32 else 0.1
    if bool((shared - expected).abs().max() <= tolerance):
        return True
    base.forward = padded
    return False


def share(trainer: Any, tokenizer: Any) -> bool:
    """Make the trainer's models compute shared prefixes once, and return whether they do.

    A few rows of the training data are computed both ways first. If the results differ, the models compute padded
    batches as before.
    """
    if not share_prefixes(trainer.model):
        return False
    batch = _example_batch(trainer, tokenizer)
    if not same_as_padded(trainer.model, {name: value.to(trainer.model.device) for name, value in batch.items()}):
        return False
    if getattr(trainer, "ref_model", None) is not None:
        share_prefixes(trainer.ref_model)
    return True


def _example_batch(trainer: Any, tokenizer: Any) -> dict[str, Any]:
    """Return up to four training rows as input of the model.

    The rows of online methods hold no answers. Their labels are all tokens of the prompt except the first token.
    """
    rows = [trainer.train_dataset[at] for at in range(min(4, len(trainer.train_dataset)))]
    if "task_id" in rows[0]:
        prompts = [row["prompt"] for row in rows]
        batch = tokenizer.apply_chat_template(
            prompts, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        real = batch["attention_mask"]
        # no token stands before the first token of a prompt; in a padded row it would be predicted from padding
        batch["labels"] = batch["input_ids"].masked_fill((real == 0) | (real.cumsum(1) == 1), -100)
    else:
        batch = trainer.data_collator(rows)
    labels = batch.get("labels")
    if labels is None:
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
    return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "labels": labels}


def _takes_mask(base: Any) -> bool:
    """Return whether the configuration shows none of the things for which `share_prefixes` returns False."""
    config = base.config.get_text_config()
    # StarCoder2 and Mistral name the window's size but no kinds of layers. `same_as_padded` would not notice a window
    # that is longer than its rows.
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
    """Return the model's output for a batch. It is computed on packed rows and put into the padded batch's shape.

    The padded batch is computed instead if it has no labels or a sequence of fewer than two tokens.
    """
    import torch

    device = input_ids.device
    ids, real, targets = (tensor.cpu().numpy() for tensor in (input_ids, attention_mask.bool(), labels))
    columns = [np.flatnonzero(row) for row in real]
    if min(map(len, columns)) < 2 or not (targets[:, 1:] != -100).any():
        return padded(
            input_ids=input_ids,
            attention_mask=attention_mask,
            labels=labels,
            num_items_in_batch=num_items_in_batch,
            fused_lm_head=True,
        )
    packed = pack([row[kept].tolist() for row, kept in zip(ids, columns, strict=True)])
    scored = _scored_places(packed, columns, targets)
    places, source, target, predicted = (torch.from_numpy(array).to(device) for array in scored)

    def keep_scored(module: Any, inputs: Any, outputs: Any) -> Any:
        outputs.last_hidden_state = outputs.last_hidden_state.flatten(0, 1)[places][None]
        return outputs

    # Without Triton TRL's head would score all places, also those of prompts. The hook keeps labelled places.
    hook = base.base_model.register_forward_hook(keep_scored)
    try:
        output = padded(
            input_ids=torch.from_numpy(packed.ids_BL).to(device),
            attention_mask=torch.from_numpy(packed.mask_BLL()[:, None]).to(device),
            position_ids=torch.from_numpy(packed.positions_BL).to(device),
            shift_labels=predicted[None],
            fused_lm_head=True,
        )
    finally:
        hook.remove()
    shape = (len(ids), ids.shape[1] - 1)
    for name in FIELDS:
        if (value := getattr(output, name)) is not None:
            flat = value.new_zeros(shape[0] * shape[1])
            setattr(output, name, flat.index_copy(0, target, value.reshape(-1).index_select(0, source)).view(shape))
    output.label_mask = labels[:, 1:] != -100
    tokens = output.label_mask.sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch
    output.loss = -output.log_probs.sum() / tokens
    return output


def _scored_places(packed: Packed, columns: list[Any], targets: Any) -> tuple[Any, Any, Any, Any]:
    """Return the places that predict a label, and where their values belong in the padded batch.

    The padded batch has M labels. N distinct places predict them, since equal prefixes with equal labels share a place.
    The result is four arrays. places (N): the places, as flat indices into the packed rows. source (M): for each label,
    the index in `places` of the place that predicts it. target (M): for each label, its flat index in the padded batch
    without the first column. labels (N): the label that each place predicts.
    """
    sources, target, labels = [], [], []
    for row, (at, kept) in enumerate(zip(packed.places, columns, strict=True)):
        wanted = targets[row, kept[1:]]
        scored = wanted != -100
        sources.append(at[scored])
        labels.append(wanted[scored])
        target.append(row * (targets.shape[1] - 1) + kept[1:][scored] - 1)
    places, first, source = np.unique(np.concatenate(sources), return_index=True, return_inverse=True)
    return places, source, np.concatenate(target), np.concatenate(labels)[first]
