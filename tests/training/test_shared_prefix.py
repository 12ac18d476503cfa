"""Packed rows save work and give the results of TRL's padded batches up to rounding."""

import copy
from typing import Any

import pytest
import torch

from codepref.training.shared_prefix import same_as_padded, share_prefixes

OUTPUTS = ("log_probs", "entropy", "mean_logits", "is_top1")


def small(**more: Any) -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from trl.trainer.utils import add_fused_lm_head

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "vocab_size": 50}
    model = Qwen2ForCausalLM(
        Qwen2Config(num_attention_heads=4, num_key_value_heads=2, use_cache=False, **sizes | more)
    ).float()
    add_fused_lm_head(model, outputs=OUTPUTS)
    return model


def batch(*, left: bool = False) -> dict[str, Any]:
    """Return a batch of two answers to each of three prompts.

    The answers to the first prompt have a common prefix. The answers to the second prompt are equal. One answer to the
    third prompt continues the other one. left: whether the padding is on the left.
    """
    prompts = [[3, 4, 5, 6], [3, 4, 9], [7, 8]]
    answers = [[[1, 2, 10], [1, 2, 11, 12]], [[13, 14], [13, 14]], [[15], [15, 16]]]
    rows, labels = [], []
    for prompt, both in zip(prompts, answers, strict=True):
        for answer in both:
            rows.append(prompt + answer)
            labels.append([-100] * len(prompt) + answer)
    width = max(map(len, rows))
    sides = [(width - len(row), 0) if left else (0, width - len(row)) for row in rows]

    def padded(lists: list[list[int]], fill: int) -> Any:
        return torch.tensor([[fill] * a + one + [fill] * b for one, (a, b) in zip(lists, sides, strict=True)])

    mask = padded([[1] * len(row) for row in rows], 0)
    return {"input_ids": padded(rows, 0), "attention_mask": mask, "labels": padded(labels, -100)}


@pytest.mark.parametrize("left", [False, True])
def test_log_probabilities_metrics_and_gradients_equal_those_of_the_padded_batch(left: bool) -> None:
    plain, shared = small(), small()
    assert share_prefixes(shared)
    inputs = batch(left=left)
    outputs = [model(**inputs, use_cache=False, fused_lm_head=True) for model in (plain, shared)]
    for name in OUTPUTS[:3]:
        assert torch.allclose(getattr(outputs[0], name), getattr(outputs[1], name), atol=1e-5), name
    assert torch.equal(outputs[0].is_top1, outputs[1].is_top1)
    assert torch.allclose(outputs[0].loss, outputs[1].loss, atol=1e-6)
    weight = torch.linspace(-1, 1, outputs[0].log_probs.numel()).view_as(outputs[0].log_probs)
    for one in outputs:
        (one.log_probs * weight).sum().backward()
    for (name, one), other in zip(plain.named_parameters(), shared.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-5), name


def test_the_loss_is_divided_by_the_tokens_of_the_whole_step_also_without_packing() -> None:
    plain, shared = small(), small()
    share_prefixes(shared)
    short = {
        "input_ids": torch.tensor([[3, 4, 5], [6, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1], [1, 0, 0]]),
        "labels": torch.tensor([[-100, 4, 5], [-100, -100, -100]]),
    }
    for inputs in (batch(), short):
        losses = [model(**inputs, num_items_in_batch=40, fused_lm_head=True).loss for model in (plain, shared)]
        assert torch.allclose(losses[0], losses[1], atol=1e-6)


def test_the_backbone_computes_fewer_tokens() -> None:
    model = small()
    share_prefixes(model)
    tokens: list[int] = []
    model.model.embed_tokens.register_forward_hook(lambda module, inputs, output: tokens.append(inputs[0].numel()))
    inputs = batch()
    model(**inputs, fused_lm_head=True)
    model.padded_forward(**inputs, fused_lm_head=True)
    assert tokens[0] < tokens[1] == inputs["input_ids"].numel()


def test_an_adapter_gets_the_same_gradients() -> None:
    import peft

    model = small()
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    plain = copy.deepcopy(adapted)
    assert share_prefixes(adapted)
    for one in (plain, adapted):
        one(**batch(), fused_lm_head=True).log_probs.sum().backward()
    one, other = ({n: p.grad for n, p in m.named_parameters() if p.requires_grad} for m in (plain, adapted))
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


def test_a_call_without_the_fused_head_is_unchanged() -> None:
    model = small()
    plain = model(input_ids=batch()["input_ids"]).logits
    share_prefixes(model)
    assert torch.equal(model(input_ids=batch()["input_ids"]).logits, plain)


@pytest.mark.parametrize(
    "more",
    [
        {"attn_implementation": "eager"},
        {"layer_types": ["full_attention", "sliding_attention", "full_attention"], "use_sliding_window": True},
    ],
)
def test_attention_that_takes_no_custom_mask_is_left_unchanged(more: dict[str, Any]) -> None:
    assert not share_prefixes(small(**more))


@pytest.mark.parametrize("name", ["Starcoder2", "Mistral"])
def test_a_sliding_window_over_all_layers_is_left_unchanged(name: str) -> None:
    import transformers

    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "vocab_size": 50}
    ids = {"num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": 1, "eos_token_id": 1}
    kind, config = (getattr(transformers, name + suffix) for suffix in ("ForCausalLM", "Config"))
    assert not share_prefixes(kind(config(sliding_window=4096, **sizes, **ids)))
    assert share_prefixes(kind(config(sliding_window=None, **sizes, **ids)))


def test_a_model_that_ignores_the_mask_is_detected_and_restored() -> None:
    model = small()
    attention = model.model.layers[1].self_attn
    real = attention.forward
    attention.forward = lambda *args, **named: real(*args, **named | {"attention_mask": None})
    share_prefixes(model)
    assert not same_as_padded(model, batch())
    again = model(**batch(), fused_lm_head=True).log_probs
    assert torch.equal(again, model.padded_forward(**batch(), fused_lm_head=True).log_probs)


def test_the_head_scores_the_answers_alone() -> None:
    model = small()
    share_prefixes(model)
    inputs = batch()
    scored: list[int] = []
    real = model.base_model.forward
    hidden = {}

    def keep(*args: Any, **named: Any) -> Any:
        hidden["outputs"] = real(*args, **named)
        return hidden["outputs"]

    model.base_model.forward = keep
    output = model(**inputs, fused_lm_head=True)
    scored.append(hidden["outputs"].last_hidden_state.shape[1])
    # 1 2 10 and 1 2 11 12 share 2 of their places and need 5. The two equal answers need 2. 15 and 15 16 need 2.
    assert scored == [9]
    assert int((inputs["labels"][:, 1:] != -100).sum()) == 3 + 4 + 2 + 2 + 1 + 2
    assert output.log_probs.shape == (6, inputs["input_ids"].shape[1] - 1)


def test_a_batch_without_labels_gives_zeros_with_a_gradient() -> None:
    model = small()
    share_prefixes(model)
    inputs = batch()
    inputs["labels"] = inputs["labels"] * 0 - 100
    output = model(**inputs, fused_lm_head=True)
    output.log_probs.sum().backward()
    assert float(output.log_probs.detach().abs().sum()) == 0
