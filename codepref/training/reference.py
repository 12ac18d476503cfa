"""The reference's log-probabilities, once: it never changes, and need not be held beside the policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from codepref.storage.files import atomic_open

FILE = "reference.npz"


def compute_once(trainer: Any, names: tuple[str, ...], staging: Path) -> None:
    """Give every row of a DPO or KTO trainer its reference log-probabilities, and let the reference go.

    names: the columns that the trainer's `compute_ref_log_probs` answers, in its order. The rows are kept in `staging`,
    whose key names model, rows and settings, so that a training that goes on after a kill reads them. Where weights
    are spread over processes (FSDP, DeepSpeed) nothing is done: TRL asks the reference at every step.
    """
    import datasets

    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        return
    kept = staging / FILE
    if kept.exists():
        with np.load(kept) as file:
            columns = [file[name] for name in names]
    else:
        columns = _asked(trainer, len(names))
        if trainer.accelerator.is_main_process:
            with atomic_open(kept, "wb") as stream:
                np.savez(stream, **dict(zip(names, columns, strict=True)))
    more = datasets.Dataset.from_dict({name: column.tolist() for name, column in zip(names, columns, strict=True)})
    trainer.train_dataset = datasets.concatenate_datasets([trainer.train_dataset, more], axis=1)
    trainer.precompute_ref_logps = True
    trainer.ref_model = None


def _asked(trainer: Any, count: int) -> list[Any]:
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
        found = trainer.accelerator.gather_for_metrics(trainer.compute_ref_log_probs(model, batch))
        for part, values in zip(parts, found, strict=True):
            part.append(values.float().cpu())
    return [torch.cat(part).numpy() for part in parts]
