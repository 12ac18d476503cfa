"""Every training method on the starter, from the same samples: what it gains on held-out problems, and what it costs.

    python benchmarks/methods.py --seeds 0 1 2 --out runs/methods

A seed draws ten solutions and five test completions for each of 500 training problems, once for all methods. Writes
benchmarks/results/methods.json and .md; what is finished in --out is read, not repeated. Settings were chosen on
`starter:validation`; `starter:heldout` is what the table shows.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import codepref
from codepref.config.recipe import Recipe
from codepref.config.sections import OnlineSection, TrainingSection
from codepref.evaluation.gate import decide
from codepref.evaluation.scores import Scores, compare, read_scores, summarise
from codepref.execution.execute import read_verdicts
from codepref.execution.limits import Limits
from codepref.records import Problem
from codepref.reports.tables import with_interval
from codepref.runs.recipes import load_recipe
from codepref.runs.run import recipes_folder
from codepref.runs.summary import machine, versions
from codepref.sampling.engines import Decoding
from codepref.sampling.prompts import request_messages
from codepref.storage.files import read_json, write_json, write_text
from codepref.training.kto_rows import Example, Examples, examples_from_verdicts
from codepref.training.online import train_online
from codepref.training.train import train_on
from codepref.training.validation_callback import Probing

RESULTS = Path(__file__).parent / "results"
BASE = TrainingSection(batch_size=16, max_length=384, learning_rate=2e-4, epochs=4.0)
STEADY = replace(
    BASE, learning_rate=1e-4, batch_size=128, epochs=1.25, scheduler="constant_with_warmup", warmup_ratio=0.05
)
"""Of the methods that sample as they train: 5,000 answers, as many as the others learn from."""
ONLINE = {
    "grpo": OnlineSection(reward="share", max_new_tokens=120),
    "rloo-coarse": OnlineSection(reward="coarse", max_new_tokens=120),
}
METHODS = {
    "sft": ("the problems' gold solutions", replace(BASE, method="sft")),
    "rft": ("own solutions that pass", replace(BASE, method="rft", epochs=2.0)),
    "dpo": ("pairs by true tests", replace(BASE, method="dpo", chosen_weight=0.0, learning_rate=2e-5)),
    "rpo": ("pairs by true tests", replace(BASE, method="rpo", chosen_weight=10.0)),
    "kto": ("own solutions by true tests", replace(BASE, method="kto", chosen_weight=10.0, epochs=2.0)),
    "dstc-rpo": ("pairs by self-written tests (DSTC)", replace(BASE, method="rpo", chosen_weight=20.0)),
    "agreement-rpo": ("pairs by self-written tests (agreement)", replace(BASE, method="rpo", chosen_weight=20.0)),
    "grpo": ("rewards: share of true tests", replace(STEADY, method="grpo")),
    "rloo-coarse": ("coarse rewards by true tests", replace(STEADY, method="rloo")),
    "rpo-2-rounds": ("pairs by true tests, sampled twice", replace(BASE, method="rpo", chosen_weight=10.0)),
}
"""Name -> what it learns from, and its settings."""
FIGURES = ("pass@1 greedy", "pass@1", "pass@10")
PLAN = 10
"""Solutions a training problem."""


class Bench:
    """One seed's samples, verdicts and base scores. folder: where all of it is kept."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.recipe: Recipe = load_recipe(recipes_folder() / "starter" / "agreement-dpo.toml")
        self.train = codepref.load_problems("starter:train", limit=self.recipe.problems.train_limit)
        self.heldout = codepref.load_problems("starter:heldout", limit=self.recipe.problems.heldout_limit)
        self.limits = Limits(cpu_seconds=self.recipe.execution.cpu_seconds)
        self.template = self.recipe.sampling.solution_template

    def decoding(self) -> dict[str, Any]:
        """How training problems are sampled."""
        sampling = self.recipe.sampling
        return {name: getattr(sampling, name) for name in ("temperature", "top_p", "max_new_tokens")}

    def solutions(self, model: str, out: Path, seed: int) -> Path:
        """Verdicts of true tests on `PLAN` solutions a problem of a model."""
        if not (out / "true" / "summary.json").exists():
            codepref.sample(
                self.train, model, n=PLAN, seed=seed, template=self.template, out=out / "s.jsonl", **self.decoding()
            )
            codepref.execute_into(self.train, out / "s.jsonl", out=out / "true", limits=self.limits)
        return out / "true"

    def own_tests(self) -> Path:
        """Verdicts of self-written tests on the base model's solutions, probes included."""
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
        """One greedy and ten sampled answers a held-out problem, with the same random numbers for every model."""
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

    def probing(self) -> Probing:
        """The watch of the starter's recipes."""
        evaluation, validation = self.recipe.evaluation, self.recipe.validation
        return Probing(
            codepref.load_problems(validation.problems, limit=validation.limit),
            Decoding(evaluation.temperature, evaluation.top_p, evaluation.max_new_tokens),
            samples=validation.samples,
            patience=validation.patience,
            template=self.template,
            limits=self.limits,
        )

    def pairs(self, verdicts: Path, rule: str) -> Any:
        """One pair a problem."""
        return codepref.pair(
            verdicts, rule=rule, problems=self.train, template=self.template, fence=False, max_pairs_per_problem=1,
            seed=self.seed,
        ).pairs  # fmt: skip

    def lessons(self, method: str) -> tuple[Any, str, int]:
        """(pairs or single answers, the model to start from, solutions and tests that the model wrote for them)."""
        base, asked = self.folder / "base", PLAN * len(self.train)
        if method == "sft":
            return gold(self.train, self.template), "starter", 0
        if method == "rpo-2-rounds":
            first = str(self.folder / "rpo" / "model")
            again = self.solutions(first, self.folder / method, self.seed + 1000)
            return self.pairs(again, "all-tests"), first, 2 * asked
        if method in ("dstc-rpo", "agreement-rpo"):
            rule = method.removesuffix("-rpo")
            more = self.recipe.sampling.tests * len(self.train)
            return self.pairs(self.own_tests(), rule), "starter", asked + more
        true = self.solutions("starter", base, self.seed)
        if method in ("rft", "kto"):
            matrices = read_verdicts(true)
            given = examples_from_verdicts(
                matrices, self.train, template=self.template, fence=False, seed=self.seed
            )  # fmt: skip
            return given, "starter", asked
        return self.pairs(true, "all-tests"), "starter", asked

    def base_row(self) -> dict[str, Any]:
        """The figures of the model before."""
        scores = self.scores("starter", self.folder / "base" / "scores", "base")
        return {"seed": self.seed, "figures": {item.name: asdict(item) for item in summarise(scores, seed=self.seed)}}

    def row(self, method: str) -> dict[str, Any]:
        """Train and measure one method, or read what was found before."""
        kept = self.folder / method / "row.json"
        if kept.exists():
            found: dict[str, Any] = read_json(kept)
            return found
        self.solutions("starter", self.folder / "base", self.seed)
        base = self.scores("starter", self.folder / "base" / "scores", "base")
        model, settings = self.folder / method / "model", METHODS[method][1]
        how: dict[str, Any] = {"seed": self.seed, "watch": self.probing()}
        if method in ONLINE:
            begun = time.monotonic()
            how |= {"template": self.template, "limits": self.limits}
            trained = train_online(self.train, "starter", model, settings, ONLINE[method], **how)
            sampled = trained.sampled
        else:
            given, start, sampled = self.lessons(method)
            begun = time.monotonic()
            trained = train_on(given, start, model, settings, **how)
        seconds = time.monotonic() - begun
        found = {"method": method, "seed": self.seed, "sampled": sampled, "training_seconds": round(seconds, 1)}
        found |= {"answers": trained.pairs, "steps": trained.steps, "kept_step": trained.kept_step}
        found |= {"stopped": trained.stopped, "warnings": trained.warnings}
        found |= judged(base, self.scores(str(model), self.folder / method / "scores", method), self.seed)
        write_json(kept, found)
        return found


