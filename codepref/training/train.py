"""Pairs -> a trained model, by the method of the settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codepref.config import TrainingSection
from codepref.records import Pair
from codepref.training.dpo import train_dpo
from codepref.training.kto import train_kto
from codepref.training.kto_rows import examples_from_pairs
from codepref.training.trainer import Progress, TrainingResult


def train_pairs(
    pairs: Sequence[Pair],
    model: str,
    out: Path,
    settings: TrainingSection,
    *,
    seed: int = 0,
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
) -> TrainingResult:
    """Train `model` with DPO, or with KTO on the pairs' sides as single answers. See `train_dpo` and `train_kto`."""
    if settings.method == "kto":
        examples = examples_from_pairs(pairs)
        return train_kto(examples, model, out, settings, seed=seed, dtype=dtype, device=device, progress=progress)
    return train_dpo(pairs, model, out, settings, seed=seed, dtype=dtype, device=device, progress=progress)
