"""Trains with plain TRL or with codepref for one epoch, and measures it."""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

from benchmarks.training.data import SETS, load_pairs
from codepref.records import Pair


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Train with `options.system` on `options.set`, and return the measurements.

    The time includes the work of the reference model. It does not include the loading of models, and the loading and
    tokenizing of data.
    """
    import torch
    from transformers import TrainerCallback

    per_prompt = SETS[options.set]
    model = str(options.out / options.size)
    pairs = load_pairs(model, options.data, options.pairs // per_prompt, per_prompt, options.max_length)
    begun: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Records when the trainer begins to train."""

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            begun.append(time.perf_counter())

    trainer, prepare = (trl_trainer if options.system == "trl" else codepref_trainer)(options, pairs)
    trainer.add_callback(Clock())
    start = time.perf_counter()
    prepare()
    trainer.train()
    seconds = time.perf_counter() - start
    rows = [trainer.train_dataset[index] for index in range(len(trainer.train_dataset))]
    tokens = sum(2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in rows)
    cuda = torch.cuda.is_available() and options.device != "cpu"
    peak = torch.cuda.max_memory_allocated() if cuda else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "pairs": len(pairs),
        "tokens": tokens,
        "seconds": seconds,
        "reference_seconds": begun[0] - start,
        "tokens_per_second": tokens / seconds,
        "peak_gib": peak / 2**30,
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
    }


def settings_of(options: argparse.Namespace) -> Any:
    """Return the training settings of both systems. They ask for no checkpoints and no likelihood term."""
    from codepref.config.sections import TrainingSection

    return TrainingSection(
        learning_rate=1e-6,
        batch_size=options.batch,
        max_length=options.max_length,
        chosen_weight=0.0,
        checkpoint_minutes=0.0,
    )


def trl_trainer(options: argparse.Namespace, pairs: list[Pair]) -> tuple[Any, Any]:
    """Build a trl.DPOTrainer as its documentation shows, with codepref's arguments.

    Returns the trainer, and a function that does nothing, because TRL needs no preparation.
    """
    import datasets
    import trl

    from codepref.models import load_tokenizer
    from codepref.training.job import TrainingJob
    from codepref.training.setup import models, trl_arguments

    model = str(options.out / options.size)
    job = TrainingJob(model, options.out / "trl", settings_of(options), device=options.device)
    rows = [{name: list(getattr(pair, name)) for name in ("prompt", "chosen", "rejected")} for pair in pairs]
    trainer = trl.DPOTrainer(
        **models(job),
        args=trl.DPOConfig(**trl_arguments(len(rows), job)),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=load_tokenizer(model),
    )
    return trainer, lambda: None


def codepref_trainer(options: argparse.Namespace, pairs: list[Pair]) -> tuple[Any, Any]:
    """Build codepref's trainer by the steps of `codepref.training.trainer.run_training`.

    Returns the trainer, and a function that prepares it. The function makes the trainer share the prompt's part between
    the two sides of a pair, and computes the log-probabilities of the reference model. Its time is part of the measured
    time.
    """
    from codepref.models import chat_of, load_tokenizer
    from codepref.training.job import TrainingJob
    from codepref.training.methods import dpo
    from codepref.training.reference import compute_once
    from codepref.training.rows import preference_rows
    from codepref.training.shared_prefix import share
    from codepref.training.staging import claim

    model = str(options.out / options.size)
    job = TrainingJob(model, options.out / "codepref", settings_of(options), device=options.device)
    tokenizer = load_tokenizer(model)
    rows = preference_rows(pairs, chat_of(model, tokenizer), max_length=options.max_length)
    claim(job.staging, f"benchmark {time.time()}")
    built = dpo.build_trainer(job, rows, tokenizer)

    def prepare() -> None:
        if not share(built, tokenizer):
            raise RuntimeError("codepref does not share prefixes with this model")
        compute_once(built, dpo.REFERENCE_COLUMNS, job.staging)

    return built, prepare
