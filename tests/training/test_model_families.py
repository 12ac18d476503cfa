"""Models with the templates of published families are sampled, trained and evaluated, or refused with one message."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_models import FAMILIES, PHI, make_model

from codepref import api
from codepref.config.sections import TrainingSection
from codepref.errors import UserError
from codepref.models import load_tokenizer, stop_tokens
from codepref.records import Message, Pair, Problem, Test
from codepref.sampling.engines import Decoding, open_engine
from codepref.sampling.sample import sample
from codepref.training.examples import Example, Examples
from codepref.training.job import TrainingJob
from codepref.training.methods.base import TrainingData
from codepref.training.result import TrainingResult
from codepref.training.train import train

SAYS = "def one(): return 1"
RULE: Message = {"role": "system", "content": "Be short."}
SETTINGS = TrainingSection(batch_size=4, learning_rate=1e-3, epochs=2.0, max_length=128, share_prefixes=False)
GREEDY = Decoding(temperature=0.0, max_new_tokens=40)


def say(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]


def pairs(*rules: Message) -> list[Pair]:
    """Return four pairs with the same prompt, which begins with the rules."""
    prompt = [*rules, {"role": "user", "content": "Add to n."}]
    return [Pair(f"t/{n}", prompt, say(f"n + {n}"), say(f"n - {n}"), "r", 1.0, 0, 1) for n in range(4)]


def train_on(data: TrainingData, folder: str, out: Path, **settings: Any) -> TrainingResult:
    return train(TrainingJob(folder, out, replace(SETTINGS, **settings)), data)


def learnt(monkeypatch: pytest.MonkeyPatch, tokenizer: Any) -> set[str]:
    """Return a set that gets the text of each row of tokens that a model reads while gradients are on."""
    import torch

    texts: set[str] = set()
    forward = torch.nn.Embedding.forward

    def noted(self: Any, ids: Any) -> Any:
        if torch.is_grad_enabled() and ids.dim() == 2:
            texts.update(tokenizer.decode(row) for row in ids.tolist())
        return forward(self, ids)

    monkeypatch.setattr(torch.nn.Embedding, "forward", noted)
    return texts


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_s_answers_end_with_its_own_token(name: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model", FAMILIES[name], says=SAYS)
    problems = [
        Problem("p/1", "Return 1.", "one", tests=(Test("p/1", 0, "assert one() == 1"),)),
        Problem("p/2", "Return 1, and say nothing else.", "one", tests=(Test("p/2", 0, "assert one() == 1"),)),
    ]
    rows = sample(problems, open_engine(folder, device="cpu"), n=2, decoding=GREEDY)
    assert [(row["completion"].strip(), row["finished"]) for row in rows] == [(SAYS, True)] * 4
    assert [row["solution"].strip() for row in rows] == [SAYS] * 4
    scores = api.evaluate(problems, model=folder, samples=1, k=(1,), max_new_tokens=40, device="cpu", jobs=1)
    assert [(row.correct, row.n) for row in scores.problems] == [(1, 1)] * 4  # two problems, greedy and sampled


@pytest.mark.parametrize("method", ["dpo", "kto", "sft"])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_trains_on_answers_with_its_end_token(
    name: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = FAMILIES[name]
    folder = make_model(tmp_path / "model", family)
    texts = learnt(monkeypatch, load_tokenizer(folder))
    result = train_on(pairs(RULE), folder, tmp_path / "out", method=method)
    assert result.steps >= 2
    read = [text for text in texts if "n + 3" in text]
    assert read
    assert all("Be short." in text and f"n + 3{family.end}" in text for text in read)
    trained = str(tmp_path / "out")
    assert set(stop_tokens(trained, load_tokenizer(trained))) == set(stop_tokens(folder, load_tokenizer(folder)))
    assert (tmp_path / "out" / "chat_template.jinja").read_text() == family.template


def test_a_moved_system_text_is_counted(tmp_path: Path) -> None:
    result = train_on(pairs(RULE), make_model(tmp_path / "model", FAMILIES["gemma"]), tmp_path / "out", method="dpo")
    reason = (
        "the chat template takes no system turn, so the system text stands at the head of the first user turn; first "
        "in pair 1 (t/0) (kept)"
    )
    assert result.dropped == {reason: 4}
    assert result.pairs == 4


def two_users() -> list[Pair]:
    first, second, *_ = pairs()
    return [first, replace(second, prompt=[*second.prompt, {"role": "user", "content": "Now."}])]


def thoughts() -> list[Pair]:
    return [replace(pair, chosen=say("<think>plus</think>n + 1")) for pair in pairs()[:2]]


def singles(data: list[Pair]) -> Examples:
    return Examples([Example(pair.task_id, pair.prompt, pair.chosen, True) for pair in data])


@pytest.mark.parametrize(
    ("name", "data", "method", "message"),
    [
        ("gemma", two_users(), "dpo", r"^pair 2 \(t/1\): .*: User and assistant must take turns$"),
        ("mistral", two_users(), "kto", r"^answer 3 \(t/1\): .*: User and assistant must take turns$"),
        ("gemma", singles(two_users()), "sft", r"^answer 2 \(t/1\): .*: User and assistant must take turns$"),
        ("qwen", thoughts(), "dpo", r"nothing to train on: 2 the chat template changes the text of the assistant's tu"),
    ],
)
def test_rows_that_a_template_does_not_take_are_one_message_with_the_row(
    name: str, data: TrainingData, method: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        train_on(data, make_model(tmp_path / "model", FAMILIES[name]), tmp_path / "out", method=method)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_only_changed_rows_are_left_out(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model", FAMILIES["qwen"])
    result = train_on([*pairs(), *thoughts()], folder, tmp_path / "out", method="dpo")
    reason = "the chat template changes the text of the assistant's turn; first in pair 5 (t/0)"
    assert (result.pairs, result.dropped) == (4, {reason: 2})


def test_a_problem_whose_prompt_a_template_refuses_is_named_before_anything_is_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "{% if 'Return 2' in messages[0].content %}{{ raise_exception('no twos here') }}{% endif %}"
    folder = make_model(tmp_path / "model", replace(FAMILIES["phi"], template=words + PHI))
    loaded: list[str] = []
    monkeypatch.setattr("codepref.sampling.engines.transformers.load_model", lambda *args, **named: loaded.append(""))
    problems = [Problem(f"p/{n}", f"Return {n}.", "f") for n in (1, 2)]
    with pytest.raises(UserError, match=r"^problem p/2: the chat template refuses the turns user: no twos here$"):
        api.sample(problems, folder, n=1, out=tmp_path / "s.jsonl")
    assert loaded == []


def test_online_training_names_the_problem_that_a_template_refuses(tmp_path: Path) -> None:
    words = "{% if 'Return 2' in messages[0].content %}{{ raise_exception('no twos here') }}{% endif %}"
    folder = make_model(tmp_path / "model", replace(FAMILIES["phi"], template=words + PHI))
    problems = [Problem(f"p/{n}", f"Return {n}.", "f", tests=(Test(f"p/{n}", 0, "assert f()"),)) for n in (1, 2)]
    with pytest.raises(UserError, match=r"problem p/2: the chat template refuses the turns user: no twos here"):
        api.train(None, folder, tmp_path / "out", problems=problems, method="grpo", batch_size=8)
