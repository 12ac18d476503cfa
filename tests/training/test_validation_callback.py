"""The watch over real trainings of the starter: it sees a collapse, stops it, and keeps the weights from before."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from training_script import pairs

from codepref import load_problems
from codepref.config.sections import TrainingSection
from codepref.errors import GateError
from codepref.sampling.engines import Decoding
from codepref.starter import SOLUTION_TEMPLATE
from codepref.training.train import train_on
from codepref.training.validation_callback import Probing, Watch
from codepref.training.validation_stats import Probe

SETTINGS = TrainingSection(method="rpo", learning_rate=1e-5, batch_size=4, epochs=1.0, max_length=256)


@pytest.fixture(scope="module")
def probing() -> Probing:
    problems = load_problems("starter:validation", limit=20)
    return Probing(problems, Decoding(max_new_tokens=80), samples=2, template=SOLUTION_TEMPLATE, jobs=1)


def test_probing_changes_no_weight_of_the_training(probing: Probing, tmp_path: Path) -> None:
    settings = replace(SETTINGS, lora_rank=4, lora_dropout=0.3, learning_rate=1e-3)
    train_on(pairs(12), "starter", tmp_path / "alone", settings)
    watched = train_on(
        pairs(12), "starter", tmp_path / "watched", settings, watch=replace(probing, every=1, patience=0)
    )
    assert [probe["step"] for probe in watched.probes] == [0, 1, 2, 3]
    if watched.kept_step == 3:
        one, other = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("alone", "watched"))
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert watched.probes[0]["difference"] == 0
    assert watched.probes[0]["entropy"] > 0


def test_a_collapse_ends_training_and_the_weights_from_before_are_kept(probing: Probing, tmp_path: Path) -> None:
    wrecking = replace(SETTINGS, method="dpo", chosen_weight=0.0, learning_rate=1e-2, epochs=6.0, warmup_ratio=0.0)
    found = train_on(pairs(16), "starter", tmp_path / "model", wrecking, watch=replace(probing, every=1, patience=0))
    assert found.stopped.startswith("worse than the start on validation problems")
    assert found.steps < 24
    kept = next(probe for probe in found.probes if probe["step"] == found.kept_step)
    assert kept["low"] == max(probe["low"] for probe in found.probes[1:])
    assert any("fell by" in said for said in found.warnings)
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"model.safetensors", "training.json", "tokenizer.json"} <= names
    assert not names & {"probes.json", "resume.json", "reference.npz"}
    assert not [name for name in names if name.startswith("best")]


def test_the_kept_weights_are_those_of_the_kept_step(probing: Probing, tmp_path: Path) -> None:
    wrecking: dict[str, Any] = {"method": "dpo", "chosen_weight": 0.0, "learning_rate": 1e-3, "warmup_ratio": 0.0}
    watch = replace(probing, every=1, patience=1)
    settings = replace(SETTINGS, **wrecking, epochs=6.0, scheduler="constant_with_warmup")
    found = train_on(pairs(16), "starter", tmp_path / "model", settings, watch=watch)
    assert found.kept_step < found.steps
    # the same training, ended by its length: a constant rate makes its first steps the same
    short = replace(settings, epochs=found.kept_step / 4)
    train_on(pairs(16), "starter", tmp_path / "short", short)
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("model", "short"))
    assert all(torch.allclose(one[key], other[key], atol=1e-6) for key in one)


def test_a_training_that_diverges_where_it_is_probed_ends_with_the_step(probing: Probing, tmp_path: Path) -> None:
    wrecking = replace(SETTINGS, learning_rate=1e30, warmup_ratio=0.0, max_grad_norm=1e30)
    with pytest.raises(GateError, match=r"no number at step 2\. Lower training\.learning_rate"):
        train_on(pairs(8), "starter", tmp_path / "model", wrecking, watch=replace(probing, every=1))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("minutes", "kept"), [(15.0, 1), (0.0, 0)])
def test_a_probe_is_kept_with_a_checkpoint_unless_there_are_none(
    minutes: float, kept: int, probing: Probing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    monkeypatch.setattr(
        "transformers.Trainer._save_checkpoint", lambda trainer, *rest: saved.append(trainer.state.global_step)
    )
    monkeypatch.setattr("codepref.training.staging.write_text", lambda path, text: None)
    settings = replace(SETTINGS, checkpoint_minutes=minutes)
    few = replace(probing, problems=probing.problems[:2], every=1)
    train_on(pairs(8), "starter", tmp_path / "model", settings, watch=few)
    assert saved == [1][:kept]  # and none of step 2, which is the last


class _Passing(Watch):
    """A watch that sees so many of 40 problems passed, by step."""

    def __init__(self, staging: Path, passed: dict[int, int]) -> None:
        super().__init__(Probing([], patience=0), None, [], staging, 0)
        self.passed = passed

    def _probe(self, trainer: Any, step: int) -> Probe:
        return Probe(step, tuple(float(at < self.passed[step]) for at in range(40)), 0.0, 0.0, 100.0, 0.0, 0.0)


class _Model:
    """A trainer whose weights are the step's number."""

    step = 0

    def save_model(self, folder: str) -> None:
        Path(folder).mkdir()
        (Path(folder) / "model").write_text(str(self.step))


def _looked(watch: Watch, steps: Sequence[int]) -> Watch:
    for step in steps:
        model = _Model()
        model.step = step
        watch.look(model, step)
    return watch


def test_a_best_probe_that_a_kill_undid_leaves_no_weights(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    _looked(_Passing(tmp_path, {0: 20, 5: 25, 10: 30, 15: 35}), (0, 5, 10, 15))
    # killed before the checkpoint of step 15 was whole; on a GPU the same step need not be the same again
    again = _Passing(tmp_path, {15: 10, 20: 10})
    again.restore(10)
    _looked(again, (15, 20)).take_best(20, target)
    assert again.kept == 10
    assert (target / "model").read_text() == "10"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
