"""The Transformers engine. It generates answers in this process, many at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from codepref.errors import MachineError, UserError
from codepref.models import chat_of, fingerprint, load_model, load_tokenizer, pick_device, quiet
from codepref.records import Message
from codepref.sampling.decoding.loop import DecodingLoop
from codepref.sampling.decoding.plain import generate
from codepref.sampling.decoding.prompts import Prompt, encoded_prompts
from codepref.sampling.decoding.support import is_supported, windows
from codepref.sampling.engines.base import Answer, Ask, Decoding

SMALL = 256
"""With dtype "auto", models whose hidden size is below this compute in float32 on a CPU.

bfloat16 is not faster for them.
"""


class TransformersEngine:
    """A local or hub model. Its weights are loaded before its first answer, so that a finished run loads none.

    Raises what `codepref.models.load_tokenizer` and `codepref.models.fingerprint` raise.
    dtype: "auto" is, on a CPU, bfloat16 if the processor computes with it (AMX or AVX512-BF16) and the model is not
    small, and float32 otherwise; on another device it is the checkpoint's type.
    """

    def __init__(self, model: str, *, dtype: str = "auto", device: str = "auto") -> None:
        self.name = model
        self.fingerprint = fingerprint(model) + ("" if dtype == "auto" else f"-{dtype}")
        self._dtype, self._device = dtype, device
        self._set_up(None, load_tokenizer(model))

    @classmethod
    def around(cls, model: Any, tokenizer: Any, name: str) -> TransformersEngine:
        """Return an engine for a model in memory, such as a model in training. `name` becomes the fingerprint."""
        engine = cls.__new__(cls)
        engine.name = engine.fingerprint = name
        engine._set_up(model, tokenizer)
        return engine

    def _set_up(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._chat = chat_of(self.name if model is None else model, tokenizer)
        self._batch_size = 128
        self._on_tokens: Callable[[int], None] = lambda number: None
        self._has_loop: bool | None = None

    def summary(self) -> dict[str, Any]:
        """Return {"engine": the type of the numbers, the device and the decoder in use}, or {} before the first answer.

        The decoder is "slots" (see `codepref.sampling.decoding.loop`) or "generate" (Transformers' own).
        """
        if self._model is None or self._has_loop is None:
            return {}
        facts = {"dtype": str(self._model.dtype).removeprefix("torch."), "device": str(self._model.device)}
        return {"engine": facts | {"decoder": "slots" if self._has_loop else "generate"}}

    @property
    def moves_system(self) -> bool:
        """Whether system texts go into the first user turn, since the chat template takes no system turn."""
        return self._chat.system_turns == "refused"

    def load(self) -> None:
        """Load the weights now. Raises the errors of `codepref.models.load_model`, and MachineError without memory."""
        with self._memory():
            self._load()

    def use_one_thread(self) -> None:
        """Compute with one thread from now on, as a forked process must: it has no copies of its parent's threads."""
        import torch

        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        torch.set_num_threads(1)

    @property
    def is_small(self) -> bool:
        """Whether the weights are loaded and on a CPU, and the hidden size is below SMALL."""
        return self._model is not None and self._model.device.type == "cpu" and _hidden(self._model) < SMALL

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """Return the number of tokens of the prompt, with the generation prompt.

        Raises the errors of `codepref.chat.Chat.prompt_ids`, which are UserErrors.
        """
        return len(self._chat.prompt_ids(messages))

    def prepare(self, *, batch_size: int, folder: Path | None, on_tokens: Callable[[int], None]) -> None:
        """Take the largest number of answers that are computed at once, and the callback for the tokens."""
        self._batch_size, self._on_tokens = batch_size, on_tokens

    def answers(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> Iterator[tuple[int, Answer]]:
        """Yield (place in `asks`, answer) for each ask, in the order in which the answers are finished.

        Raises UserError if a prompt fills the model's context or does not fit the chat template, MachineError if memory
        runs out, and the errors of `codepref.models.load_model`.
        """
        if not len(asks):
            return
        with self._memory():
            self._load()
            stops = set(self._chat.ends)
            config = self._model.config.get_text_config()
            room = getattr(config, "max_position_embeddings", None)
            prompts = self._checked(encoded_prompts(asks, self._chat.prompt_ids, seed), room)
            options: dict[str, Any] = {"stops": stops, "slots": self._batch_size, "room": room}
            options["on_tokens"] = self._on_tokens
            if self._has_loop is None:
                self._has_loop = is_supported(self._model, self._chat.prompt_ids(asks[0].messages))
            if self._has_loop:
                kinds = windows(config)
                assert kinds is not None
                finished = DecodingLoop(self._model, decoding, windows=kinds, **options).run(prompts)
            else:
                pad = self._tokenizer.pad_token_id
                finished = generate(self._model, prompts, decoding, pad=pad, **options)
        while True:
            with self._memory():
                answer = next(finished, None)
            if answer is None:
                return
            place, tokens, ended = answer
            yield place, Answer(self._tokenizer.decode(tokens, skip_special_tokens=True), ended)

    def _checked(self, prompts: Iterator[Prompt], room: int | None) -> Iterator[Prompt]:
        """Yield the prompts. Raise UserError for a prompt that leaves no room for an answer."""
        for prompt in prompts:
            if room is not None and len(prompt.tokens) >= room:
                raise UserError(
                    f"{self.name}: the prompt of {prompt.task_id} has {len(prompt.tokens)} tokens, and the model's "
                    f"context of {room} tokens leaves no room for an answer. Shorten this prompt or leave it out"
                )
            yield prompt

    @contextlib.contextmanager
    def _memory(self) -> Iterator[None]:
        """Turn a MemoryError, and the errors of PyTorch about too little memory, into a MachineError."""
        import torch

        try:
            yield
        except (RuntimeError, MemoryError) as error:
            known = (torch.OutOfMemoryError, MemoryError)
            if not isinstance(error, known) and "can't allocate memory" not in str(error):
                raise
            raise MachineError(
                f"memory ran out with {self._batch_size} answers at once. Lower --batch-size, or in a recipe "
                "sampling.batch_size or responses.batch_size"
            ) from error

    def _load(self) -> None:
        if self._model is not None:
            return
        device = pick_device(self._device)
        dtype = self._dtype if self._dtype != "auto" or device != "cpu" or not has_bfloat16() else "bfloat16"
        with quiet():
            model = load_model(self.name, dtype=dtype, device=device)
            if dtype != self._dtype and _hidden(model) < SMALL:
                model = load_model(self.name, dtype="float32", device=device)
        self._model = model


def _hidden(model: Any) -> int:
    return int(getattr(model.config.get_text_config(), "hidden_size", SMALL))


def has_bfloat16() -> bool:
    """Return whether this processor computes with bfloat16 (AMX or AVX512-BF16)."""
    import torch

    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))
