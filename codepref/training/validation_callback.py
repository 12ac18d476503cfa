"""The watch: while a model trains, it answers validation problems, and what it answers is run."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codepref.errors import GateError, InfrastructureError
from codepref.execution.execute import execute
from codepref.execution.limits import Limits
from codepref.records import Problem
from codepref.sampling.answers import solutions_from_rows
from codepref.sampling.engines import Decoding
from codepref.sampling.sample import sample
from codepref.storage.files import read_json, write_json
from codepref.training.processes import first_alone
from codepref.training.rewards import compiles
from codepref.training.validation_stats import Probe, best_step, repeats_itself, stop_reason

ANCHORS = 64
"""Chosen answers whose log-probability every probe looks at."""
PROBES = 8
"""Probes a training, where the settings name no interval."""
FILE = "probes.json"
BEST = "best"


@dataclass(frozen=True)
class Probing:
    """How a model is probed. every: steps between probes, 0: PROBES of them. patience: see `watching.stop_reason`."""

    problems: Sequence[Problem]
    decoding: Decoding = field(default_factory=Decoding)
    samples: int = 2
    every: int = 0
    patience: int = 4
    template: str | None = None
    batch_size: int = 128
    limits: Limits = field(default_factory=Limits)
    jobs: int | None = None
    unconfined: bool = False


class Watch:
    """Probes a trainer's model, keeps the weights of the best probe in `staging`/best-STEP, and says when to stop.

    The best before it is kept until the next probe: a kill may come before there is a checkpoint of the new one's step,
    and a training that goes on from an earlier step need not find it the best again.
    """

    def __init__(self, probing: Probing, tokenizer: Any, rows: Sequence[dict[str, Any]], staging: Path, seed: int):
        self.probing, self.tokenizer, self.staging, self.seed = probing, tokenizer, staging, seed
        self.anchors = _anchors(rows, tokenizer)
        self.probes: list[Probe] = []
        self.stopped, self.kept = "", 0

    def restore(self, step: int) -> None:
        """Take up the probes of an earlier try that goes on after `step`."""
        if (self.staging / FILE).exists():
            rows = read_json(self.staging / FILE)
            self.probes = [Probe(**row | {"passed_P": tuple(row["passed_P"])}) for row in rows if row["step"] <= step]

    def look(self, trainer: Any, step: int) -> None:
        """Probe the model as it is at `step`, keep it if it is the best so far, and decide whether to stop."""
        if any(probe.step == step for probe in self.probes):
            return
        self._forget_all_but(self._best())
        self.probes.append(self._probe(trainer, step))
        write_json(self.staging / FILE, [asdict(probe) for probe in self.probes])
        if self._best() == step:
            shutil.rmtree(self._kept_in(step), ignore_errors=True)
            trainer.save_model(str(self._kept_in(step)))
        self.stopped = stop_reason(self.probes, self.probing.patience, self.seed)

    def take_best(self, last: int, target: Path) -> None:
        """Put the best weights into `target`, in place of those of step `last`, unless they are the same."""
        best = self._best()
        self.kept = last if best is None else best
        if self.kept != last:
            for path in self._kept_in(self.kept).iterdir():
                path.replace(target / path.name)
        self._forget_all_but(None)
        (self.staging / FILE).unlink(missing_ok=True)

    def _best(self) -> int | None:
        return best_step(self.probes) if len(self.probes) > 1 else None

    def _kept_in(self, step: int) -> Path:
        return self.staging / f"{BEST}-{step}"

    def _forget_all_but(self, step: int | None) -> None:
        for path in self.staging.glob(f"{BEST}-*"):
            if step is None or path != self._kept_in(step):
                shutil.rmtree(path)

    def _probe(self, trainer: Any, step: int) -> Probe:
        from codepref.sampling.engines.transformers import TransformersEngine

        probing, model = self.probing, trainer.accelerator.unwrap_model(trainer.model)
        engine = TransformersEngine.around(model, self.tokenizer, f"step {step}")
        with _undisturbed(model):
            chosen_logp, entropy = _on_anchors(trainer, self.anchors)
            if not math.isfinite(chosen_logp):  # the log tells it after this step, and nothing can be sampled till then
                raise GateError(
                    f"training diverged: the chosen answers' likelihood is no number at step {step}. "
                    "Lower training.learning_rate."
                )
            rows = sample(
                probing.problems,
                engine,
                n=probing.samples,
                decoding=probing.decoding,
                template=probing.template,
                seed=self.seed,
                batch_size=probing.batch_size,
            )
        matrices = execute(
            probing.problems,
            solutions_from_rows(rows, probing.problems),
            limits=probing.limits,
            jobs=probing.jobs,
            unconfined=probing.unconfined,
        )
        correct = [[verdict.correct for verdict in matrix.verdicts] for matrix in matrices]
        if any(None in of_problem for of_problem in correct):
            raise InfrastructureError("a probe could not be judged: the sandbox failed. Start the same command again.")
        texts = [row["completion"] for row in rows]
        return Probe(
            step=step,
            passed_P=tuple(sum(map(bool, of_problem)) / len(of_problem) for of_problem in correct),
            unparsable=_share(not compiles(row["solution"]) for row in rows),
            unfinished=_share(not row["finished"] for row in rows),
            characters=sum(map(len, texts)) / len(texts),
            repeated=_share(map(repeats_itself, texts)),
            chosen_logp=chosen_logp,
            entropy=entropy,
        )


def watch_callback(watch: Watch, trainer: Any, *, checkpoints: bool) -> Any:
    """The watch as a callback of `trainer`. checkpoints: whether to ask for one beside each probe."""
    import transformers

    class Watching(transformers.TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            watch.restore(state.global_step)
            if state.global_step == 0:
                _look_once(watch, trainer, 0)

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            every = watch.probing.every or math.ceil(state.max_steps / PROBES)
            if state.global_step % every == 0 or state.global_step >= state.max_steps:
                _look_once(watch, trainer, state.global_step)
                control.should_training_stop |= bool(watch.stopped)
                # a training that is killed goes on from here, beside the probe that it was kept with
                goes_on = not control.should_training_stop and state.global_step < state.max_steps
                control.should_save |= checkpoints and goes_on

    return Watching()


def _look_once(watch: Watch, trainer: Any, step: int) -> None:
    """One process looks, and all do as it says."""

    def work() -> str:
        watch.look(trainer, step)
        return watch.stopped

    watch.stopped = first_alone(work, cpu=trainer.args.use_cpu)


def _anchors(rows: Sequence[dict[str, Any]], tokenizer: Any) -> list[tuple[list[int], int]]:
    """(tokens of prompt and wanted answer, tokens of the prompt) of the first rows of a method that has them."""
    found: list[tuple[list[int], int]] = []
    for row in rows:
        answer = row.get("chosen") or (row.get("completion") if row.get("label", True) else None)
        if answer is None or len(found) == ANCHORS:
            continue
        prompt = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]
        found.append((tokenizer.apply_chat_template([*row["prompt"], *answer])["input_ids"], len(prompt)))
    return found


def _on_anchors(trainer: Any, anchors: list[tuple[list[int], int]]) -> tuple[float, float | None]:
    """Mean log-probability and entropy a token of the anchors' answers."""
    import torch

    logps, entropies, tokens = 0.0, 0.0, 0
    micro = max(2, trainer.args.per_device_train_batch_size)
    for start in range(0, len(anchors), micro):
        batch = anchors[start : start + micro]
        longest = max(len(ids) for ids, _ in batch)
        shape = (len(batch), longest)
        ids, mask, labels = (torch.full(shape, fill, dtype=torch.long) for fill in (0, 0, -100))
        for row, (whole, prompt) in enumerate(batch):
            ids[row, : len(whole)] = torch.tensor(whole)
            mask[row, : len(whole)] = 1
            labels[row, prompt : len(whole)] = torch.tensor(whole[prompt:])
        given = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        with torch.no_grad():
            device = trainer.accelerator.device
            found = trainer.model(**{name: tensor.to(device) for name, tensor in given.items()}, fused_lm_head=True)
        logps += float(found.log_probs.sum())
        entropies = entropies + float(found.entropy.sum()) if found.entropy is not None else math.nan
        tokens += int((labels[:, 1:] != -100).sum())
    if not tokens:
        return 0.0, None
    return logps / tokens, None if math.isnan(entropies) else entropies / tokens


class _undisturbed:  # noqa: N801 - a context manager, named as it reads
    """The model in evaluation, and the random numbers of the training as they were before."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __enter__(self) -> None:
        import torch

        self.training, self.state = self.model.training, torch.get_rng_state()
        self.gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        import torch

        self.model.train(self.training)
        torch.set_rng_state(self.state)
        if self.gpus:
            torch.cuda.set_rng_state_all(self.gpus)


def _share(flags: Any) -> float:
    found = list(flags)
    return sum(found) / len(found) if found else 0.0
