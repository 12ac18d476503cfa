"""DPO on the starter. The reference is the start model, settings take effect, and the written model can be used."""

import importlib.util
import json
import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from training_script import pairs, train_on

from codepref import load_problems
from codepref.config.sections import TrainingSection
from codepref.errors import GateError, InfrastructureError, MachineError, UserError
from codepref.starter import SOLUTION_TEMPLATE
from codepref.training import setup
from codepref.training.curve import training_curve
from codepref.training.staging import newest_checkpoint

SETTINGS = TrainingSection(learning_rate=1e-4, batch_size=4, epochs=1.0, max_length=256)


def weights(folder: Path) -> Any:
    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return train_on(pairs(), "starter", tmp_path_factory.mktemp("dpo") / "model", SETTINGS, seed=1)


def test_the_loss_before_the_first_step_is_ln_2(trained: Any) -> None:
    assert trained.first_loss == pytest.approx(math.log(2), abs=1e-3)


def test_the_logged_loss_with_a_likelihood_term_has_no_expected_start(trained: Any) -> None:
    assert SETTINGS.chosen_weight > 0
    assert trained.expected_first_loss is None
    assert json.loads((trained.model / "training.json").read_text())["expected_first_loss"] is None
    assert abs(trained.curve[0]["loss"] - math.log(2)) > 0.1


def test_the_curve_has_every_step_and_a_margin_that_starts_at_zero(trained: Any) -> None:
    assert [row["step"] for row in trained.curve] == [1, 2]  # 8 pairs, 4 a step, one epoch
    assert trained.steps == 2
    assert trained.curve[0]["margin"] == pytest.approx(0, abs=1e-4)
    assert {"loss", "accuracy", "chosen_logp", "rejected_logp", "learning_rate"} <= set(trained.curve[0])


def test_the_trained_model_answers_and_no_other_files_remain(trained: Any) -> None:
    from codepref import sample

    rows = sample(load_problems("starter:pretrain", limit=2), str(trained.model), n=1, template=SOLUTION_TEMPLATE)
    assert all(row["completion"] for row in rows)
    assert [path.name for path in trained.model.parent.iterdir()] == ["model"]


def test_the_same_seed_gives_the_same_weights(trained: Any, tmp_path: Path) -> None:
    again = train_on(pairs(), "starter", tmp_path / "model", SETTINGS, seed=1)
    first, second = weights(trained.model), weights(again.model)
    assert all((first[name] == second[name]).all() for name in first)


def test_training_makes_the_chosen_answers_more_likely_than_the_rejected_ones(tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=10.0, learning_rate=5e-4, chosen_weight=0.0)
    result = train_on(pairs(), "starter", tmp_path / "model", settings)
    assert result.expected_first_loss == pytest.approx(math.log(2))
    assert result.curve[0]["loss"] == pytest.approx(result.expected_first_loss, abs=1e-3)
    assert result.curve[-1]["margin"] > 0.1
    assert result.curve[-1]["loss"] < result.curve[0]["loss"]


def test_an_adapter_is_trained_and_can_be_used_like_a_model(tmp_path: Path) -> None:
    result = train_on(pairs(), "starter", tmp_path / "adapter", replace(SETTINGS, lora_rank=4))
    assert result.first_loss == pytest.approx(math.log(2), abs=1e-3)
    assert (result.model / "adapter_config.json").exists()
    again = train_on(pairs(4), str(result.model), tmp_path / "further", SETTINGS)
    assert again.first_loss == pytest.approx(math.log(2), abs=1e-3)
    with pytest.raises(UserError, match="a new adapter would be trained without it"):
        train_on(pairs(4), str(result.model), tmp_path / "more", replace(SETTINGS, lora_rank=4))


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_the_adapters_dropout_stays_on(method: Any, tmp_path: Path) -> None:
    weights_of_rate = []
    for rate in (0.0, 0.5):
        settings = replace(SETTINGS, method=method, lora_rank=4, lora_dropout=rate, learning_rate=1e-3)
        result = train_on(pairs(), "starter", tmp_path / "model", settings, seed=1)
        assert result.curve[0]["loss"] > 0
        weights_of_rate.append(load_file(result.model / "adapter_model.safetensors"))
    without, with_dropout = weights_of_rate
    assert any((without[name] != with_dropout[name]).any() for name in without)


def test_accumulated_micro_batches_train_like_one_batch(trained: Any, tmp_path: Path) -> None:
    result = train_on(pairs(), "starter", tmp_path / "model", replace(SETTINGS, micro_batch_size=2), seed=1)
    assert result.steps == trained.steps
    first, second = weights(trained.model), weights(result.model)
    largest = max(float((first[name] - second[name]).abs().max()) for name in first)
    # the chosen answers' likelihood is a mean over the tokens of a micro-batch, so the weights differ a little
    assert largest < 1e-3


@pytest.mark.parametrize("micro", [3, 8])
def test_a_micro_batch_that_does_not_divide_the_batch_is_refused(micro: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"micro_batch_size = {micro} does not divide"):
        train_on(pairs(2), "starter", tmp_path / "model", replace(SETTINGS, micro_batch_size=micro))


def test_eager_attention_trains_the_same_in_padded_batches(trained: Any, tmp_path: Path) -> None:
    result = train_on(pairs(), "starter", tmp_path / "model", replace(SETTINGS, attention="eager"), seed=1)
    assert (trained.settings["share_prefixes"], result.settings["share_prefixes"]) == (True, False)
    assert [row["loss"] for row in result.curve] == pytest.approx([row["loss"] for row in trained.curve], abs=1e-4)


