"""Probes of a model while it trains, by its answers to validation problems. The best weights are kept."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from codepref.errors import GateError, InfrastructureError
from codepref.execution.execute import execute
from codepref.records import INFRASTRUCTURE, Solution
from codepref.sampling.answers import solutions_from_rows
from codepref.sampling.engines import Decoding
from codepref.sampling.sample import sample
from codepref.storage.files import read_json, write_json
from codepref.training.job import ValidationSettings
from codepref.training.rewards import compiles
from codepref.training.tracked_answers import TrackedAnswers, undisturbed
from codepref.training.validation_stats import Probe, best_step, repeats_itself, stop_reason

FILE = "probes.json"
BEST = "best"


class Validator:
    """Probes a trainer's model, keeps the weights of the best step in `staging`/best-STEP, and decides when to stop.

    rows: the training rows, from which the first wanted answers are tracked (see `TrackedAnswers`). staging: the folder
    of the training. seed: the seed of the sampled answers.

    Attributes: `probes` holds the probes so far. `stopped` is the reason to end the training, or "". `kept` is the step
    whose weights `take_best` chose, and 0 before.
    """

    def __init__(
        self, settings: ValidationSettings, tokenizer: Any, rows: Sequence[dict[str, Any]], staging: Path, seed: int
    ) -> None:
        self.settings, self.tokenizer, self.staging, self.seed = settings, tokenizer, staging, seed
        self.tracked = TrackedAnswers(rows, tokenizer)
        self.probes: list[Probe] = []
        self.stopped, self.kept = "", 0
        self._correct: dict[tuple[str, str], bool | None] = {}

    def restore(self, step: int) -> None:
        """Read the probes up to `step` that were written before this training was killed, if there are any."""
        if (self.staging / FILE).exists():
            rows = read_json(self.staging / FILE)
            self.probes = [Probe(**row | {"passed_P": tuple(row["passed_P"])}) for row in rows if row["step"] <= step]

    def probe(self, trainer: Any, step: int) -> None:
        """Probe the model at `step`, keep its weights if this step is the best, and decide whether to stop.

        Nothing happens if this step has been probed. The weights of the previous best step are kept until the next
        probe. They are needed if a kill comes before a checkpoint of this step is written. The training then resumes
        from an earlier step, and this step may not be the best when it is repeated. Raises GateError when the
        mean log-probability of the tracked answers is not a finite number, InfrastructureError as `_run_new` does, and
        the errors of sampling, of execution and of writing files.
        """
        if any(probe.step == step for probe in self.probes):
            return
        self._remove_weights_except(self._best())
        self.probes.append(self._measure(trainer, step))
        write_json(self.staging / FILE, [asdict(probe) for probe in self.probes])
        if self._best() == step:
            shutil.rmtree(self._weights_of(step), ignore_errors=True)
            trainer.save_model(str(self._weights_of(step)))
        self.stopped = stop_reason(self.probes, self.settings.patience, self.seed)

    def take_best(self, last: int, target: Path) -> None:
        """Replace the weights in the folder `target`, which are those of step `last`, by the weights of the best step.

        Nothing is replaced if step `last` is the best or no trained step was probed. The other files of the
        validator are removed.
        """
        best = self._best()
        self.kept = last if best is None else best
        if self.kept != last:
            for path in self._weights_of(self.kept).iterdir():
                path.replace(target / path.name)
        self._remove_weights_except(None)
        (self.staging / FILE).unlink(missing_ok=True)

    def _best(self) -> int | None:
        return best_step(self.probes) if len(self.probes) > 1 else None

    def _weights_of(self, step: int) -> Path:
        return self.staging / f"{BEST}-{step}"

    def _remove_weights_except(self, step: int | None) -> None:
        for path in self.staging.glob(f"{BEST}-*"):
            if step is None or path != self._weights_of(step):
                shutil.rmtree(path)

    def _measure(self, trainer: Any, step: int) -> Probe:
        with undisturbed(trainer.accelerator.unwrap_model(trainer.model)):
            chosen_logp, entropy = self.tracked.score(trainer)
            # a model with such values cannot sample answers, and the trainer logs the loss only after this step
            if not math.isfinite(chosen_logp):
                mend = "Lower the learning rate." if step else "Check the start model's weights."
                raise GateError(
                    "the mean log-probability of a token of the first chosen or wanted answers is not a finite number "
                    f"at step {step}. {mend}"
                )
            rows = self._sample(trainer, step)
        passed_P = self._run(rows)
        texts = [row["completion"] for row in rows]
        return Probe(
            step=step,
            passed_P=passed_P,
            unparsable=_share(not compiles(row["solution"]) for row in rows),
            unfinished=_share(not row["finished"] for row in rows),
            characters=sum(map(len, texts)) / len(texts),
            repeated=_share(map(repeats_itself, texts)),
            chosen_logp=chosen_logp,
            entropy=entropy,
        )

    def _sample(self, trainer: Any, step: int) -> Sequence[dict[str, Any]]:
        from codepref.sampling.engines.transformers import TransformersEngine

        settings = self.settings
        model = trainer.accelerator.unwrap_model(trainer.model)
        return sample(
            settings.problems,
            TransformersEngine.around(model, self.tokenizer, f"step {step}"),
            n=settings.samples,
            decoding=Decoding(settings.temperature, settings.top_p, settings.max_new_tokens),
            template=settings.template,
            seed=self.seed,
            batch_size=settings.batch_size,
        )

    def _run(self, rows: Sequence[dict[str, Any]]) -> tuple[float, ...]:
        """Return the share of correct samples for each problem.

        Samples that an earlier probe of this process has run do not run again. Samples of unknown correctness do not
        count. If the correctness of all samples of a problem is unknown, the problem's share is 0.
        """
        solutions = list(solutions_from_rows(rows, self.settings.problems))
        new = {(one.task_id, one.text): one for one in solutions if (one.task_id, one.text) not in self._correct}
        if new:
            self._correct |= self._run_new(list(new.values()))
        correct: dict[str, list[bool]] = {problem.task_id: [] for problem in self.settings.problems}
        for one in solutions:
            if (known := self._correct[one.task_id, one.text]) is not None:
                correct[one.task_id].append(known)
        return tuple(map(_share, correct.values()))

    def _run_new(self, solutions: Sequence[Solution]) -> dict[tuple[str, str], bool | None]:
        """Run solutions with different texts. Return whether each is correct, by task id and text.

        Raises InfrastructureError when a solution's correctness is unknown and one of its codes is `I`.
        """
        settings = self.settings
        numbered = [replace(one, solution_id=number) for number, one in enumerate(solutions)]
        matrices = execute(
            settings.problems,
            numbered,
            limits=settings.limits,
            jobs=settings.jobs,
            unconfined=settings.unconfined,
            vacuous_tests=settings.vacuous_tests,
        )
        verdicts = [verdict for matrix in matrices for verdict in matrix.verdicts]
        if any(one.correct is None and INFRASTRUCTURE in one.codes for one in verdicts):
            raise InfrastructureError(
                "a validation probe has verdicts with the code I: the sandbox failed, or the helpers or the reference "
                "solution of a validation problem failed. Check the problems with `codepref inspect`, or start the "
                "same command again."
            )
        return {(one.task_id, solutions[one.solution_id].text): one.correct for one in verdicts}


def _share(flags: Iterable[bool]) -> float:
    values = list(flags)
    return sum(values) / len(values) if values else 0.0
