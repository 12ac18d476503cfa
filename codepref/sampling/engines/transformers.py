"""The Transformers engine. It generates one batch at a time in this process, with one seed for each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from codepref.errors import MachineError, UserError
from codepref.models import chat_of, fingerprint, load_model, load_tokenizer, pick_device, quiet
from codepref.records import Message
from codepref.sampling.engines.base import Answer, Ask, Decoding, ask_seed


class TransformersEngine:
    """A local or hub model. Weights are loaded at the first answer, so that a finished run loads none."""

    def __init__(self, model: str, *, dtype: str = "auto", device: str = "auto") -> None:
        self.name = model
        self.fingerprint = fingerprint(model)
        self._dtype, self._device = dtype, device
        self._tokenizer: Any = load_tokenizer(model)
        self._chat = chat_of(model, self._tokenizer)
        self._model: Any = None
        self._settle()

    @classmethod
    def around(cls, model: Any, tokenizer: Any, name: str) -> TransformersEngine:
        """Return an engine for a model in memory, such as a model in training. `name` becomes the fingerprint."""
        engine = cls.__new__(cls)
        engine.name = engine.fingerprint = name
        engine._model, engine._tokenizer, engine._chat = model, tokenizer, chat_of(model, tokenizer)
        engine._settle()
        return engine

    def _settle(self) -> None:
        self._batch_size = 128
        self._on_tokens: Callable[[int], None] = lambda number: None

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """Return the number of tokens of the prompt, with the generation prompt.

        Raises UserError if the chat template refuses the messages or changes their texts.
        """
        return len(self._chat.prompt_ids(messages))

    def prepare(self, *, batch_size: int, folder: Path | None, on_tokens: Callable[[int], None]) -> None:
        """Take the largest number of answers that are computed at once, and the callback for the tokens."""
        self._batch_size, self._on_tokens = batch_size, on_tokens

    def answers(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> Iterator[tuple[int, Answer]]:
        """Yield (place in `asks`, answer) for each ask.

        Raises what `_answer` raises.
        """
        for start in range(0, len(asks), self._batch_size):
            batch = [asks[place] for place in range(start, min(start + self._batch_size, len(asks)))]
            yield from enumerate(self._answer(batch, decoding, ask_seed(batch[0], seed)), start)

    def _answer(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> list[Answer]:
        """Return one answer for each ask. All answers are generated in one padded batch.

        Raises UserError if a prompt fills the model's context, MachineError if GPU memory runs out, and the errors of
        `codepref.models.load_model`.
        """
        import torch

        self._load()
        encoded = self._tokenizer.apply_chat_template(
            [self._chat.prompt(ask.messages) for ask in asks],
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
        ).to(self._model.device)
        prompt_tokens = encoded["input_ids"].shape[1]
        room = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        if room is not None and prompt_tokens >= room:
            raise UserError(
                f"{self.name}: the prompt of {asks[0].task_id} has {prompt_tokens} tokens, and the model's context of "
                f"{room} tokens leaves no room for an answer. Leave this problem out"
            )
        limit = decoding.max_new_tokens if room is None else min(decoding.max_new_tokens, room - prompt_tokens)
        torch.manual_seed(seed)
        try:
            with torch.inference_mode():
                generated = self._model.generate(
                    **{key: encoded[key] for key in ("input_ids", "attention_mask")},
                    generation_config=self._generation_config(decoding, limit),
                )
        except torch.OutOfMemoryError as error:
            raise MachineError(
                f"GPU memory ran out with {len(asks)} answers at once. Lower --batch-size, or in a recipe "
                "sampling.batch_size or responses.batch_size"
            ) from error
        return [self._decode(row[prompt_tokens:].tolist()) for row in generated]

    def _load(self) -> None:
        if self._model is None:
            with quiet():
                self._model = load_model(self.name, dtype=self._dtype, device=pick_device(self._device))

    def _generation_config(self, decoding: Decoding, limit: int) -> Any:
        from transformers import GenerationConfig

        # A checkpoint's generation_config.json can hold top_k, repetition penalties or a temperature. A score must
        # depend on the recipe alone, so only the stop tokens are taken from there.
        greedy = decoding.temperature == 0
        return GenerationConfig(
            do_sample=not greedy,
            temperature=None if greedy else decoding.temperature,
            top_p=None if greedy else decoding.top_p,
            top_k=None if greedy else 0,
            max_new_tokens=limit,
            eos_token_id=sorted(self._chat.ends),
            pad_token_id=self._tokenizer.pad_token_id,
        )

    def _decode(self, tokens: list[int]) -> Answer:
        finished, stops = False, self._chat.ends
        for place, token in enumerate(tokens):
            if token in stops:
                tokens, finished = tokens[:place], True
                break
        return Answer(self._tokenizer.decode(tokens, skip_special_tokens=True), finished)
