"""Makes the model and the pairs for the trainings of both systems."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from codepref.problems.load import load_problems
from codepref.records import Pair
from codepref.storage.files import read_jsonl

SIZES = {
    "0.5b": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
    "tiny": {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 4},
}
VOCABULARY = {"0.5b": 151_936, "tiny": 2048}
SETS = {"one pair a prompt": 1, "four pairs a prompt": 4}
"""Name of a set -> the number of pairs of each problem."""


def build_model(folder: Path, size: str) -> None:
    """Write a model with random weights and the starter's tokenizer to `folder`, unless the folder has a model.

    The weights are drawn with a fixed seed.
    """
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from codepref.models import load_tokenizer

    if (folder / "config.json").exists():
        return
    torch.manual_seed(0)
    config = Qwen2Config(
        **SIZES[size], num_key_value_heads=2, vocab_size=VOCABULARY[size], tie_word_embeddings=True, use_cache=False
    )
    tokenizer = load_tokenizer("starter")
    config.eos_token_id = config.bos_token_id = tokenizer.eos_token_id
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_pairs(model: str, data: Path, problems: int, pairs: int, max_length: int) -> list[Pair]:
    """Return `pairs` pairs for each of at most `problems` problems. The pairs are shuffled with a fixed seed.

    Chosen and rejected are arbitrary samples. A sample that is blank, is too long or has the same tokens as another one
    is not used. Problems with fewer than 2 x `pairs` other samples are left out. model: the folder of the tokenizer.
    max_length: the largest number of tokens of prompt and answer together.
    """
    from codepref.models import load_tokenizer

    folder, tokenizer = data / "codegen16b", load_tokenizer(model)
    samples: dict[str, list[str]] = {}
    for _, row in read_jsonl(folder / "solutions.jsonl.gz"):
        samples.setdefault(row["task_id"], []).append(row["completion"])
    result: list[Pair] = []
    for problem in load_problems(str(folder / "problems.jsonl.gz")):
        prompt = [{"role": "user", "content": problem.prompt}]
        by_tokens = {tokens_of(tokenizer, prompt, text): text for text in samples[problem.task_id] if text.strip()}
        fitting = [text for tokens, text in by_tokens.items() if len(tokens) <= max_length]
        if len(fitting) < 2 * pairs or problems == 0:
            continue
        problems -= 1
        for first in range(0, 2 * pairs, 2):
            sides = [[{"role": "assistant", "content": text}] for text in fitting[first : first + 2]]
            result.append(Pair(problem.task_id, prompt, sides[0], sides[1], "benchmark", 1.0, first, first + 1))
    random.Random(0).shuffle(result)
    return result


def tokens_of(tokenizer: Any, prompt: Any, answer: str) -> tuple[int, ...]:
    """Return the tokens of prompt and answer in the chat template."""
    messages = [*prompt, {"role": "assistant", "content": answer}]
    return tuple(tokenizer.apply_chat_template(messages)["input_ids"])