def gold(problems: list[Problem], template: str) -> Examples:
    """The problems' gold solutions as demonstrations."""
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


def judged(base: Scores, aligned: Scores, seed: int) -> dict[str, Any]:
    """Every figure with its paired difference, and the gate's word, by its defaults."""
    compared = [asdict(item) for item in compare(base, aligned, seed=seed)]
    decision = decide(compared, figures=Recipe().gate.figures)
    return {"figures": {row["name"]: row for row in compared}, "gate": asdict(decision)}


def main() -> None:
    """Run what is owed, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/methods"))
    parser.add_argument("--finished", action="store_true", help="only write the table of what is finished in --out")
    options = parser.parse_args()
    rows, bases = [], []
    for seed in options.seeds:
        bench = Bench(options.out / f"seed-{seed}", seed)
        bases.append(bench.base_row())
        for method in options.methods:
            if options.finished and not (bench.folder / method / "row.json").exists():
                continue
            rows.append(bench.row(method))
            print(f"seed {seed}, {method}: {change(rows[-1]['figures']['pass@1'])}", file=sys.stderr)
    command = f"python benchmarks/methods.py --seeds {' '.join(map(str, options.seeds))}"
    where = {"machine": machine(), "versions": versions()}
    write_json(RESULTS / "methods.json", {"command": command, **where, "base": bases, "rows": rows})
    write_text(RESULTS / "methods.md", table(bases, rows, command, where["machine"]))
    print(table(bases, rows, command, where["machine"]))


def change(item: dict[str, float]) -> str:
    """Before and after in points, with the paired difference's interval."""
    return (
        f"{100 * item['base']:.1f} → {100 * item['aligned']:.1f}, {100 * item['difference']:+.1f} "
        f"[{100 * item['low']:+.1f}, {100 * item['high']:+.1f}]"
    )


def table(bases: list[dict[str, Any]], rows: list[dict[str, Any]], command: str, where: dict[str, Any]) -> str:
    """A line a method and seed, and the means over seeds."""
    lines = [
        "# Training methods on the starter, held-out problems",
        "",
        f"`{command}` on {where['cores']} cores ({where['cpu']}), no GPU.",
        "Percent points: before → after, the paired difference with its 95% interval over 200 problems. Written: "
        "solutions and test completions that the model wrote to learn from (the same ones for all methods of a seed). "
        "Seconds: of training and its watch, without sampling, beside other work. Kept: the step whose weights "
        "the watch kept, of those trained.",
        "",
        "| method | learns from | seed | greedy pass@1 | sampled pass@1 | pass@10 | written | seconds | kept | gate |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in bases:
        figures = " | ".join(with_interval(row["figures"][name]) for name in FIGURES)
        lines.append(f"| base | | {row['seed']} | {figures} | | | | |")
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        for row in mine:
            figures = " | ".join(change(row["figures"][name]) for name in FIGURES)
            kept = f"{row['kept_step']} of {row['steps']}"
            promoted = "promoted" if row["gate"]["promoted"] else "not"
            lines.append(
                f"| {method} | {METHODS[method][0]} | {row['seed']} | {figures} | {row['sampled']:,} | "
                f"{row['training_seconds']:.0f} | {kept} | {promoted} |"
            )
        means = [statistics.mean(100 * row["figures"][name]["difference"] for row in mine) for name in FIGURES]
        shown = " | ".join(f"**{mean:+.1f}**" for mean in means)
        lines.append(f"| **{method}** | | mean | {shown} | | | | |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
