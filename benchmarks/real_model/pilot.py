"""Compares settings of trainings. Only training and validation problems are used, no held-out problem.

Each variant is one row with other settings. It is trained like a row of the table, and its model is scored on the
validation problems with more answers than the probes have.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields, replace

from benchmarks.common.markdown import grid
from benchmarks.common.results import log
from benchmarks.real_model.claims import shown
from benchmarks.real_model.journal import Journal
from benchmarks.real_model.measure import measure, open_bench
from benchmarks.real_model.plan import Stage
from benchmarks.real_model.settings import BASE, ROWS, Row, Sizes
from codepref.evaluation.scores import compare, read_scores, summarise
from codepref.storage.files import write_text

RATES: Mapping[str, tuple[float, ...]] = {
    "sft-chosen": (1e-5, 3e-5, 1e-4),
    "dpo-likelihood": (1e-5, 3e-5, 1e-4),
    "dpo": (3e-6, 1e-5),
}
"""Row -> the learning rates of all weights that are tried. Adapters are tried at ADAPTER times these rates."""
ADAPTER, RANK = 10.0, 32


def variants() -> dict[str, Row]:
    """Return the base model and the rows with other settings, by name."""
    found = {BASE: replace(ROWS[BASE], seeds=1)}
    for name, rates in RATES.items():
        for rank in (0, RANK):
            for rate in rates:
                used = rate * (ADAPTER if rank else 1.0)
                training = replace(ROWS[name].training, learning_rate=used, lora_rank=rank)
                label = f"{name}-{'adapter' if rank else 'full'}-{used:.0e}"
                dtype = "bfloat16" if rank else "auto"
                found[label] = replace(ROWS[name], name=label, training=training, seeds=1, dtype=dtype)
    return found


def run_pilot(options: argparse.Namespace) -> int:
    """Train and score the variants, write pilot.md into the folder, and return the exit status."""
    rows = variants()
    names = [name for name in rows if not options.only or name == BASE or any(text in name for text in options.only)]
    if options.list:
        print(*names, sep="\n")
        return 0
    sizes = Sizes(**{one.name: getattr(options, one.name) for one in fields(Sizes)})
    bench = open_bench(options, sizes, rows)
    validated = replace(bench, split=replace(bench.split, heldout=bench.split.validation))
    failed = measure(validated, names, [0])
    journal = Journal(options.out)
    base = read_scores(options.out / "seed-0" / BASE / "scores")
    cells = []
    for name in rows:
        if (journal.result(Stage(0, f"{name}/score")) or {"failed": ""}).get("failed") is not None:
            continue
        scores = read_scores(options.out / "seed-0" / name / "scores")
        values = [f"{100 * one.value:.1f}" for one in summarise(scores)]
        changes = ["–", "–"] if name == BASE else [shown(one) for one in compare(base, scores)]
        trained = journal.result(Stage(0, f"{name}/train")) or {}
        kept = f"{trained['kept_step']} of {trained['steps']}" if trained else "–"
        minutes = f"{trained.get('cpu_seconds', 0.0) / 60:.0f}"
        cells.append([name, *values, *changes, kept, minutes, trained.get("probes", "–")])
    head = ["variant", "greedy", "sampled", "greedy − base", "sampled − base", "kept", "training, min", "probes"]
    text = "\n".join(grid(head, cells))
    write_text(options.out / "pilot.md", text)
    print(text)
    log(f"written to {options.out / 'pilot.md'}")
    return 1 if failed else 0
