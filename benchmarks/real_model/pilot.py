"""Compares learning rates. Models are scored on the validation problems, and answer no held-out problem.

A variant is a row with another learning rate, or the base model. It is trained like a row of the table. Its model is
scored on the validation problems like other models on the held-out problems.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields, replace

from benchmarks.common.markdown import grid
from benchmarks.common.results import log
from benchmarks.real_model.claims import shown
from benchmarks.real_model.figures import SAMPLED
from benchmarks.real_model.journal import Journal
from benchmarks.real_model.measure import measure, open_bench
from benchmarks.real_model.plan import Stage
from benchmarks.real_model.settings import BASE, ROWS, Row, Sizes
from codepref.evaluation.scores import compare, read_scores, summarise
from codepref.storage.files import write_json, write_text

RATES: Mapping[str, tuple[float, ...]] = {"sft-chosen": (1e-5, 3e-5, 1e-4), "dpo-likelihood": (3e-6, 1e-5, 3e-5)}
"""Row -> the learning rates that are tried."""


def variants() -> dict[str, Row]:
    """Return the base model and the rows with other learning rates, by name."""
    found = {BASE: replace(ROWS[BASE], seeds=1)}
    for name, rates in RATES.items():
        for rate in rates:
            label = f"{name}-{rate:.0e}"
            training = replace(ROWS[name].training, learning_rate=rate)
            found[label] = replace(ROWS[name], name=label, training=training, seeds=1)
    return found


def best_rates(passed: Mapping[str, float]) -> dict[str, float]:
    """Return for each row the rate with the highest pass@1, and of equal ones the lowest. passed: variant -> pass@1."""
    best: dict[str, float] = {}
    for name, rates in RATES.items():
        found = [(passed[label], -rate) for rate in rates if (label := f"{name}-{rate:.0e}") in passed]
        best |= {name: -max(found)[1]} if found else {}
    return best


def run_pilot(options: argparse.Namespace) -> int:
    """Train and score the variants, write pilot.json and pilot.md into the folder, and return the exit status.

    With --list, only the names of the variants are printed.
    """
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
    cells, sampled = [], {}
    for name in rows:
        if (journal.result(Stage(0, f"{name}/score")) or {"failed": ""}).get("failed") is not None:
            continue
        scores = read_scores(options.out / "seed-0" / name / "scores")
        figures = {one.name: one.value for one in summarise(scores)}
        sampled[name] = figures[SAMPLED]
        values = [f"{100 * value:.1f}" for value in figures.values()]
        changes = ["–", "–"] if name == BASE else [shown(one) for one in compare(base, scores)]
        trained = journal.result(Stage(0, f"{name}/train")) or {}
        kept = f"{trained['kept_step']} of {trained['steps']}" if trained else "–"
        minutes = f"{trained.get('cpu_seconds', 0.0) / 60:.0f}"
        cells.append([name, *values, *changes, kept, minutes, trained.get("probes", "–")])
    head = ["variant", "greedy", "sampled", "greedy − base", "sampled − base", "kept", "training, min", "probes"]
    best = best_rates(sampled)
    write_json(options.out / "pilot.json", {"best": best, "sampled": sampled})
    text = "\n".join([*grid(head, cells), *(f"{name}: {rate:g}" for name, rate in best.items())])
    write_text(options.out / "pilot.md", text)
    print(text)
    log(f"written to {options.out / 'pilot.md'}")
    return 1 if failed else 0
