"""Scores of the same wanted answers in every probe of a training: their log-probability and the model's entropy."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

MAX_TRACKED = 64
"""The largest number of tracked answers."""


class TrackedAnswers:
    """The first wanted answers of the training rows, at most MAX_TRACKED.

    A row's wanted answer is its `chosen`. In a row without `chosen` it is the `completion`, unless the row has a false
    label. Rows that hold only a prompt have no wanted answer.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], tokenizer: Any) -> None:
        self.tokens: list[tuple[list[int], int]] = []
        """For each answer, the tokens of its prompt and the answer, and the number of tokens of the prompt."""
        for row in rows:
            answer = row.get("chosen") or (row.get("completion") if row.get("label", True) else None)
            if answer is None or len(self.tokens) == MAX_TRACKED:
                continue
            prompt = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]
            whole = tokenizer.apply_chat_template([*row["prompt"], *answer])["input_ids"]
            self.tokens.append((whole, len(prompt)))

    def score(self, trainer: Any) -> tuple[float, float | None]:
        """Return the mean log-probability of the answers' tokens and the mean entropy at these tokens, in nats.

        The entropy is None when the trainer's model does not compute it. Without tracked answers the result is (0,
        None).
        """
        import torch

        logps, entropies, count = 0.0, 0.0, 0
        micro = max(2, trainer.args.per_device_train_batch_size)
        for start in range(0, len(self.tokens), micro):
            batch = _padded(self.tokens[start : start + micro])
            with torch.no_grad():
                device = trainer.accelerator.device
                output = trainer.model(**{name: ids.to(device) for name, ids in batch.items()}, fused_lm_head=True)
            logps += float(output.log_probs.sum())
            entropies = entropies + float(output.entropy.sum()) if output.entropy is not None else math.nan
            count += int((batch["labels"][:, 1:] != -100).sum())
        if not count:
            return 0.0, None
        return logps / count, None if math.isnan(entropies) else entropies / count


def _padded(answers: Sequence[tuple[list[int], int]]) -> dict[str, Any]:
    """Return a batch of input_ids, attention_mask and labels. Tokens of prompts and padding have the label -100."""
    import torch

    shape = (len(answers), max(len(whole) for whole, _ in answers))
    ids, mask, labels = (torch.full(shape, fill, dtype=torch.long) for fill in (0, 0, -100))
    for row, (whole, prompt) in enumerate(answers):
        ids[row, : len(whole)] = torch.tensor(whole)
        mask[row, : len(whole)] = 1
        labels[row, prompt : len(whole)] = torch.tensor(whole[prompt:])
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


@contextlib.contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """Put the model into evaluation mode. At the end restore its mode and PyTorch's random states (CPU and CUDA)."""
    import torch

    training, state = model.training, torch.get_rng_state()
    gpu_states = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    model.eval()
    try:
        yield
    finally:
        model.train(training)
        torch.set_rng_state(state)
        if gpu_states:
            torch.cuda.set_rng_state_all(gpu_states)
