"""CPO, SimPO and ORPO: their losses are TRL's, and they train without a reference model."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from training_script import pairs, train_on

from codepref import load_problems
from codepref.config.sections import TrainingSection
from codepref.errors import UserError
from codepref.starter import SOLUTION_TEMPLATE
from codepref.training.checks import training_mistakes
from codepref.training.job import ValidationSettings
from codepref.training.pair_losses import cpo, orpo, simpo

SETTINGS = TrainingSection(learning_rate=5e-4, batch_size=4, epochs=5.0, max_length=256)


def sums() -> tuple[Any, Any, Any]:
    """Return the log-probabilities of two chosen and of two rejected answers, and the numbers of their tokens."""
    import torch

    return torch.tensor([-2.0, -9.0]), torch.tensor([-8.0, -3.0]), torch.tensor([[4, 6], [8, 2]])


def trl_arguments(**named: Any) -> SimpleNamespace:
    return SimpleNamespace(accelerator=SimpleNamespace(device="cpu"), label_smoothing=0.0, alpha=0.0, **named)


def test_the_loss_of_simpo_is_that_of_the_paper() -> None:
    losses, chosen, rejected = simpo(*sums(), 2.0, 0.5)
    # the first pair: rewards 2 x (-2 / 4) = -1 and 2 x (-8 / 8) = -2, target margin 0.5 x 2 = 1
    assert (float(chosen[0]), float(rejected[0])) == (-1.0, -2.0)
    assert float(losses[0]) == pytest.approx(math.log(2))


@pytest.mark.filterwarnings("ignore")
def test_the_losses_are_those_of_trl() -> None:
    from trl.experimental.cpo import CPOTrainer
    from trl.experimental.orpo import ORPOTrainer

    chosen, rejected, lengths = sums()
    means = chosen / lengths[0], rejected / lengths[1]
    theirs = CPOTrainer.cpo_loss(trl_arguments(beta=0.1, loss_type="sigmoid"), chosen, rejected)[0]
    assert cpo(chosen, rejected, lengths, 0.1, 0.5)[0].tolist() == pytest.approx(theirs.tolist())
    theirs = CPOTrainer.cpo_loss(trl_arguments(beta=2.0, loss_type="simpo", simpo_gamma=1.0), *means)[0]
    assert simpo(chosen, rejected, lengths, 2.0, 0.5)[0].tolist() == pytest.approx(theirs.tolist())
    theirs = -ORPOTrainer.odds_ratio_loss(trl_arguments(beta=0.1), *means)[0]
    assert orpo(chosen, rejected, lengths, 0.1, 0.5)[0].tolist() == pytest.approx(theirs.tolist())


@pytest.mark.parametrize(("method", "beta"), [("cpo", 0.1), ("simpo", 2.0), ("orpo", 0.1)])
def test_each_method_learns_without_a_reference_model(method: str, beta: float, tmp_path: Path) -> None:
    result = train_on(pairs(), "starter", tmp_path / "model", replace(SETTINGS, method=method))
    assert result.settings["beta"] == beta
    assert result.settings["share_prefixes"] is True
    assert result.expected_first_loss is None
    first, last = result.curve[0], result.curve[-1]
    assert last["loss"] < first["loss"]
    assert last["chosen_logp"] > first["chosen_logp"]
    assert last["margin"] > first["margin"]
    assert json.loads((result.model / "training.json").read_text())["settings"]["beta"] == beta


def test_an_adapter_is_trained_with_validation(tmp_path: Path) -> None:
    validation = ValidationSettings(
        load_problems("starter:validation", limit=3), max_new_tokens=40, template=SOLUTION_TEMPLATE, jobs=1
    )
    settings = replace(SETTINGS, method="simpo", lora_rank=4, epochs=1.0)
    result = train_on(pairs(), "starter", tmp_path / "model", settings, validation=validation)
    assert (result.model / "adapter_config.json").exists()
    assert result.probes[0]["step"] == 0
    assert len(result.probes) > 1


@pytest.mark.parametrize("method", ["cpo", "orpo"])
def test_methods_that_hold_a_likelihood_term_need_its_weight(method: str) -> None:
    settings = TrainingSection(method=method, chosen_weight=0.0)
    assert any("set training.chosen_weight above 0" in mistake for mistake in training_mistakes(settings))


def test_sharded_models_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UserError, match="has no reference model"):
        train_on(pairs(2), "starter", tmp_path / "model", replace(SETTINGS, method="simpo"))