@pytest.mark.skipif(importlib.util.find_spec("flash_attn") is not None, reason="flash attention is installed")
def test_the_message_about_a_missing_attention_package_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"training\.attention = 'flash_attention_2' does not work here"):
        train_on(pairs(), "starter", tmp_path / "model", replace(SETTINGS, attention="flash_attention_2"))


def test_a_package_that_the_model_needs_is_not_reported_as_attention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*args: Any, **named: Any) -> Any:
        raise ImportError("This model needs `mamba_ssm`.")

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", missing)
    with pytest.raises(MachineError, match="needs a package that cannot be imported: This model needs `mamba_ssm`"):
        train_on(pairs(), "starter", tmp_path / "model", SETTINGS)


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
    with pytest.raises(InfrastructureError, match=r"instead of ln 2"):
        train_on(pairs(), "starter", tmp_path / "model", SETTINGS)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_a_model_whose_loss_is_nan_fails_the_check_of_the_reference(
    method: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = setup.load_model

    def broken(*args: Any, **options: Any) -> Any:
        model = real(*args, **options)
        next(model.parameters()).data.fill_(float("nan"))
        return model

    monkeypatch.setattr(setup, "load_model", broken)
    with pytest.raises(GateError, match="loss before the first step is nan"):
        train_on(pairs(4), "starter", tmp_path / "model", replace(SETTINGS, method=method))


def test_a_training_that_diverges_writes_no_model(tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"Lower the learning rate"):
        training_curve([{"loss": 0.7, "step": 1}, {"loss": float("nan"), "step": 2}])
    with pytest.raises(GateError, match="diverged"):
        train_on(pairs(), "starter", tmp_path / "model", replace(SETTINGS, learning_rate=1e30, epochs=3.0))
    assert not (tmp_path / "model").exists()


def test_the_checkpoint_is_kept_when_memory_runs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    import transformers

    real = transformers.Trainer.training_step

    def out_of_memory_at_step_2(trainer: Any, *args: Any, **named: Any) -> Any:
        if trainer.state.global_step == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")
        return real(trainer, *args, **named)

    settings = replace(SETTINGS, epochs=2.0, checkpoint_minutes=1e-6)
    whole = train_on(pairs(), "starter", tmp_path / "whole", settings)
    monkeypatch.setattr(transformers.Trainer, "training_step", out_of_memory_at_step_2)
    with pytest.raises(MachineError, match=r"lower training\.micro_batch_size"):
        train_on(pairs(), "starter", tmp_path / "model", settings)
    monkeypatch.setattr(transformers.Trainer, "training_step", real)
    checkpoint = newest_checkpoint(tmp_path / ".model.partial")
    assert checkpoint is not None
    assert checkpoint.name == "checkpoint-2"
    again = train_on(pairs(), "starter", tmp_path / "model", settings)
    first, second = weights(whole.model), weights(again.model)
    assert again.steps == 4
    assert max(float((first[name] - second[name]).abs().max()) for name in first) <= 1e-6


def test_a_training_without_usable_pairs_is_refused_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing to train on: 8 longer than training.max_length = 16"):
        train_on(pairs(), "starter", tmp_path / "model", replace(SETTINGS, max_length=16))
    with pytest.raises(UserError, match="there were no pairs or answers to learn from"):
        train_on([], "starter", tmp_path / "model", SETTINGS)


def test_the_tokenizer_does_not_warn_of_rows_that_are_left_out(tmp_path: Path) -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger("transformers").addHandler(handler)
    long = [replace(pair, chosen=[{"role": "assistant", "content": "x = 1\n" * 400}]) for pair in pairs(1)]
    with pytest.raises(UserError, match="nothing to train on: 1 longer than"):
        train_on(long, "starter", tmp_path / "model", SETTINGS)
    logging.getLogger("transformers").removeHandler(handler)
    assert records == []


def test_a_folder_with_other_files_is_never_replaced(trained: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="has other things in it"):
        train_on(pairs(), "starter", tmp_path, SETTINGS)
    assert (tmp_path / "thesis.txt").exists()
    with pytest.raises(UserError, match="is a file"):
        train_on(pairs(), "starter", tmp_path / "thesis.txt", SETTINGS)


def test_a_model_trained_from_the_starter_keeps_its_prompt_templates(trained: Any) -> None:
    from codepref import sample

    problems = load_problems("starter:pretrain", limit=4)
    assert all(row["solution"] for row in sample(problems, str(trained.model), n=1, temperature=0.0))
    assert not (trained.model / "training_args.bin").exists()


def test_a_truncated_weights_file_is_reported(tmp_path: Path, trained: Any) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(trained.model, broken)
    (broken / "model.safetensors").write_bytes((broken / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(UserError, match="the model cannot be loaded"):
        train_on(pairs(), str(broken), tmp_path / "out", SETTINGS)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no such model folder"),
        ({"config.json": "{}"}, "holds no weights"),
        ({"model.safetensors": ""}, "holds no config.json"),
    ],
)
def test_the_message_about_a_folder_without_a_model_says_what_is_missing(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    folder = tmp_path / "some" / "model"
    if files:
        folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(UserError, match=message):
        train_on(pairs(1), str(folder), tmp_path / "out", SETTINGS)


def test_rows_longer_than_the_models_context_are_refused_with_the_setting_to_change(tmp_path: Path) -> None:
    (pair,) = pairs(1)
    long = replace(pair, chosen=[{"role": "assistant", "content": "x = 1\n" * 400}])
    with pytest.raises(UserError, match=r"reads at most 512: set training\.max_length = 512"):
        train_on([long], "starter", tmp_path / "model", replace(SETTINGS, max_length=4096))
    assert not list(tmp_path.iterdir())
