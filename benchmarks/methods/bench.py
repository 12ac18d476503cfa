"""The work of one seed: samples and verdicts that methods share, training with each method, and held-out scores."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import codepref
from benchmarks.methods.settings import METHODS, ONLINE, SOLUTIONS
from codepref.config.recipe import Recipe
from codepref.evaluation.gate import decide
from codepref.evaluation.scores import Scores, compare, read_scores, summarise
from codepref.execution.execute import read_verdicts
from codepref.execution.limits import Limits
from codepref.records import Problem
from codepref.runs.recipes import load_recipe
from codepref.runs.run import recipes_folder
from codepref.sampling.prompts import request_messages
from codepref.storage.files import read_json, write_json
from codepref.training.examples import Example, Examples, examples_from_verdicts
from codepref.training.job import TrainingJob, ValidationSettings
from codepref.training.methods.base import OnlineProblems
from codepref.training.train import train


class Bench:
    """The samples, verdicts and scores of one seed. `folder` keeps them, and they are made only once."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.recipe: Recipe = load_recipe(recipes_folder() / "starter" / "agreement-dpo.toml")
        self.train = codepref.load_problems("starter:train", limit=self.recipe.problems.train_limit)
        self.heldout = codepref.load_problems("starter:heldout", limit=self.recipe.problems.heldout_limit)
        self.limits = Limits(cpu_seconds=self.recipe.execution.cpu_seconds)
        self.template = self.recipe.sampling.solution_template

    def decoding(self) -> dict[str, Any]:
        """Return the options with which answers to training problems are sampled."""
        sampling = self.recipe.sampling
        return {name: getattr(sampling, name) for name in ("temperature", "top_p", "max_new_tokens")}

    def true_verdicts(self, model: str, out: Path, seed: int) -> Path:
        """Sample SOLUTIONS solutions of `model` for each training problem, and run the true tests.

        If `out` already has the verdicts, nothing runs. Returns the folder of the verdicts.
        """
        if not (out / "true" / "summary.json").exists():
            codepref.sample(
                self.train,
                model,
                n=SOLUTIONS,
                seed=seed,
                template=self.template,
                out=out / "s.jsonl",
                **self.decoding(),
            )
            codepref.execute_into(self.train, out / "s.jsonl", out=out / "true", limits=self.limits)
        return out / "true"

    def self_test_verdicts(self) -> Path:
        """Sample tests from the starter, and run the starter's sampled solutions against these tests and probes.

        `true_verdicts` must have sampled the solutions. If `folder` already has the verdicts, nothing runs. Returns the
        folder of the verdicts.
        """
        out = self.folder / "base"
        if not (out / "own" / "summary.json").exists():
            sampling = self.recipe.sampling
            codepref.sample(
                self.train,
                "starter",
                kind="tests",
                n=sampling.tests,
                seed=self.seed,
                template=sampling.test_template,
                out=out / "t.jsonl",
                **self.decoding(),
            )
            codepref.execute_into(
                self.train,
                out / "s.jsonl",
                out / "t.jsonl",
                out=out / "own",
                limits=self.limits,
                tests_per_completion=sampling.tests_per_completion,
                probes=sampling.probes,
            )
        return out / "own"

    def scores(self, model: str, out: Path, label: str) -> Scores:
        """Return a model's scores from one greedy and ten sampled answers to each held-out problem.

        All models of this seed sample with the same random numbers. If `out` already has the scores, they are read.
        """
        if not (out / "scores.json").exists():
            evaluation = self.recipe.evaluation
            codepref.evaluate(
                self.heldout,
                model=model,
                samples=evaluation.samples,
                k=evaluation.k,
                temperature=evaluation.temperature,
                top_p=evaluation.top_p,
                max_new_tokens=evaluation.max_new_tokens,
                template=self.template,
                limits=self.limits,
                seed=self.seed,
                label=label,
                out=out,
            )
        return read_scores(out)

    def validation(self) -> ValidationSettings:
        """Return the settings of the validation during a training, those of the starter's recipe `agreement-dpo`."""
        evaluation, validation = self.recipe.evaluation, self.recipe.validation
        return ValidationSettings(
            codepref.load_problems(validation.problems, limit=validation.limit),
            temperature=evaluation.temperature,
            top_p=evaluation.top_p,
            max_new_tokens=evaluation.max_new_tokens,
            samples=validation.samples,
            patience=validation.patience,
            template=self.template,
            limits=self.limits,
        )

    def pairs(self, verdicts: Path, rule: str) -> Any:
        """Return the pairs that `rule` chooses, at most one for each problem."""
        return codepref.pair(
            verdicts,
            rule=rule,
            problems=self.train,
            template=self.template,
            fence=False,
            max_pairs_per_problem=1,
            seed=self.seed,
        ).pairs

    def examples(self) -> Examples:
        """Return up to four right and four wrong solutions of the starter for each problem, as single answers.

        A solution that passes the true tests is wanted, and one that fails is not."""
        matrices = read_verdicts(self.folder / "base" / "true")
        return examples_from_verdicts(matrices, self.train, template=self.template, fence=False, seed=self.seed)

    def training_data(self, method: str) -> tuple[Any, str, int]:
        """Return the data, the start model, and the number of texts that models wrote for the data.

        Only for methods that are not online. The data is pairs or single answers. The texts are solutions and test
        completions.
        """
        base, solutions = self.folder / "base", SOLUTIONS * len(self.train)
        if method == "sft":
            return gold_examples(self.train, self.template), "starter", 0
        if method == "rpo-2-rounds":
            first = str(self.folder / "rpo" / "model")
            second = self.true_verdicts(first, self.folder / method, self.seed + 1000)
            return self.pairs(second, "all-tests"), first, 2 * solutions
        if method in ("dstc-rpo", "agreement-rpo"):
            tests = self.recipe.sampling.tests * len(self.train)
            return self.pairs(self.self_test_verdicts(), method.removesuffix("-rpo")), "starter", solutions + tests
        verdicts = self.true_verdicts("starter", base, self.seed)
        if method in ("rft", "kto"):
            return self.examples(), "starter", solutions
        return self.pairs(verdicts, "all-tests"), "starter", solutions

    def base_row(self) -> dict[str, Any]:
        """Return the seed and the figures of the starter before training."""
        scores = self.scores("starter", self.folder / "base" / "scores", "base")
        return {"seed": self.seed, "figures": {item.name: asdict(item) for item in summarise(scores, seed=self.seed)}}

    def row(self, method: str) -> dict[str, Any]:
        """Train with one method, measure the model, and return the row of results.

        If `folder` already has the row, it is read and nothing is trained.
        """
        file = self.folder / method / "row.json"
        if file.exists():
            kept: dict[str, Any] = read_json(file)
            return kept
        self.true_verdicts("starter", self.folder / "base", self.seed)
        base = self.scores("starter", self.folder / "base" / "scores", "base")
        model, settings = self.folder / method / "model", METHODS[method][1]
        if method in ONLINE:
            data: Any = OnlineProblems(self.train, ONLINE[method], template=self.template, limits=self.limits)
            base_model, sampled = "starter", 0
        else:
            data, base_model, sampled = self.training_data(method)
        start = time.monotonic()
        trained = train(TrainingJob(base_model, model, settings, self.seed, validation=self.validation()), data)
        sampled = trained.sampled or sampled
        seconds = time.monotonic() - start
        row = {"method": method, "seed": self.seed, "sampled": sampled, "training_seconds": round(seconds, 1)}
        row |= {"answers": trained.pairs, "steps": trained.steps, "kept_step": trained.kept_step}
        row |= {"stopped": trained.stopped, "warnings": trained.warnings}
        row |= compare_and_gate(base, self.scores(str(model), self.folder / method / "scores", method), self.seed)
        write_json(file, row)
        return row


def gold_examples(problems: list[Problem], template: str) -> Examples:
    """Return the gold solutions as demonstrations. Problems without a gold solution are left out."""
    return Examples(
        [
            Example(
                problem.task_id,
                request_messages(problem, template),
                [{"role": "assistant", "content": (problem.gold or "").strip()}],
                wanted=True,
            )
            for problem in problems
            if problem.gold
        ],
        {},
    )


def compare_and_gate(base: Scores, aligned: Scores, seed: int) -> dict[str, Any]:
    """Compare a trained model with its base model. Returns a dict with `figures` and `gate`.

    figures: name -> the figure with its paired difference. gate: the decision of the gate under its default settings.
    """
    rows = [asdict(item) for item in compare(base, aligned, seed=seed)]
    return {"figures": {row["name"]: row for row in rows}, "gate": asdict(decide(rows, figures=Recipe().gate.figures))}
