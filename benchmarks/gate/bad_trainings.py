"""Twenty trainings of the starter that the gate should not promote. Each contains a mistake that a user may make."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.methods.bench import Bench, compare_and_gate, gold_examples
from benchmarks.methods.settings import BASE, METHODS
from codepref.config.sections import TrainingSection
from codepref.errors import CodeprefError
from codepref.execution.execute import read_verdicts
from codepref.models import resolve_model
from codepref.records import Pair
from codepref.storage.files import read_json, write_json
from codepref.training.examples import Example, Examples
from codepref.training.job import TrainingJob
from codepref.training.train import train

DPO = replace(BASE, method="dpo", chosen_weight=0.0)
RPO, KTO, SFT = METHODS["rpo"][1], METHODS["kto"][1], METHODS["sft"][1]


@dataclass(frozen=True)
class BadTraining:
    """One bad training.

    data: makes the pairs or single answers to learn from. settings: the training's settings.
    template: changes the text of the chat template before training. None leaves it as it is.
    """

    name: str
    data: Callable[[Bench], Any]
    settings: TrainingSection
    template: Callable[[str], str] | None = None


def true_pairs(bench: Bench) -> list[Pair]:
    """Return at most one pair a problem: a solution that passes the true tests over one that fails at least one."""
    pairs: list[Pair] = bench.pairs(bench.folder / "base" / "true", "all-tests")
    return pairs


def inverted_pairs(bench: Bench) -> list[Pair]:
    """Return the pairs of `true_pairs` with chosen and rejected exchanged."""
    return [replace(pair, chosen=pair.rejected, rejected=pair.chosen) for pair in true_pairs(bench)]


def noise_pairs(bench: Bench) -> list[Pair]:
    """Return the pairs of `true_pairs`. In about half of them, chosen and rejected are exchanged."""
    draw = random.Random(bench.seed)
    both = zip(true_pairs(bench), inverted_pairs(bench), strict=True)
    return [right if draw.random() < 0.5 else inverted for right, inverted in both]


def misplaced_pairs(bench: Bench) -> list[Pair]:
    """Return the pairs of `true_pairs`, but each prompt has the answers of another pair."""
    pairs = true_pairs(bench)
    return [
        replace(pair, chosen=other.chosen, rejected=other.rejected)
        for pair, other in zip(pairs, pairs[1:] + pairs[:1], strict=True)
    ]


def longest_pairs(bench: Bench) -> list[Pair]:
    """Return pairs that prefer the longest solution of a problem to the shortest one. Correctness does not matter."""
    problems, pairs = {problem.task_id: problem for problem in bench.train}, []
    prompts = {example.task_id: example.prompt for example in gold_examples(bench.train, bench.template).examples}
    for matrix in read_verdicts(bench.folder / "base" / "true"):
        texts = sorted({verdict.solution for verdict in matrix.verdicts if verdict.solution.strip()}, key=len)
        if len(texts) > 1 and matrix.task_id in problems:
            sides = [[{"role": "assistant", "content": text}] for text in (texts[-1], texts[0])]
            pairs.append(Pair(matrix.task_id, prompts[matrix.task_id], sides[0], sides[1], "longest", 1.0, 0, 1))
    return pairs


def inverted_labels(bench: Bench) -> Examples:
    """Return the answers of `Bench.examples` with wrong labels: wanted are those that fail, and not those that pass."""
    return Examples([replace(example, wanted=not example.wanted) for example in bench.examples().examples], {})


def noise_labels(bench: Bench) -> Examples:
    """Return the answers of `Bench.examples` with random labels."""
    draw = random.Random(bench.seed)
    return Examples([replace(example, wanted=draw.random() < 0.5) for example in bench.examples().examples], {})


def failing_solutions(bench: Bench) -> Examples:
    """Return the answers of `Bench.examples` that fail, as demonstrations."""
    failing = (example for example in bench.examples().examples if not example.wanted)
    return Examples([replace(example, wanted=True) for example in failing], {})


def eight_problems(bench: Bench) -> Examples:
    """Return the gold solutions of the first eight training problems, as demonstrations."""
    return Examples(gold_examples(bench.train[:8], bench.template).examples, {})


def one_answer(bench: Bench) -> Examples:
    """Return demonstrations that give the same answer to every prompt."""
    examples: list[Example] = gold_examples(bench.train, bench.template).examples
    return Examples([replace(example, completion=examples[0].completion) for example in examples], {})


def template_without_end(template: str) -> str:
    """Return the chat template without the token that ends each turn."""
    return template.replace(" + '<|end|>'", "")


def template_with_other_prompt(template: str) -> str:
    """Return the chat template with the tag of a user's message as its generation prompt."""
    return template.replace("{{ '<|assistant|>' }}", "{{ '<|user|>' }}")


