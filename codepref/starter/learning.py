"""Trains the starter model, a small Qwen3 model, from random weights with the next-token loss on answers."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codepref.starter.corpus import draw_examples
from codepref.starter.tokenizer import MAX_POSITIONS, chat_text

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM


@dataclass(frozen=True, slots=True)
class Settings:
    """Size of the model, and settings of its training.

    Attributes: `examples` is the number of drawn texts, which is rounded down to whole batches. The model reads each
    text once. `test_share` is the approximate share of texts whose answers are tests. `warmup` is the share of steps in
    which the learning rate rises. `muon_rate` is the highest learning rate of the layers' weight matrices, and
    `learning_rate` is that of all other weights.
    """

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    examples: int = 70_000
    test_share: float = 0.95
    batch: int = 32
    learning_rate: float = 3e-3
    warmup: float = 0.03
    muon_rate: float = 0.01


def build_model(tokenizer: PreTrainedTokenizerFast, settings: Settings, seed: int) -> Qwen3ForCausalLM:
    """Return a new model in float32, whose weights are drawn with `seed`."""
    import torch
    from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden,
        intermediate_size=settings.hidden * 3,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        head_dim=settings.hidden // settings.heads,
        max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        use_cache=True,
    )
    model = Qwen3ForCausalLM(config)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, max_new_tokens=160
    )
    return model


def train(
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    settings: Settings,
    seed: int,
    report: Callable[[int, int, float], None] = lambda *_: None,
) -> None:
    """Train the model in place on `settings.examples` texts, rounded down to whole batches.

    After each step, `report` is called with the step, the number of steps and the loss of the step.
    """
    import torch

    steps = settings.examples // settings.batch
    optimizers = _optimizers(model, settings)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps, settings.warmup))
        for optimizer in optimizers
    ]
    device = next(model.parameters()).device
    model.train()
    batches = _batches(tokenizer, settings, seed)
    for step, (ids_BL, labels_BL) in enumerate(itertools.islice(batches, steps), start=1):
        logits_BLV = model(input_ids=ids_BL.to(device)).logits
        loss = torch.nn.functional.cross_entropy(
            logits_BLV[:, :-1].flatten(0, 1), labels_BL[:, 1:].flatten().to(device), ignore_index=-100
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
        report(step, steps, loss.item())
    model.eval()


def _optimizers(model: Qwen3ForCausalLM, settings: Settings) -> list[torch.optim.Optimizer]:
    """Return Muon (Jordan et al. 2024) for the layers' weight matrices, and AdamW for the embedding and the norms."""
    import torch

    matrices = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and "embed" not in name]
    others = [weight for name, weight in model.named_parameters() if weight.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(matrices, lr=settings.muon_rate, weight_decay=0.05, momentum=0.95),
        torch.optim.AdamW(others, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _rate(step: int, steps: int, warmup: float) -> float:
    rise = max(1, int(steps * warmup))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def _batches(
    tokenizer: PreTrainedTokenizerFast, settings: Settings, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (token ids, labels) of texts of similar length, which are padded on the right.

    Prompts and padding have the label -100.
    """
    import torch

    generator = random.Random(seed + 1)
    examples = draw_examples(seed, settings.test_share)
    while True:
        texts = [chat_text(example) for example in itertools.islice(examples, settings.batch * 32)]
        prompts = tokenizer([prompt for prompt, _ in texts], add_special_tokens=False)["input_ids"]
        answers = tokenizer([answer for _, answer in texts], add_special_tokens=False)["input_ids"]
        rows = sorted(zip(prompts, answers, strict=True), key=lambda row: len(row[0]) + len(row[1]))
        chunks = [rows[start : start + settings.batch] for start in range(0, len(rows), settings.batch)]
        generator.shuffle(chunks)
        for chunk in chunks:
            width = max(len(prompt) + len(answer) for prompt, answer in chunk)
            ids_BL = torch.full((len(chunk), width), tokenizer.pad_token_id)
            labels_BL = torch.full((len(chunk), width), -100)
            for row, (prompt, answer) in enumerate(chunk):
                end = len(prompt) + len(answer)
                ids_BL[row, :end] = torch.tensor(prompt + answer)
                labels_BL[row, len(prompt) : end] = torch.tensor(answer)
            yield ids_BL, labels_BL
