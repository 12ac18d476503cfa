"""The table of training methods, and the checks of settings that depend on the method."""

from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from training_script import pairs, train_on

import codepref
from codepref.config.sections import OnlineSection, TrainingSection
from codepref.errors import UserError
from codepref.registry import Registry
from codepref.training import methods
from codepref.training.checks import training_mistakes
from codepref.training.examples import Examples, examples_from_pairs
from codepref.training.methods import METHODS, load_method
from codepref.training.methods.base import Method, OnlineProblems


def test_every_entry_of_the_table_is_a_method_of_its_name() -> None:
    for name in METHODS.builtin:
        method = load_method(name)
        assert isinstance(method, Method)
        assert method.name == name


@pytest.mark.parametrize(
    ("name", "learns_from", "supervised"),
    [
        ("dpo", "pairs", False),
        ("rpo", "pairs", False),
        ("focal-dpo", "pairs", False),
        ("cpo", "pairs", False),
        ("simpo", "pairs", False),
        ("orpo", "pairs", False),
        ("kto", "answers", False),
        ("sft", "answers", True),
        ("rft", "answers", True),
        ("grpo", "problems", False),
        ("rloo", "problems", False),
    ],
)
def test_each_method_names_what_it_learns_from(name: str, learns_from: str, supervised: bool) -> None:
    method = load_method(name)
    assert (method.learns_from, method.supervised) == (learns_from, supervised)
    assert method.online == (method.sources == ("problems",)) == (learns_from == "problems")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"method": "dpo", "chosen_weight": 0.0}, 0.693147),
        ({"method": "dpo", "chosen_weight": 1.0}, None),  # the likelihood term is added to the loss
        ({"method": "dpo", "chosen_weight": 0.0, "loss": "ipo"}, None),
        ({"method": "rpo", "chosen_weight": 1.0}, None),
        ({"method": "kto", "chosen_weight": 0.0}, None),
        ({"method": "sft"}, None),
        ({"method": "grpo"}, None),
    ],
)
def test_only_the_sigmoid_loss_of_dpo_alone_starts_at_ln_2(settings: dict[str, Any], expected: float | None) -> None:
    section = TrainingSection(**settings)
    value = load_method(section.method).expected_first_loss(section)
    assert value == (None if expected is None else pytest.approx(expected, abs=1e-6))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "ppo"}, r"unknown training method 'ppo'.*known: dpo, rpo, focal-dpo, cpo, simpo, orpo, kto"),
        ({"method": "rpo", "chosen_weight": 0.0}, r"set training\.chosen_weight"),
        ({"method": "kto", "batch_size": 1}, "must hold at least 2 answers"),
        ({"method": "grpo", "batch_size": 12}, r"must be a multiple of online\.generations = 8"),
        ({"method": "grpo", "batch_size": 16, "micro_batch_size": 5}, "does not divide"),
        ({"loss": "sigmoidal"}, r"unknown training\.loss = 'sigmoidal'; known losses of TRL: sigmoid, hinge"),
        ({"report_to": ("paper",)}, r"unknown name in training\.report_to: paper; known: none, tensorboard"),
    ],
)
def test_each_mistake_in_the_settings_has_a_message(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    section = replace(TrainingSection(), **settings)
    (mistake,) = training_mistakes(section)
    with pytest.raises(UserError, match=message):
        raise UserError(mistake)
    data = OnlineProblems([]) if section.method == "grpo" else pairs(1)
    with pytest.raises(UserError, match=message):
        train_on(data, "starter", tmp_path / "model", section)


def test_the_package_names_the_known_methods_for_an_unknown_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown training method 'ppo'.*known: dpo"):
        codepref.train([], "starter", tmp_path / "model", method="ppo")


def test_data_that_the_method_cannot_learn_from_is_refused(tmp_path: Path) -> None:
    answers = examples_from_pairs(pairs(1))
    with pytest.raises(UserError, match=r"method dpo needs pairs, .* choose one of the methods kto, sft, rft"):
        train_on(answers, "starter", tmp_path / "model", TrainingSection())
    with pytest.raises(UserError, match="method grpo learns from problems"):
        train_on(answers, "starter", tmp_path / "model", TrainingSection(method="grpo"))
    with pytest.raises(UserError, match="method sft learns from answers"):
        train_on(OnlineProblems([], OnlineSection()), "starter", tmp_path / "model", TrainingSection(method="sft"))


def test_another_package_adds_a_method_by_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[Any] = []

    def train_nothing(job: Any, data: Any) -> Any:
        received.append(data)
        return "trained"

    method = Method("nothing", train_nothing, "answers", ("pairs",), learning_rate=1.0, lora_learning_rate=2.0)
    point = EntryPoint("nothing", "some_package:METHOD", METHODS.group)
    table: Registry[Method] = Registry(METHODS.kind, METHODS.group, METHODS.builtin)
    table.plugins = {"nothing": [point]}
    monkeypatch.setattr(EntryPoint, "load", lambda self: method)
    monkeypatch.setattr(methods, "METHODS", table)
    monkeypatch.setattr("codepref.training.checks.METHODS", table)
    assert codepref.train(pairs(1), "starter", tmp_path / "model", method="nothing") == "trained"
    assert isinstance(received[0], Examples)
