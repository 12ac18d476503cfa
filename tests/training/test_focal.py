"""Focal DPO: the loss covers the tokens in which the answers of a pair differ."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from training_script import pairs, train_on

from codepref.config.sections import TrainingSection
from codepref.models import load_model, load_tokenizer
from codepref.records import Pair
from codepref.training.checks import training_mistakes
from codepref.training.differing import differing_tokens

SETTINGS = TrainingSection(method="focal-dpo", learning_rate=5e-4, batch_size=4, epochs=5.0, max_length=256)


@pytest.mark.parametrize(
    ("chosen", "rejected", "expected"),
    [
        ([7, 1, 2, 9], [7, 3, 9], ([0, 1, 1, 0], [0, 1, 0])),
        ([1, 2, 3], [1, 2, 3], ([0, 0, 0], [0, 0, 0])),
        ([1, 2], [3], ([1, 1], [1])),
        ([5, 6, 7], [5, 7], ([0, 1, 0], [0, 0])),  # the rejected answer only lacks a token
        ([], [4], ([], [1])),
    ],
)
def test_shared_tokens_are_masked_on_both_sides(
    chosen: list[int], rejected: list[int], expected: tuple[list[int], list[int]]
) -> None:
    assert differing_tokens(chosen, rejected) == expected


def test_frequent_tokens_of_long_answers_are_shared_too() -> None:
    chosen = [1, 2] * 200  # difflib's autojunk would leave out tokens that are more than 1% of at least 200 tokens
    assert differing_tokens(chosen, [*chosen, 3]) == ([0] * 400, [0] * 400 + [1])


def one_pair() -> Pair:
    pair = pairs(1)[0]
    chosen, rejected = "def f(x):\n    y = x + 1\n    return y", "def f(x):\n    y = x - 1\n    return y"
    return replace(
        pair,
        chosen=[{"role": "assistant", "content": chosen}],
        rejected=[{"role": "assistant", "content": rejected}],
    )


def differing_logp(pair: Pair) -> tuple[float, float]:
    """Return the summed log-probability of the differing tokens, for each answer, computed without a trainer."""
    import torch

    tokenizer, model = load_tokenizer("starter"), load_model("starter", dtype="float32", device="cpu").eval()

    def ids(*turns: Any, prompt: bool = False) -> list[int]:
        return list(tokenizer.apply_chat_template([*pair.prompt, *turns], add_generation_prompt=prompt)["input_ids"])

    start = len(ids(prompt=True))
    answers = [ids(*pair.chosen), ids(*pair.rejected)]
    masks = differing_tokens(*(whole[start:] for whole in answers))
    sums = []
    for whole, mask in zip(answers, masks, strict=True):
        with torch.no_grad():
            log_probs = model(torch.tensor([whole])).logits.log_softmax(-1)[0, :-1]
        of_tokens = log_probs[torch.arange(len(whole) - 1), torch.tensor(whole[1:])][start - 1 :]
        sums.append(float((of_tokens * torch.tensor(mask)).sum()))
    return sums[0], sums[1]


@pytest.mark.parametrize("attention", ["auto", "eager"])
def test_the_loss_sums_over_the_differing_tokens(attention: Any, tmp_path: Path) -> None:
    pair = one_pair()
    settings = replace(SETTINGS, batch_size=1, epochs=1.0, attention=attention)
    result = train_on([pair], "starter", tmp_path / "model", settings)
    first = result.curve[0]
    assert (first["chosen_logp"], first["rejected_logp"]) == pytest.approx(differing_logp(pair), abs=1e-3)
    assert 0 < result.settings["chosen_focus_share"] < 0.2
    assert 0 < result.settings["rejected_focus_share"] < 0.2


def test_a_training_starts_at_ln_2_and_widens_the_margin(tmp_path: Path) -> None:
    result = train_on(pairs(), "starter", tmp_path / "model", replace(SETTINGS, chosen_weight=0.0))
    assert result.first_loss == pytest.approx(math.log(2), abs=1e-3)
    assert result.expected_first_loss == pytest.approx(math.log(2))
    assert result.curve[0]["loss"] == pytest.approx(math.log(2), abs=1e-3)
    assert result.curve[-1]["margin"] > 0.1


def test_the_likelihood_term_covers_all_tokens_of_the_chosen_answer(tmp_path: Path) -> None:
    plain, focal = (
        train_on([one_pair()], "starter", tmp_path / method, replace(SETTINGS, method=method, batch_size=1, epochs=1.0))
        for method in ("dpo", "focal-dpo")
    )
    # before the first step both margins are 0, so both losses are ln 2 plus the likelihood term
    assert focal.curve[0]["loss"] == pytest.approx(plain.curve[0]["loss"], abs=1e-4)


def test_an_adapter_is_trained(tmp_path: Path) -> None:
    result = train_on(pairs(), "starter", tmp_path / "adapter", replace(SETTINGS, lora_rank=4, epochs=1.0))
    assert result.first_loss == pytest.approx(math.log(2), abs=1e-3)


@pytest.mark.parametrize("loss", ["ipo", "sigmoid_norm"])
def test_losses_that_divide_by_the_length_are_refused(loss: str) -> None:
    assert any("divides by the length" in text for text in training_mistakes(replace(SETTINGS, loss=loss)))
