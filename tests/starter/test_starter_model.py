"""Tests of the starter model: its size, its tokenizer and chat template, its score, and the tests that it writes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codepref import api
from codepref.sampling.asserts import extract_tests
from codepref.starter import SOLUTION_TEMPLATE, TEST_TEMPLATE, load_problems, model_path
from codepref.starter.corpus import Example
from codepref.starter.tokenizer import ASSISTANT, END, PAD, chat_text, user_message


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model_path())


def test_the_weights_are_small() -> None:
    from safetensors import safe_open

    files = list(model_path().glob("*.safetensors"))
    assert sum(path.stat().st_size for path in files) <= 10_000_000
    count = 0
    for path in files:
        with safe_open(path, "np") as tensors:
            count += sum(tensors.get_tensor(name).size for name in tensors.keys())  # noqa: SIM118 - not a mapping
    assert count <= 5_000_000
    config = json.loads((model_path() / "config.json").read_text())
    assert config["max_position_embeddings"] >= 512


def test_decoding_restores_the_encoded_text(tokenizer: Any) -> None:
    for problem in load_problems("heldout", 40):
        for text in (problem.prompt, problem.gold or "", *(test.source for test in problem.tests), "naïve\t→ 'ß'\n\n"):
            ids = tokenizer(text)["input_ids"]
            assert tokenizer.decode(ids) == text
    assert tokenizer.pad_token == PAD
    assert tokenizer.eos_token == END


def test_a_prompt_ends_with_a_separate_token(tokenizer: Any) -> None:
    """The tokens of a prompt with its answer begin with the tokens of the prompt alone."""
    for problem in load_problems("heldout", 20):
        user = {"role": "user", "content": SOLUTION_TEMPLATE.format(prompt=problem.prompt, entry_point="f")}
        answer = {"role": "assistant", "content": (problem.gold or "").rstrip("\n")}
        prompt = tokenizer.apply_chat_template([user], add_generation_prompt=True)["input_ids"]
        whole = tokenizer.apply_chat_template([user, answer])["input_ids"]
        assert tokenizer.decode(prompt[-1:]) == ASSISTANT
        assert whole[: len(prompt)] == prompt
        assert whole[-1] == tokenizer.eos_token_id
        example = Example(problem.prompt, answer["content"], is_test=False)
        assert user_message(example) == user["content"]
        assert tokenizer("".join(chat_text(example)))["input_ids"] == whole


def test_greedy_pass_at_1_is_near_the_score_of_the_card() -> None:
    """The card states 64.6% on all held-out problems. The bounds are wide because 60 problems are few."""
    problems = load_problems("heldout", 60)
    rows = api.sample(
        problems, str(model_path()), n=1, temperature=0.0, max_new_tokens=128, template=SOLUTION_TEMPLATE, device="cpu"
    )
    passed = [set(matrix.verdicts[0].codes) == {"P"} for matrix in api.execute(problems, rows)]
    assert 0.28 <= sum(passed) / len(passed) <= 0.8
    assert all(row["finished"] for row in rows[:10])


def test_the_model_writes_usable_tests() -> None:
    problems = load_problems("heldout", 12)
    rows = api.sample(
        problems, str(model_path()), kind="tests", n=2, max_new_tokens=256, template=TEST_TEMPLATE, device="cpu"
    )
    usable = 0
    for problem in problems:
        texts = [row["completion"] for row in rows if row["task_id"] == problem.task_id]
        tests = {test for text in texts for test in extract_tests(text, problem, limit=None).kept}
        usable += len(tests) >= 2
        assert all(test.startswith(f"assert {problem.entry_point}(") for test in tests)
    assert usable >= 10
