"""Supervised fine-tuning: the tokens that it learns, the answers that it drops, and the model that it writes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from letters import letters

from codepref import api
from codepref.config.sections import TrainingSection
from codepref.errors import MachineError, UserError
from codepref.models import load_model, load_tokenizer
from codepref.records import Pair
from codepref.sampling.engines import Ask, Decoding, open_engine
from codepref.starter import load_problems
from codepref.training.demonstrations import examples_from_rows, sft_rows
from codepref.training.job import TrainingJob
from codepref.training.methods import load_method
from codepref.training.requirements import check_trainable
from codepref.training.train import train

PROMPT = "Write the Python function {}"
SETTINGS: dict[str, Any] = {"method": "sft", "batch_size": 8, "max_length": 384, "device": "cpu"}


def rows(count: int, answer: str = "") -> list[dict[str, str]]:
    problems = load_problems("train", count)
    return [{"instruction": PROMPT.format(p.prompt), "response": answer or (p.gold or "").strip()} for p in problems]


def test_the_loss_is_the_mean_over_the_answers_tokens_including_the_end_token(tmp_path: Path) -> None:
    demonstrations = rows(8)
    trained = api.train(None, "starter", tmp_path / "model", data=demonstrations, learning_rate=1e-4, **SETTINGS)
    # compute the expected loss: the mean of -log p over all tokens of the answers, including the end token
    tokenizer, model = load_tokenizer("starter"), load_model("starter", device="cpu")
    total, count = 0.0, 0
    for row in demonstrations:
        prompt = [{"role": "user", "content": row["instruction"]}]
        whole = [*prompt, {"role": "assistant", "content": row["response"]}]
        start = len(tokenizer.apply_chat_template(prompt, add_generation_prompt=True)["input_ids"])
        ids = torch.tensor([tokenizer.apply_chat_template(whole)["input_ids"]])
        assert ids[0, -1] == tokenizer.eos_token_id
        with torch.no_grad():
            logs = model(ids).logits.log_softmax(-1)[0, :-1]
        chosen = logs.gather(1, ids[0, 1:, None])[start - 1 :]
        total, count = total - float(chosen.sum()), count + len(chosen)
    assert trained.first_loss == pytest.approx(total / count, abs=1e-4)
    assert (trained.pairs, trained.steps) == (8, 1)


def test_a_model_learns_to_give_the_demonstrated_answer(tmp_path: Path) -> None:
    answer_text = "def f():\n    return 'quartz'"
    shown = rows(16, answer_text)
    api.train(None, "starter", tmp_path / "model", data=shown, learning_rate=3e-3, epochs=15, **SETTINGS)
    engine = open_engine(str(tmp_path / "model"), device="cpu")
    asks = [Ask("t", "solutions", 0, [{"role": "user", "content": shown[0]["instruction"]}])]
    ((_, answer),) = engine.answers(asks, Decoding(0, 1, 60), 0)
    assert (answer.text, answer.finished) == (answer_text, True)


def test_an_adapter_is_merged_and_dpo_can_start_from_the_result(tmp_path: Path) -> None:
    data = rows(16)
    api.train(None, "starter", tmp_path / "sft", data=data, lora_rank=4, learning_rate=1e-3, epochs=3, **SETTINGS)
    assert not list((tmp_path / "sft").glob("adapter*"))
    merged, start = (load_model(str(m), device="cpu").state_dict() for m in (tmp_path / "sft", "starter"))
    changed = [name for name in start if not torch.equal(merged[name], start[name])]
    assert any("q_proj" in name for name in changed)
    assert not any("norm" in name for name in changed)
    prompt = [{"role": "user", "content": data[0]["instruction"]}]
    sides = [[{"role": "assistant", "content": text}] for text in ("def a(): return 1", "def a(): return 2")]
    pair = Pair("t", prompt, sides[0], sides[1], "by hand", 1.0, 0, 1)
    settings = SETTINGS | {"method": "dpo", "lora_rank": 4}
    trained = api.train([pair], str(tmp_path / "sft"), tmp_path / "dpo", **settings)
    assert trained.first_loss == pytest.approx(0.6931, abs=1e-3)


def test_supervised_training_learns_the_chosen_answers_of_pairs(tmp_path: Path) -> None:
    prompt = [{"role": "user", "content": "x"}]
    sides = [[{"role": "assistant", "content": text}] for text in ("a", "b", "c")]
    pairs = [
        Pair("t", prompt, sides[0], sides[1], "r", 1.0, 0, 1),
        Pair("t", prompt, sides[0], sides[2], "r", 1.0, 0, 2),
    ]
    trained = api.train(pairs, "starter", tmp_path / "model", **SETTINGS)
    assert trained.pairs == 1
    assert trained.dropped == {"answer left out: it is there already": 1}


def test_long_answers_and_repeated_answers_are_left_out_and_counted() -> None:
    answers = examples_from_rows(
        ("here", {"prompt": "ask", "completion": text}) for text in ("ok", "ok", "much too long for this", "no")
    )
    fitted = sft_rows(answers, letters(), max_length=8)
    assert [row["completion"][0]["content"] for row in fitted.rows] == ["ok", "no"]
    assert fitted.dropped == {
        "answer left out: it is there already": 1,
        "longer than training.max_length = 8 tokens": 1,
    }
    assert fitted.longest == len("_ask_ok.")


def test_messages_of_the_stage_sft_name_its_own_section(tmp_path: Path) -> None:
    data = examples_from_rows(("here", row) for row in rows(4))
    job = TrainingJob("starter", tmp_path / "model", TrainingSection("sft", max_length=8), section="sft", device="cpu")
    with pytest.raises(UserError, match=r"nothing to train on: 4 longer than sft\.max_length = 8 tokens"):
        train(job, data)
    (tmp_path / "adapter").mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / "adapter" / name).write_text("{}")
    with pytest.raises(UserError, match=r"Set sft\.lora_rank = 0"):
        check_trainable(str(tmp_path / "adapter"), TrainingSection(lora_rank=4), "sft")


def test_each_form_of_demonstrations_is_read_and_others_are_refused() -> None:
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    forms: list[dict[str, Any]] = [
        {"messages": messages},
        {"instruction": "q", "response": "a"},
        {"prompt": messages[:1], "chosen": messages[1:]},
        {"question": "q", "solution": "a"},
    ]
    for form in forms:
        (example,) = examples_from_rows([("here", form)]).examples
        assert [*example.prompt, *example.completion] == messages
    assert len(examples_from_rows([("here", forms[0])] * 9, limit=4).examples) == 4
    for wrong in ({"instruction": "q"}, {"response": "a"}, {"messages": messages[:1]}, {"prompt": 3, "response": "a"}):
        with pytest.raises(UserError, match="here: "):
            examples_from_rows([("here", wrong)])


def test_sources_that_a_method_cannot_learn_from_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "model"
    for sources, method, message in (
        ({}, "sft", "give exactly one of pairs, verdicts and data"),
        ({"data": rows(1)}, "dpo", "method dpo learns from pairs, not from data"),
        ({"data": rows(1)}, "rft", "method rft learns from verdicts, not from data"),
        ({"verdicts": tmp_path}, "dpo", "method dpo learns from pairs, not from verdicts: make pairs"),
    ):
        with pytest.raises(UserError, match=message):
            api.train(None, "starter", out, method=method, **sources)
    with pytest.raises(UserError, match="method rft learns from verdicts, not from pairs"):
        api.train([], "starter", out, method="rft")
    with pytest.raises(MachineError, match="4-bit weights need a GPU"):
        api.train(None, "starter", out, data=rows(2), **SETTINGS, lora_rank=4, quantization="nf4")
    assert not out.exists()


def test_each_method_has_its_default_learning_rate() -> None:
    assert load_method("sft").default_learning_rate(lora_rank=0) == 1e-5
    assert load_method("rft").default_learning_rate(lora_rank=64) == 2e-4
    assert load_method("dpo").default_learning_rate(lora_rank=0) == 5e-7
    assert TrainingSection().learning_rate == 0.0  # 0 stands for the default of the method
