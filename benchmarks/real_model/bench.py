"""The work of the stages: answers, verdicts, pairs, trainings and scores of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import codepref
from benchmarks.common.results import log
from benchmarks.real_model.plan import Stage, uses_own_tests
from benchmarks.real_model.settings import BASE, TEST_TEMPLATE, Row, Sizes
from benchmarks.real_model.split import Split
from benchmarks.real_model.tokens import count_answers, mean_length
from codepref.api.launched import on_launched
from codepref.api.sampling import sample_to_file
from codepref.config.engine import EngineSection
from codepref.config.scale import ScaleSection
from codepref.config.sections import TrainingSection
from codepref.config.templates import SOLUTION_TEMPLATE
from codepref.errors import GateError
from codepref.evaluation.audit import audit_pairs
from codepref.evaluation.evaluate import evaluate_model
from codepref.execution.execute import read_verdicts
from codepref.pairing.artifact import read_pairs
from codepref.records import Problem
from codepref.runs.stages.models import matching_epochs
from codepref.sampling.engines import Decoding
from codepref.sampling.prompts import request_messages
from codepref.storage.files import read_json
from codepref.storage.progress import ProgressLine
from codepref.training.demonstrations import wanted_only
from codepref.training.examples import Example, Examples, chosen_examples, examples_from_pairs, examples_from_verdicts
from codepref.training.job import TrainingJob, ValidationSettings
from codepref.training.methods import load_method
from codepref.training.train import train

Result = dict[str, Any]
TEMPERATURE, TOP_P = 0.8, 0.95
"""How answers are sampled, for learning, for validation and for scores."""
SECOND_ROUND = 1000
"""What is added to the seed when a trained model writes solutions to learn from."""


@dataclass(frozen=True)
class Bench:
    """What the stages need.

    folder: the folder of all seeds. rows: all rows by name. model: the folder of the base model. engine: the server
    that answers, or an empty section for codepref's own engine. While a model trains, codepref's own engine always
    answers. scale: the processes of codepref's own engine, or None for one. Their number usually does not change the
    answers.
    """

    folder: Path
    rows: Mapping[str, Row]
    split: Split
    sizes: Sizes
    model: str
    engine: EngineSection = field(default_factory=EngineSection)
    scale: ScaleSection | None = None

    def do(self, stage: Stage) -> Result:
        """Do the work of a stage, and return its result. Sampling, scores and trainings go on after a kill."""
        work: Mapping[str, Callable[[Stage], Result]] = {
            "sample": lambda stage: self._sample(stage, "solutions"),
            "tests": lambda stage: self._sample(stage, "tests"),
            "execute": self._execute,
            "own": self._own,
            "pairs": self._pairs,
            "train": self._train,
            "score": self._score,
        }
        return work[stage.step](stage)

    def place(self, seed: int, owner: str) -> Path:
        """Return the folder of a row for a seed."""
        return self.folder / f"seed-{seed}" / owner

    def model_of(self, seed: int, owner: str) -> str:
        """Return the folder of a row's model. For "" and `base`, this is the base model."""
        return self.model if owner in ("", BASE) else str(self.place(seed, owner) / "model")

    def _sample(self, stage: Stage, kind: str) -> Result:
        file = self.place(stage.seed, stage.owner) / "samples" / f"{kind}.jsonl"
        model = self.model_of(stage.seed, stage.owner)
        sample_to_file(
            self.split.train,
            model,
            file,
            kind=kind,
            template=TEST_TEMPLATE if kind == "tests" else None,
            n=self.sizes.solutions if kind == "solutions" else self.sizes.tests,
            seed=stage.seed + (0 if stage.owner == BASE else SECOND_ROUND),
            temperature=TEMPERATURE,
            top_p=TOP_P,
            max_new_tokens=self.sizes.max_new_tokens,
            engine=self.engine,
            scale=self.scale,
            progress=_line(stage, "answers"),
            log=log,
        )
        return count_answers(file, self.model)

    def _execute(self, stage: Stage) -> Result:
        place = self.place(stage.seed, stage.owner)
        solutions = place / "samples" / "solutions.jsonl"
        codepref.execute_into(
            self.split.train, solutions, out=place / "true", progress=_line(stage, "solutions"), log=log
        )
        return self._pass_rates(place / "true")

    def _own(self, stage: Stage) -> Result:
        """Run the base model's solutions against its own tests and probes. Rules for self-written tests need them."""
        place = self.place(stage.seed, BASE)
        solutions, tests = (place / "samples" / f"{kind}.jsonl" for kind in ("solutions", "tests"))
        line = _line(stage, "solutions")
        codepref.execute_into(self.split.train, solutions, tests, out=place / "own", probes=60, progress=line, log=log)
        counts = [sum(test.count for test in matrix.tests) for matrix in read_verdicts(place / "own")]
        return {"tests": sum(counts), "problems_with_tests": sum(count > 0 for count in counts)}

    def _pass_rates(self, verdicts: Path) -> Result:
        passed = [[one.correct is True for one in matrix.verdicts] for matrix in read_verdicts(verdicts)]
        return {
            "share_passed": sum(map(sum, passed)) / max(1, sum(map(len, passed))),
            "problems": len(passed),
            "problems_with_both": sum(any(one) and not all(one) for one in passed),
        }

    def _verdicts(self, seed: int, row: Row) -> Path:
        """Return the folder of the verdicts from which the row learns."""
        return self.place(seed, row.start or BASE) / ("own" if uses_own_tests(row) else "true")

    def _pairs(self, stage: Stage) -> Result:
        row, file = self.rows[stage.owner], self.place(stage.seed, stage.owner) / "pairs.parquet"
        found = codepref.pair(
            self._verdicts(stage.seed, row), problems=self.split.train, seed=stage.seed, out=file, **row.pairing
        )
        if not found.pairs:
            raise GateError(f"no pair could be made: {found.dropped}")
        right = audit_pairs(found.pairs, read_verdicts(self.place(stage.seed, row.start or BASE) / "true")).share_right
        return {
            "pairs": len(found.pairs),
            "problems": len({pair.task_id for pair in found.pairs}),
            "share_right": None if right is None else right.value,
            "dropped": found.dropped,
        }

    def _train(self, stage: Stage) -> Result:
        row, out = self.rows[stage.owner], self.place(stage.seed, stage.owner) / "model"
        data, settings = self._data(stage.seed, row)
        rows = len(data.examples) if isinstance(data, Examples) else len(data)
        # a kill can come between the model and the note that it is finished
        if not (out / "training.json").exists():
            job = TrainingJob(
                self.model_of(stage.seed, row.start),
                out,
                settings,
                stage.seed,
                progress=_line(stage, "steps"),
                validation=self._validation(rows, settings),
            )
            train(job, data)
        kept = read_json(out / "training.json")
        facts = {name: kept[name] for name in ("pairs", "steps", "kept_step", "stopped", "warnings", "first_loss")}
        facts |= {"probes": [[one["step"], round(one["pass_rate"], 4)] for one in kept["probes"]]}
        read = kept["steps"] * settings.batch_size * mean_length(data, self.model)
        return facts | {"tokens_read": round(read), "settings": asdict(settings)}

    def _data(self, seed: int, row: Row) -> tuple[Any, TrainingSection]:
        """Return the answers or pairs from which the row learns, and the settings of its training."""
        if row.data == "gold":
            return gold_examples(self.split.train), row.training
        if row.data in ("passing", "answers"):
            matrices = read_verdicts(self._verdicts(seed, row))
            answers = examples_from_verdicts(matrices, self.split.train, seed=seed)
            return (wanted_only(answers) if row.data == "passing" else answers), row.training
        pairs = read_pairs(self.place(seed, row.name) / "pairs.parquet")
        if row.data == "pairs":
            by_answer = load_method(row.training.method).learns_from == "answers"
            return (examples_from_pairs(pairs) if by_answer else pairs), row.training
        answers, settings = chosen_examples(pairs), row.training
        epochs = matching_epochs(len(answers.examples), len(pairs), settings.epochs, settings.batch_size)
        return answers, replace(settings, epochs=epochs)

    def _validation(self, rows: int, settings: TrainingSection) -> ValidationSettings:
        steps = -(-rows // settings.batch_size) * settings.epochs
        return ValidationSettings(
            self.split.validation,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            max_new_tokens=self.sizes.max_new_tokens,
            samples=self.sizes.validation_samples,
            every=max(1, round(steps / self.sizes.probes)),
        )

    def _score(self, stage: Stage) -> Result:
        out = self.place(stage.seed, stage.owner) / "scores"
        model = self.model_of(stage.seed, stage.owner)
        with on_launched(model, self.engine, calls=None, folder=out / "server", log=log, dtype="auto") as answering:
            evaluate_model(
                self.split.heldout,
                answering,
                samples=self.sizes.heldout_samples,
                ks=(1,),
                decoding=Decoding(TEMPERATURE, TOP_P, self.sizes.max_new_tokens),
                seed=stage.seed,
                label=stage.owner,
                out=out,
                progress_for=lambda phase: _line(stage, phase.partition(": ")[2]),
                scale=self.scale,
                log=log,
            )
        kinds = [count_answers(out / f"{kind}.jsonl", self.model) for kind in ("greedy", "sampled")]
        return {name: sum(one[name] for one in kinds) for name in ("answers", "tokens")}


def gold_examples(problems: Sequence[Problem]) -> Examples:
    """Return the gold solutions as demonstrations, each in a block of code. Problems without one are left out."""
    return Examples(
        [
            Example(
                problem.task_id,
                request_messages(problem, SOLUTION_TEMPLATE),
                [{"role": "assistant", "content": f"```python\n{problem.gold.strip()}\n```"}],
                wanted=True,
            )
            for problem in problems
            if problem.gold
        ]
    )


def _line(stage: Stage, unit: str) -> ProgressLine:
    return ProgressLine(f"seed {stage.seed}, {stage.name}", unit)
