"""What is to be learnt from -> a trained model, by the method of the settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codepref.config.sections import TrainingSection
from codepref.errors import UserError
from codepref.records import Pair
from codepref.training.checks import training_mistakes
from codepref.training.dpo import train_dpo
from codepref.training.kto import train_kto
from codepref.training.kto_rows import Examples, examples_from_pairs
from codepref.training.launch import launched
from codepref.training.processes import count
from codepref.training.rows import SUPERVISED
from codepref.training.setup import Progress, check_means
from codepref.training.sft import train_sft
from codepref.training.trainer import TrainingResult
from codepref.training.validation_callback import Probing


def train_on(
    given: Sequence[Pair] | Examples,
    model: str,
    out: Path,
    settings: TrainingSection,
    *,
    seed: int = 0,
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
    watch: Probing | None = None,
) -> TrainingResult:
    """Train `model` by `settings.method`.

    given: pairs, or single answers. KTO takes the sides of pairs as single answers, supervised training their chosen
    ones. watch: validation problems that are answered while the model trains. Raises UserError for DPO on single
    answers; else as `train_dpo`, `train_kto` and `train_sft`.
    """
    if mistakes := training_mistakes(settings):
        raise UserError(*mistakes)
    check_means(settings)
    if (settings.processes > 1 or settings.accelerate) and count() == 1:
        job: dict[str, Any] = {"given": given, "model": model, "out": out, "settings": settings, "seed": seed}
        job |= {"dtype": dtype, "device": device, "watch": watch}
        return launched(job, processes=settings.processes, accelerate=settings.accelerate, progress=progress)
    how = {"seed": seed, "dtype": dtype, "device": device, "progress": progress, "watch": watch}
    if settings.method in ("dpo", "rpo"):
        if isinstance(given, Examples):
            raise UserError(
                f"method {settings.method} needs pairs, and these are single answers: choose sft, rft or kto"
            )
        return train_dpo(given, model, out, settings, **how)  # type: ignore[arg-type]
    examples = given if isinstance(given, Examples) else examples_from_pairs(given)
    work = train_sft if settings.method in SUPERVISED else train_kto
    return work(examples, model, out, settings, **how)  # type: ignore[arg-type]
