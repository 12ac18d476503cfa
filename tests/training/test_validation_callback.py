"""Validation during trainings of the starter. It detects a collapse, stops the training, and keeps the best weights."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from training_script import pairs, train_on

from codepref import load_problems
from codepref.config.sections import TrainingSection
from codepref.errors import GateError, InfrastructureError
from codepref.records import Problem, Solution, Test, Verdict, VerdictMatrix
from codepref.starter import SOLUTION_TEMPLATE
from codepref.training import validator as validator_module
from codepref.training.job import ValidationSettings
from codepref.training.validation_stats import Probe
from codepref.training.validator import Validator

SETTINGS = TrainingSection(method="rpo", learning_rate=1e-5, batch_size=4, epochs=1.0, max_length=256)


@pytest.fixture(scope="module")
def validation() -> ValidationSettings:
    problems = load_problems("starter:validation", limit=20)
    return ValidationSettings(problems, max_new_tokens=80, samples=2, template=SOLUTION_TEMPLATE, jobs=1)


def test_validation_does_not_change_the_trained_weights(validation: ValidationSettings, tmp_path: Path) -> None:
    settings = replace(SETTINGS, lora_rank=4, lora_dropout=0.3, learning_rate=1e-3)
    train_on(pairs(12), "starter", tmp_path / "alone", settings)
    every_step = replace(validation, every=1, patience=0)
    result = train_on(pairs(12), "starter", tmp_path / "validated", settings, validation=every_step)
    assert [probe["step"] for probe in result.probes] == [0, 1, 2, 3]
    if result.kept_step == 3:
        one, other = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("alone", "validated"))
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert result.probes[0]["difference"] == 0
    assert result.probes[0]["entropy"] > 0


def test_a_collapse_ends_training_and_the_weights_before_it_are_kept(
    validation: ValidationSettings, tmp_path: Path
) -> None:
    too_fast = replace(SETTINGS, method="dpo", chosen_weight=0.0, learning_rate=1e-2, epochs=6.0, warmup_ratio=0.0)
    every_step = replace(validation, every=1, patience=0)
    result = train_on(pairs(16), "starter", tmp_path / "model", too_fast, validation=every_step)
    assert result.stopped.startswith("worse than the start on validation problems")
    assert result.steps < 24
    kept = next(probe for probe in result.probes if probe["step"] == result.kept_step)
    assert kept["low"] == max(probe["low"] for probe in result.probes[1:])
    assert any("fell by" in warning for warning in result.warnings)
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"model.safetensors", "training.json", "tokenizer.json"} <= names
    assert not names & {"probes.json", "resume.json", "reference.npz"}
    assert not [name for name in names if name.startswith("best")]


def test_the_written_weights_are_those_of_the_kept_step(validation: ValidationSettings, tmp_path: Path) -> None:
    too_fast: dict[str, Any] = {"method": "dpo", "chosen_weight": 0.0, "learning_rate": 1e-3, "warmup_ratio": 0.0}
    impatient = replace(validation, every=1, patience=1)
    settings = replace(SETTINGS, **too_fast, epochs=6.0, scheduler="constant_with_warmup")
    result = train_on(pairs(16), "starter", tmp_path / "model", settings, validation=impatient)
    assert result.kept_step < result.steps
    # the learning rate is constant, so a training that ends at the kept step takes the same steps up to there
    short = replace(settings, epochs=result.kept_step / 4)
    train_on(pairs(16), "starter", tmp_path / "short", short)
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("model", "short"))
    assert all(torch.allclose(one[key], other[key], atol=1e-6) for key in one)


def test_a_divergence_that_a_probe_finds_ends_the_training(validation: ValidationSettings, tmp_path: Path) -> None:
    diverging = replace(SETTINGS, learning_rate=1e30, warmup_ratio=0.0, max_grad_norm=1e30)
    with pytest.raises(GateError, match=r"not a finite number at step 2\. Lower the learning rate"):
        train_on(pairs(8), "starter", tmp_path / "model", diverging, validation=replace(validation, every=1))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("minutes", "saved_steps"), [(15.0, [1]), (0.0, [])])
def test_a_probe_asks_for_a_checkpoint_unless_checkpoints_are_off(
    minutes: float,
    saved_steps: list[int],
    validation: ValidationSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved: list[int] = []
    monkeypatch.setattr(
        "transformers.Trainer._save_checkpoint", lambda trainer, *rest: saved.append(trainer.state.global_step)
    )
    monkeypatch.setattr("codepref.training.staging.write_text", lambda path, text: None)
    settings = replace(SETTINGS, checkpoint_minutes=minutes)
    few = replace(validation, problems=validation.problems[:2], every=1)
    train_on(pairs(8), "starter", tmp_path / "model", settings, validation=few)
    assert saved == saved_steps  # step 2 is the last step, which needs no checkpoint


class _FixedProbes(Validator):
    """A validator whose probes pass a given number of 40 problems. passed: this number by step."""

    def __init__(self, staging: Path, passed: dict[int, int]) -> None:
        super().__init__(ValidationSettings([], patience=0), None, [], staging, 0)
        self.passed = passed

    def _measure(self, trainer: Any, step: int) -> Probe:
        return Probe(step, tuple(float(at < self.passed[step]) for at in range(40)), 0.0, 0.0, 100.0, 0.0, 0.0)


class _NumberAsModel:
    """A trainer that writes the number of a step in place of a model."""

    def __init__(self, step: int) -> None:
        self.step = step

    def save_model(self, folder: str) -> None:
        Path(folder).mkdir()
        (Path(folder) / "model").write_text(str(self.step))


def _probed(validator: Validator, steps: Sequence[int]) -> Validator:
    for step in steps:
        validator.probe(_NumberAsModel(step), step)
    return validator


def test_a_resumed_training_keeps_the_best_step_of_the_steps_that_it_kept(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    _probed(_FixedProbes(tmp_path, {0: 20, 5: 25, 10: 30, 15: 35}), (0, 5, 10, 15))
    # The training was killed before the checkpoint of step 15 was complete, and resumes from step 10. Step 15 is
    # repeated with another result, as can happen on a GPU.
    resumed = _FixedProbes(tmp_path, {15: 10, 20: 10})
    resumed.restore(10)
    _probed(resumed, (15, 20)).take_best(20, target)
    assert resumed.kept == 10
    assert (target / "model").read_text() == "10"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("codes", "passed"),
    [(("PP", "PF"), 0.5), (("PP", "FI"), 0.5), (("PP", "PS"), 1.0), (("PS", "S"), 0.0), (("PP", "PI"), None)],
)
def test_a_probe_counts_samples_of_known_correctness(
    codes: tuple[str, ...], passed: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = Problem("t", "Add one.", "f", tests=(Test("t", "0", "assert f(1) == 2"),))
    matrix = VerdictMatrix("t", problem.tests, tuple(Verdict("t", at, "x", one) for at, one in enumerate(codes)))
    solutions = [Solution("t", at, f"program {at}") for at in range(len(codes))]
    monkeypatch.setattr(validator_module, "execute", lambda *args, **named: [matrix])
    monkeypatch.setattr(validator_module, "solutions_from_rows", lambda rows, problems: solutions)
    validator = Validator(ValidationSettings([problem]), None, [], tmp_path, 0)
    if passed is None:
        with pytest.raises(InfrastructureError, match="the sandbox failed"):
            validator._run([])
    else:
        assert validator._run([]) == (passed,)


def test_a_program_of_an_earlier_probe_does_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = [
        Problem(name, "Add one.", "f", tests=(Test(name, "0", "assert f(1) == 2"),)) for name in ("a", "b", "c")
    ]
    ran: list[list[tuple[str, str]]] = []

    def run(problems: Sequence[Problem], solutions: Sequence[Solution], **settings: Any) -> list[VerdictMatrix]:
        ran.append([(one.task_id, one.text) for one in solutions])
        return [
            VerdictMatrix(one.task_id, (), (Verdict(one.task_id, one.solution_id, one.text, one.text),))
            for one in solutions
        ]

    monkeypatch.setattr(validator_module, "execute", run)
    monkeypatch.setattr(validator_module, "solutions_from_rows", lambda rows, problems: rows)
    validator = Validator(ValidationSettings(problems), None, [], tmp_path, 0)
    first = [Solution("a", 0, "P"), Solution("a", 1, "F"), Solution("a", 2, "P"), Solution("b", 0, "P")]
    second = [Solution("a", 0, "F"), Solution("b", 0, "F"), Solution("b", 1, "P")]
    assert validator._run(first) == (2 / 3, 1.0, 0.0)
    assert validator._run(second) == (0.0, 0.5, 0.0)
    assert validator._run(second) == (0.0, 0.5, 0.0)
    assert ran == [[("a", "P"), ("a", "F"), ("b", "P")], [("b", "F")]]
