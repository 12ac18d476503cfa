"""The starter's tokenizer: byte-level BPE, learned from the corpus, with one token for each role and for the end."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from codepref.starter import SOLUTION_TEMPLATE, TEST_TEMPLATE
from codepref.starter.corpus import Example, draw_examples

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, SYSTEM, USER, ASSISTANT, END = "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
VOCABULARY = 640
"""Number of tokens in the vocabulary."""

LEARN_FROM = 20_000
"""Number of examples from which the tokenizer is learned."""

MAX_POSITIONS = 512
"""Number of tokens in the model's context."""

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}"
)
"""Opens each turn with the token of its role, and closes it with the end token. So no token can span two turns."""

RESPONSE_TEMPLATE = {
    "defaults": {"role": "assistant"},
    "start_anchor": ASSISTANT,
    "fields": {"content": {"close": END, "content": "text"}},
}
"""How `transformers serve` parses an answer. Without this setting it would parse answers as those of Qwen3 models."""


def user_message(example: Example) -> str:
    """Return the user message of an example."""
    template = TEST_TEMPLATE if example.is_test else SOLUTION_TEMPLATE
    return template.format(prompt=example.prompt, entry_point=example.prompt.split("(", 1)[0])


def chat_text(example: Example) -> tuple[str, str]:
    """Return an example as (prompt text, response text). Joined, they equal the output of the chat template."""
    return f"{USER}{user_message(example)}{END}{ASSISTANT}", f"{example.answer}{END}"


def build_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """Learn the tokenizer from LEARN_FROM examples, and return it. Each digit is one token.

    Merges are learned from instructions and code, some of it with a test. A word after a quotation mark `'`, as in the
    values of tests, is split into single letters. This helps the model to reverse and sort letters.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(
                Regex(r"(?<=['A-Za-z])[A-Za-z]|\n *|[0-9]| ?[A-Za-z_]+| ?[^\sA-Za-z0-9_]+|\s"), behavior="isolated"
            ),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, SYSTEM, USER, ASSISTANT, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    examples = itertools.islice(draw_examples(seed, test_share=0.0), LEARN_FROM)
    tokenizer.train_from_iterator(_texts(examples), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        response_template=RESPONSE_TEMPLATE,
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_max_length=MAX_POSITIONS,
    )


def _texts(examples: Iterable[Example]) -> Iterable[str]:
    for example in examples:
        yield user_message(dataclasses.replace(example, is_test=True))
        yield "assert"
        yield user_message(example)
        yield example.answer
