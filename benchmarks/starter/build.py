"""Rebuild the starter model from nothing: `python -m benchmarks.build_starter [--out DIR] [--seed N]`.

Learns a tokenizer, trains the model for some minutes on the CPU, writes both, and measures the result on held-out
problems through codepref's own sampling and sandbox. The figures are printed and written into the folder's README.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.models import TEMPLATES
from codepref.records import Problem, Solution, Test
from codepref.sampling.asserts import extract_tests
from codepref.starter import SOLUTION_TEMPLATE, TEST_TEMPLATE, load_problems, model_path
from codepref.starter.corpus import OPERATION_DECAY, PHRASE_DECAY
from codepref.starter.learning import Settings, build_model, train
from codepref.starter.tokenizer import build_tokenizer
from codepref.storage.files import write_json

TOKENIZER_SEED = 0
SAMPLES = 10
TEST_SAMPLES = 4


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.build_starter", description=__doc__)
    parser.add_argument("--out", type=Path, default=model_path(), help="folder to write (default: inside the package)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and of the corpus drawn")
    options = parser.parse_args()
    print(*build(options.out, options.seed, Settings()), sep="\n")


def build(out: Path, seed: int, settings: Settings) -> list[str]:
    """Train, write to `out` and measure. Returns the figures, one line each."""
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
    """Shares on the held-out problems: greedy and sampled pass@1, pass@10, and how many own tests are right.

    A test counts as right when the reference solution passes it. Sampling: temperature 0.8, top_p 1.
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
            [set(verdict.letters) == {"P"} for verdict in matrix.verdicts] for matrix in api.execute(problems, rows)
        ]
        shares[name] = _mean([_mean(answers) for answers in passed])
        if count > 1:
            shares[f"sampled pass@{count}"] = _mean([any(answers) for answers in passed])
            shares["problems with right and wrong samples"] = _mean([any(a) and not all(a) for a in passed])
    asked = api.sample(
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
    tests = own_tests(problems, asked)
    golds = [Solution(problem.task_id, 0, problem.gold or "") for problem in problems]
    letters = [verdict.letters for matrix in api.execute(problems, golds, tests) for verdict in matrix.verdicts]
    shares["own tests right"] = _mean([letter == "P" for line in letters for letter in line])
    return shares


def own_tests(problems: Sequence[Problem], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Test]]:
    """The tests in sampled completions, by task id; a test that was written twice counts once."""
    by_task = {problem.task_id: problem for problem in problems}
    lines: dict[str, dict[str, None]] = {problem.task_id: {} for problem in problems}
    for row in rows:
        task = row["task_id"]
        lines[task].update(dict.fromkeys(extract_tests(row["completion"], by_task[task], limit=None).kept))
    return {task: [Test(task, str(place), line) for place, line in enumerate(mine)] for task, mine in lines.items()}


def model_card(figures: Sequence[str], settings: Settings) -> str:
    """The README.md of the weights' folder."""
    listed = "\n".join(f"- {figure}" for figure in figures)
    return f"""---
license: apache-2.0
library_name: transformers
language: [en]
tags: [code, preference-learning]
---

# codepref starter

A small decoder-only language model ({settings.layers} layers, width {settings.hidden}) that writes short Python
functions, and tests for them, from instructions in plain words. It exists so that codepref's whole pipeline can be
tried anywhere; it knows the little language of codepref's own problems and nothing else.

It was trained from nothing by `python -m benchmarks.build_starter` on texts that codepref's grammar draws: no text of
others was used. Operations and phrasings are drawn with falling frequency (exponents {OPERATION_DECAY} and
{PHRASE_DECAY}), {settings.test_share:.0%} of the texts are tests and the others code, each text is read once, and the
learning rate decays to nothing. So the model has seen many functions described and tested, and fewer written: its
mistakes are what it has not learnt. No noise was put into data or inputs. Problems of the splits train, validation and
held-out, and any that behave like them, were never read.

{listed}

Prompt format: the chat template, with the user messages `SOLUTION_TEMPLATE` and `TEST_TEMPLATE` of
`codepref.starter`. A test is preceded by a comment that works the expected value out step by step.
"""


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def _reporter(start: float) -> Callable[[int, int, float], None]:
    def report(step: int, steps: int, loss: float) -> None:
        if step % 200 == 0 or step == steps:
            seconds = time.monotonic() - start
            print(f"step {step} of {steps}, loss {loss:.3f}, {seconds:.0f} s", file=sys.stderr, flush=True)

    return report


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