def template_without_question(template: str) -> str:
    """Return the chat template without the user's text.

    codepref leaves out each row whose user text is missing in the output of the template. So no row is left.
    """
    return template.replace("message['content']", "(message['content'] if message['role'] == 'assistant' else '')")


BAD_TRAININGS = (
    BadTraining("inverted pairs, RPO", inverted_pairs, RPO),
    BadTraining("inverted pairs, DPO", inverted_pairs, DPO),
    BadTraining("inverted labels, KTO", inverted_labels, KTO),
    BadTraining("failing solutions, SFT", failing_solutions, SFT),
    BadTraining("noise pairs, RPO", noise_pairs, RPO),
    BadTraining("noise pairs, DPO", noise_pairs, DPO),
    BadTraining("noise labels, KTO", noise_labels, KTO),
    BadTraining("answers of other problems, RPO", misplaced_pairs, RPO),
    BadTraining("learning rate x 100, RPO", true_pairs, replace(RPO, learning_rate=2e-2)),
    BadTraining("learning rate x 100, DPO", true_pairs, replace(DPO, learning_rate=2e-2)),
    BadTraining("learning rate x 100, KTO", Bench.examples, replace(KTO, learning_rate=2e-2)),
    BadTraining("longest over shortest, RPO", longest_pairs, RPO),
    BadTraining("longest over shortest, DPO", longest_pairs, DPO),
    BadTraining("too many epochs, DPO", true_pairs, replace(DPO, epochs=20.0)),
    BadTraining(
        "too many epochs, KTO without likelihood", Bench.examples, replace(KTO, chosen_weight=0.0, epochs=12.0)
    ),
    BadTraining("too many epochs over eight problems, SFT", eight_problems, replace(SFT, epochs=200.0, batch_size=8)),
    BadTraining("one answer to everything, SFT", one_answer, SFT),
    BadTraining("chat template without the question, RPO", true_pairs, RPO, template_without_question),
    BadTraining("chat template with another generation prompt, RPO", true_pairs, RPO, template_with_other_prompt),
    BadTraining("chat template without EOS, RPO", true_pairs, RPO, template_without_end),
)


def measure(bench: Bench, bad: BadTraining) -> dict[str, Any]:
    """Train, measure, let the gate decide, and return the row of results.

    If an earlier run wrote the row, it is read and nothing is trained.

    If the training ends with an error of codepref, the row has the error's message as `refused`, and `promoted` is
    False.
    """
    folder = bench.folder / "bad" / "".join(char if char.isalnum() else "-" for char in bad.name)
    if (folder / "row.json").exists():
        kept: dict[str, Any] = read_json(folder / "row.json")
        return kept
    base = bench.scores("starter", bench.folder / "base" / "scores", "base")
    begun = time.monotonic()
    row: dict[str, Any] = {"name": bad.name, "seed": bench.seed}
    start = starter_with_template(bad.template, folder / "start") if bad.template else "starter"
    try:
        job = TrainingJob(start, folder / "model", bad.settings, seed=bench.seed, validation=bench.validation())
        trained = train(job, bad.data(bench))
    except CodeprefError as error:
        row |= {"refused": str(error), "promoted": False}
    else:
        row |= {"stopped": trained.stopped, "warnings": trained.warnings, "steps": trained.steps}
        row |= {"kept_step": trained.kept_step, "training_seconds": round(time.monotonic() - begun, 1)}
        row |= compare_and_gate(base, bench.scores(str(folder / "model"), folder / "scores", bad.name), bench.seed)
        row["promoted"] = row["gate"]["promoted"]
    write_json(folder / "row.json", row)
    return row


def starter_with_template(change: Callable[[str], str], folder: Path) -> str:
    """Copy the starter to `folder`, change its chat template, and return the folder's path."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(resolve_model("starter"), folder)
    for path in (folder / "chat_template.jinja", folder / "tokenizer_config.json"):
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jinja":
            path.write_text(change(text), encoding="utf-8")
        elif "chat_template" in (config := json.loads(text)):
            path.write_text(json.dumps(config | {"chat_template": change(config["chat_template"])}))
    return str(folder)
