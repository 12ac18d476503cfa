"""Builds the starter model: learns a tokenizer, trains the model on the CPU for some minutes, and measures it.

To measure the model, the build samples solutions and tests for held-out problems and runs them in codepref's sandbox.
The figures are written into README.md in the folder of the model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.results import log
from codepref.models import TEMPLATES
from codepref.records import Problem, Solution, Test
from codepref.sampling.asserts import extract_tests
from codepref.starter import SOLUTION_TEMPLATE, TEST_TEMPLATE, load_problems
from codepref.starter.corpus import OPERATION_DECAY, PHRASE_DECAY
from codepref.starter.learning import Settings, build_model, train
from codepref.starter.tokenizer import build_tokenizer
from codepref.storage.files import write_json

TOKENIZER_SEED = 0
SAMPLES = 10
TEST_SAMPLES = 4


def build(out: Path, seed: int, settings: Settings) -> list[str]:
    """Train the starter, write it with its figures to `out`, and return lines of text with the figures.

    seed: the seed of the weights, of the training texts and of the sampling.
    """
    import transformers

    transformers.logging.disable_progress_bar()
    start = time.monotonic()
    tokenizer = build_tokenizer(TOKENIZER_SEED)
    model = build_model(tokenizer, settings, seed)
    train(model, tokenizer, settings, seed, _reporter(start))
    seconds = time.monotonic() - start
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    parameters = sum(weight.numel() for weight in model.parameters())
    write_json(out / TEMPLATES, {"templates": {"solutions": SOLUTION_TEMPLATE, "tests": TEST_TEMPLATE}})
    figures = measure(out, seed)
    lines = [
        f"parameters: {parameters:,}; texts read: {settings.examples:,}; seed: {seed}; {seconds:.0f} s of training",
        *(f"{name}: {value:.1%}" for name, value in figures.items()),
    ]
    (out / "README.md").write_text(model_card(lines, settings), encoding="utf-8")
    return lines


def measure(model: Path, seed: int = 0) -> dict[str, float]:
    """Measure a model on the held-out problems, and return shares by name.

    The shares are pass@1 greedy and sampled, pass@10, the share of problems with right and wrong samples, and the share
    of the model's distinct tests that are right. A test is right when the gold solution passes it. Sampled solutions
    and tests have temperature 0.8 and top_p 1. model: the folder of the model.
    """
    from codepref import api

    problems = load_problems("heldout")
    shares: dict[str, float] = {}
    for name, count, temperature in (("greedy pass@1", 1, 0.0), ("sampled pass@1 (T 0.8)", SAMPLES, 0.8)):
        rows = api.sample(
            problems,
            str(model),
            n=count,
            temperature=temperature,
            top_p=1.0,
            max_new_tokens=128,
            template=SOLUTION_TEMPLATE,
            seed=seed,
        )
        passed = [
            [set(verdict.codes) == {"P"} for verdict in matrix.verdicts] for matrix in api.execute(problems, rows)
        ]
        shares[name] = _mean([_mean(answers) for answers in passed])
        if count > 1:
            shares[f"sampled pass@{count}"] = _mean([any(answers) for answers in passed])
            shares["problems with right and wrong samples"] = _mean([any(a) and not all(a) for a in passed])
    completions = api.sample(
        problems,
        str(model),
        kind="tests",
        n=TEST_SAMPLES,
        temperature=0.8,
        top_p=1.0,
        max_new_tokens=256,
        template=TEST_TEMPLATE,
        seed=seed,
    )
    tests = own_tests(problems, completions)
    golds = [Solution(problem.task_id, 0, problem.gold or "") for problem in problems]
    codes = [verdict.codes for matrix in api.execute(problems, golds, tests) for verdict in matrix.verdicts]
    shares["own tests right"] = _mean([code == "P" for row in codes for code in row])
    return shares


def own_tests(problems: Sequence[Problem], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Test]]:
    """Return the distinct tests in sampled completions, by task id. rows: dicts with `task_id` and `completion`."""
    by_task = {problem.task_id: problem for problem in problems}
    lines: dict[str, dict[str, None]] = {problem.task_id: {} for problem in problems}
    for row in rows:
        task = row["task_id"]
        lines[task].update(dict.fromkeys(extract_tests(row["completion"], by_task[task], limit=None).kept))
    return {task: [Test(task, str(index), line) for index, line in enumerate(tests)] for task, tests in lines.items()}


def model_card(figures: Sequence[str], settings: Settings) -> str:
    """Return the text of README.md in the folder of the model."""
    listed = "\n".join(f"- {figure}" for figure in figures)
    return f"""---
license: apache-2.0
library_name: transformers
language: [en]
tags: [code, preference-learning]
---

# codepref starter

A small decoder-only language model ({settings.layers} layers, width {settings.hidden}) that writes short Python
functions, and tests for them, from instructions in plain words. With it, codepref's whole pipeline can be tried without
a GPU. It knows only the kind of problem that codepref itself brings.

`python -m benchmarks.starter build` trained it from random weights on texts that codepref's grammar draws. No other
texts were used. Operations and phrasings are drawn with falling frequency (exponents {OPERATION_DECAY} and
{PHRASE_DECAY}), about {settings.test_share:.0%} of the texts are tests and the others are code, the model reads
each text once, and the learning rate decays to zero. So the model has read far more tests than functions. Data and
inputs have no added noise. Training read no problem of the splits train, validation and held-out. It read a few
problems that differ from one of these only in the order of a dict's keys, and none with fully equal behaviour.

{listed}

Prompt format: the chat template, with the user messages `SOLUTION_TEMPLATE` and `TEST_TEMPLATE` of
`codepref.starter`. In an answer to `TEST_TEMPLATE`, a comment before each
test derives the expected value step by step.
"""


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def _reporter(start: float) -> Callable[[int, int, float], None]:
    def report(step: int, steps: int, loss: float) -> None:
        if step % 200 == 0 or step == steps:
            seconds = time.monotonic() - start
            log(f"step {step} of {steps}, loss {loss:.3f}, {seconds:.0f} s")

    return report
