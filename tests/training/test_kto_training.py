"""KTO on the starter. The reference is the start model, labels have weights, and the written model has its files."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from training_script import pairs, train_on

from codepref.chat import Chat
from codepref.cli.main import main
from codepref.config.sections import TrainingSection
from codepref.errors import GateError, InfrastructureError, UserError
from codepref.models import load_tokenizer
from codepref.pairing.artifact import write_pairs
from codepref.training import setup, trainer
from codepref.training.examples import Examples, examples_from_pairs
from codepref.training.methods import kto
from codepref.training.rows import TrainingRows

SETTINGS = TrainingSection(method="kto", learning_rate=1e-4, batch_size=4, epochs=1.0, max_length=256)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return train_on(pairs(4), "starter", tmp_path_factory.mktemp("kto") / "model", SETTINGS, seed=1)


def test_the_loss_before_the_first_step_is_a_half(trained: Any) -> None:
    assert trained.expected_first_loss is None  # the logged loss includes the likelihood term
    # rewards and KL are 0, so the loss of each answer is 1 - sigmoid(0) = 1/2; both labels have weight 1
    assert trained.first_loss == pytest.approx(0.5, abs=1e-3)


def test_the_curve_has_every_step_and_the_written_settings_name_the_method(trained: Any) -> None:
    assert [row["step"] for row in trained.curve] == [1, 2]  # 4 pairs give 8 answers, and a step takes 4
    assert {"loss", "margin", "kl", "chosen_logp", "rejected_logp"} <= set(trained.curve[0])
    assert trained.curve[0]["margin"] == pytest.approx(0, abs=1e-4)
    marker = json.loads((trained.model / "training.json").read_text())
    assert marker["settings"]["method"] == "kto"
    # The settings hold 0. The file holds the balanced weights, which are 1 for 4 wanted and 4 unwanted answers.
    assert (marker["settings"]["desirable_weight"], marker["settings"]["undesirable_weight"]) == (1.0, 1.0)
    assert [path.name for path in trained.model.parent.iterdir()] == ["model"]


def test_the_weight_of_a_label_scales_its_part_of_the_first_loss(tmp_path: Path) -> None:
    settings = replace(SETTINGS, desirable_weight=3.0, undesirable_weight=1.0)
    result = train_on(pairs(4), "starter", tmp_path / "model", settings)
    assert result.first_loss == pytest.approx(1.0, abs=1e-3)  # 0.5 x (3 + 3 + 1 + 1) / 4


def test_training_makes_wanted_answers_more_likely_than_unwanted_ones(tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=10.0, learning_rate=5e-4, chosen_weight=0.0)
    result = train_on(pairs(4), "starter", tmp_path / "model", settings)
    assert result.curve[0]["loss"] == pytest.approx(0.5, abs=1e-3)
    assert result.curve[-1]["margin"] > 0.1
    assert result.curve[-1]["loss"] < result.curve[0]["loss"]


def test_chosen_weight_adds_the_likelihood_of_the_wanted_answers_in_proportion(trained: Any, tmp_path: Path) -> None:
    without = train_on(pairs(4), "starter", tmp_path / "one", replace(SETTINGS, chosen_weight=0.0), seed=1)
    added = trained.curve[0]["loss"] - without.curve[0]["loss"]
    doubled = train_on(pairs(4), "starter", tmp_path / "two", replace(SETTINGS, chosen_weight=2.0), seed=1)
    assert added > 0
    assert doubled.curve[0]["loss"] - without.curve[0]["loss"] == pytest.approx(2 * added, rel=1e-3)


def test_the_added_likelihood_is_a_mean_over_the_tokens_of_the_wanted_answers(tmp_path: Path) -> None:
    at_once = replace(SETTINGS, batch_size=8)  # all 8 answers in one step, so the order does not matter
    first_steps = [
        train_on(pairs(4), "starter", tmp_path / f"{weight}", replace(at_once, chosen_weight=weight)).curve[0]
        for weight in (0.0, 1.0)
    ]
    encode = Chat(load_tokenizer("starter")).encode
    tokens = sum(len(encode([*one.prompt, *one.chosen], False)) - len(encode(one.prompt, True)) for one in pairs(4))
    # chosen_logp is a mean over the 4 wanted answers; for each answer it sums the log-probabilities of the tokens
    without, with_likelihood = first_steps
    added = with_likelihood["loss"] - without["loss"]
    assert added == pytest.approx(-4 * without["chosen_logp"] / tokens, rel=1e-3)


def test_weights_that_are_not_numbers_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # TRL's mean skips answers whose loss is NaN, so the log can look right although weights are NaN
    real = trainer.training_curve

    def spoil(log_history: Any) -> Any:
        next(loaded[0].parameters()).data[0, 0] = float("nan")
        return real(log_history)

    loaded: list[Any] = []
    load = setup.load_model
    monkeypatch.setattr(
        setup, "load_model", lambda *args, **options: loaded.append(load(*args, **options)) or loaded[-1]
    )
    monkeypatch.setattr(trainer, "training_curve", spoil)
    with pytest.raises(GateError, match="not a finite number at the end"):
        train_on(pairs(4), "starter", tmp_path / "model", SETTINGS)
    assert not (tmp_path / "model").exists()


def test_the_command_counts_answers_instead_of_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pairs(tmp_path / "pairs.parquet", [*pairs(4), *pairs(1)])
    command = ["train", "--method", "kto", "--model", "starter", "--pairs", str(tmp_path / "pairs.parquet")]
    settings = ["--set", "batch_size=4", "--set", "epochs=1.0", "--set", "max_length=256"]
    assert main([*command, *settings, "--out", str(tmp_path / "model")]) == 0
    output = capsys.readouterr().out
    assert "8 answers, 2 steps, loss before the first step 0.5000" in output
    assert (
        "2 x answer left out: it is there already" in output
    )  # both answers of the fifth pair repeat those of the first pair


def test_a_reference_that_differs_from_the_start_model_stops_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = setup.load_model, []

    def second_differs(*args: Any, **options: Any) -> Any:
        model = real(*args, **options)
        calls.append(model)
        if len(calls) == 2:
            for weight in model.parameters():
                weight.data.mul_(1.2)
        return model

    monkeypatch.setattr(setup, "load_model", second_differs)
    with pytest.raises(InfrastructureError, match=r"instead of 0\.5000"):
        train_on(pairs(4), "starter", tmp_path / "model", SETTINGS)
    assert not (tmp_path / "model").exists()


def test_equal_wrong_rewards_that_cancel_in_the_loss_are_detected() -> None:
    class Rows(list[Any]):
        def select(self, places: range) -> dict[str, list[bool]]:
            return {"label": [True, False][: len(places)]}

    class Shifted:
        """A trainer for two answers, of which one is wanted. Both rewards are 0.7 instead of 0, but the loss is 1/2."""

        train_dataset = Rows([0, 1])
        desirable_weight = undesirable_weight = 1.0
        state = SimpleNamespace(log_history=[])

        def evaluate(self, rows: Any) -> dict[str, float]:
            return {"eval_loss": 0.5, "eval_rewards/chosen": 0.7, "eval_rewards/rejected": 0.7, "eval_kl": 0.0}

    with pytest.raises(InfrastructureError, match=r"is 0\.7000 instead of 0"):
        kto.first_loss(Shifted(), SETTINGS)


def test_an_adapter_is_trained(tmp_path: Path) -> None:
    result = train_on(pairs(4), "starter", tmp_path / "adapter", replace(SETTINGS, lora_rank=4))
    assert result.first_loss == pytest.approx(0.5, abs=1e-3)
    assert (result.model / "adapter_config.json").exists()


def test_the_micro_batch_is_divided_among_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="at least 2 for each of 2 processes"):
        train_on(pairs(4), "starter", tmp_path / "model", replace(SETTINGS, micro_batch_size=2))
    batches: list[int] = []
    monkeypatch.setattr(kto, "kto_rows", lambda *args, batch, **named: batches.append(batch) or TrainingRows())
    monkeypatch.setattr(trainer, "run_training", lambda job, *, rows, **named: rows(None))
    train_on(pairs(4), "starter", tmp_path / "model", replace(SETTINGS, micro_batch_size=4))
    assert batches == [2]


def test_a_batch_of_one_row_and_rows_of_one_label_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 2"):
        train_on(pairs(4), "starter", tmp_path / "model", replace(SETTINGS, micro_batch_size=1))
    examples = examples_from_pairs(pairs(4))
    wanted = Examples([one for one in examples.examples if one.wanted])
    with pytest.raises(UserError, match="one label"):
        train_on(wanted, "starter", tmp_path / "model", SETTINGS)
