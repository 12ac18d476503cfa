"""The log-probabilities of the reference model, usually computed once before a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from codepref.storage.files import atomic_open

FILE = "reference.npz"


def compute_once(trainer: Any, columns: tuple[str, ...], staging: Path) -> None:
    """Add the reference model's log-probabilities to the rows of a DPO or KTO trainer, and drop the reference model.

    columns: the names of the columns to add, in the order in which the trainer's `compute_ref_log_probs` returns their
    values. staging: the folder in which the values are kept. A training that resumes after a kill reads them there if
    they were written. With FSDP or DeepSpeed this function does nothing, and TRL computes the log-probabilities at
    every step.
    """
    import datasets

    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        return
    kept = staging / FILE
    if kept.exists():
        with np.load(kept) as file:
            values = [file[name] for name in columns]
    else:
        values = _compute(trainer, len(columns))
        if trainer.accelerator.is_main_process:
            with atomic_open(kept, "wb") as stream:
                np.savez(stream, **dict(zip(columns, values, strict=True)))
    added = datasets.Dataset.from_dict({name: value.tolist() for name, value in zip(columns, values, strict=True)})
    trainer.train_dataset = datasets.concatenate_datasets([trainer.train_dataset, added], axis=1)
    trainer.precompute_ref_logps = True
    trainer.ref_model = None


def _compute(trainer: Any, count: int) -> list[Any]:
    import torch
    from torch.utils.data import DataLoader

    batches = trainer.accelerator.prepare(
        DataLoader(
            trainer.train_dataset,
            batch_size=trainer.args.per_device_train_batch_size,
            collate_fn=trainer.data_collator,
            shuffle=False,
        )
    )
    model = trainer.ref_model or trainer.model
    model.eval()
    parts: list[list[Any]] = [[] for _ in range(count)]
    for batch in batches:
        log_probs = trainer.accelerator.gather_for_metrics(trainer.compute_ref_log_probs(model, batch))
        for part, values in zip(parts, log_probs, strict=True):
            part.append(values.float().cpu())
    return [torch.cat(part).numpy() for part in parts]
