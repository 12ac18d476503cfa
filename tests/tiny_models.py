"""Tiny models with chat templates that behave like those of published families. The tests make these models.

The templates are written for the tests. Each has the features for which its family is known.
"""

import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LINES = [
    "Write a function add that returns the sum of a and b.",
    "def add(a, b):\n    return a + b\n\n\ndef twice(n):\n    return 2 * n",
    "Answer with a program. Be short. The values are 0 1 2 3 4 5 6 7 8 9.",
]
"""Lines from which the tokenizers learn."""

REFUSES_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('This family has no system role') }}{% endif %}"
)
ALTERNATE = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('User and assistant must take turns') }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}"
    + REFUSES_SYSTEM
    + ALTERNATE
    + "{% for m in messages %}{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n'"
    " + m.content | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
PHI = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
LLAMA = (
    "{{ bos_token }}{{ '<|start_header_id|>system<|end_header_id|>\n\nToday Date: ' + strftime_now('%d %b %Y') }}"
    "{% if messages[0].role == 'system' %}{{ '\n\n' + messages[0].content | trim }}"
    "{% set messages = messages[1:] %}{% endif %}{{ '<|eot_id|>' }}"
    "{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim"
    " + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% set rule = '' %}{% if messages[0].role == 'system' %}"
    "{% set rule = messages[0].content + '\n\n' %}{% set messages = messages[1:] %}{% endif %}"
    + ALTERNATE
    + "{% for m in messages %}{% if m.role == 'user' %}"
    "{{ '[INST] ' + (rule if loop.last or loop.revindex == 2 else '') + m.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + m.content | trim + eos_token }}{% endif %}{% endfor %}"
)
QWEN = (
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou are of use.<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}{% set text = m.content %}"
    "{% if m.role == 'assistant' and '</think>' in text %}{% set text = text.split('</think>')[-1] %}{% endif %}"
    "{{ '<|im_start|>' + m.role + '\n' + text + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Family:
    """A kind of model.

    template: the chat template. end: the token that ends a turn. eos, pad, bos: the tokenizer's special tokens; pad and
    bos may be "" for none. stops: the end tokens of generation_config.json; with None there is no such file. special:
    other tokens of the template.
    """

    template: str
    end: str
    eos: str
    pad: str = ""
    bos: str = ""
    stops: tuple[str, ...] | str | None = None
    special: tuple[str, ...] = field(default=())


FAMILIES = {
    "gemma": Family(
        GEMMA, "<end_of_turn>", "<eos>", "<pad>", "<bos>", ("<eos>", "<end_of_turn>"), ("<start_of_turn>",)
    ),
    "phi": Family(
        PHI,
        "<|end|>",
        "<|endoftext|>",
        "<|endoftext|>",
        stops=("<|endoftext|>", "<|end|>"),
        special=("<|user|>", "<|assistant|>", "<|system|>"),
    ),
    "llama": Family(
        LLAMA,
        "<|eot_id|>",
        "<|end_of_text|>",
        bos="<|begin_of_text|>",
        stops="<|eot_id|>",
        special=("<|start_header_id|>", "<|end_header_id|>"),
    ),
    "mistral": Family(MISTRAL, "</s>", "</s>", bos="<s>", stops="</s>", special=("[INST]", "[/INST]")),
    # a base model: only the template knows its end of turn
    "qwen": Family(QWEN, "<|im_end|>", "<|endoftext|>", "<|endoftext|>", special=("<|im_start|>",)),
}


def make_tokenizer(family: Family) -> Any:
    """Return a byte-level tokenizer of the family."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    own = [family.pad, family.bos, family.eos, family.end, *family.special]
    backend = Tokenizer(models.BPE())
    # line breaks are cut off from what follows them, as by most published tokenizers
    cut = pre_tokenizers.Split(Regex(r" ?\w+| ?[^\s\w]+|\s*\n+|\s+(?!\S)|\s+"), behavior="isolated")
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.Sequence([cut, letters]), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=[token for token in dict.fromkeys(own) if token],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(LINES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=family.eos,
        pad_token=family.pad or None,
        bos_token=family.bos or None,
        chat_template=family.template,
    )


def make_model(folder: Path, family: Family, says: str = "", rows: int = 0) -> str:
    """Write a model of the family into the folder, and return the folder's path as text.

    says: a text that the model always answers, followed by the family's end token and by the text again. No token may
    occur twice in the text, and neither the end token nor the last token of a prompt may occur in it. "" makes a model
    with random weights. rows: the number of rows of the embedding; 0 stands for the number of the tokenizer's tokens.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer(family)
    size = -len(tokenizer) % 8 + len(tokenizer)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=rows or len(tokenizer),
        hidden_size=size if says else 32,
        intermediate_size=32,
        num_hidden_layers=1 if says else 2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    if says:
        _teach(model, tokenizer, says, family.end)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    if family.stops is not None:
        several = isinstance(family.stops, tuple)
        ids = tokenizer.convert_tokens_to_ids(list(family.stops) if several else family.stops)
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}))
    return str(folder)


def _teach(model: Any, tokenizer: Any, says: str, end: str) -> None:
    """Let each token decide the next one: embeddings are unit vectors, and the layer adds nothing to them."""
    import torch

    prompt = tokenizer.apply_chat_template([{"role": "user", "content": "x"}], add_generation_prompt=True)["input_ids"]
    words = tokenizer.encode(says, add_special_tokens=False)
    last = tokenizer.convert_tokens_to_ids(end)
    steps = [prompt[-1], *words, last, words[0]]
    assert len(set(steps[:-1])) == len(steps) - 1, [tokenizer.decode([token]) for token in steps]
    with torch.no_grad():
        torch.nn.init.eye_(model.model.embed_tokens.weight)
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.lm_head.weight.zero_()
        for token, following in itertools.pairwise(steps):
            model.lm_head.weight[following, token] = 1.0
