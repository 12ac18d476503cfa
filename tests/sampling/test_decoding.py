"""Tests of the decoding loop: greedy texts are those of plain generation, and answers do not depend on neighbours."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from codepref.errors import MachineError, UserError
from codepref.models import load_model, load_tokenizer, stop_tokens
from codepref.sampling.decoding.choose import choose, uniform
from codepref.sampling.decoding.loop import DecodingLoop
from codepref.sampling.decoding.prompts import Prompt, encoded_prompts
from codepref.sampling.decoding.slots import Slots
from codepref.sampling.decoding.support import is_supported, windows
from codepref.sampling.engines import Answer, Ask, Decoding
from codepref.sampling.engines.transformers import TransformersEngine, has_bfloat16
from codepref.sampling.prompts import request_messages
from codepref.starter import SOLUTION_TEMPLATE, load_problems

GREEDY, SAMPLED = Decoding(0, 1, 60), Decoding(0.8, 0.95, 60)


def asks(problems: int, n: int) -> list[Ask]:
    prompts = [(p.task_id, request_messages(p, SOLUTION_TEMPLATE)) for p in load_problems("heldout", problems)]
    return [Ask(task, "solutions", sample, messages) for task, messages in prompts for sample in range(n)]


@pytest.fixture(scope="module")
def engine() -> TransformersEngine:
    return TransformersEngine("starter", device="cpu")


def answers(engine: TransformersEngine, wanted: Sequence[Ask], decoding: Decoding, slots: int) -> list[Answer]:
    engine.prepare(batch_size=slots, folder=None, on_tokens=lambda number: None)
    found = dict(engine.answers(wanted, decoding, 7))
    assert sorted(found) == list(range(len(wanted)))
    return [found[place] for place in range(len(wanted))]


def test_greedy_answers_are_those_of_plain_generation(engine: TransformersEngine) -> None:
    wanted = asks(24, 1)
    model, tokenizer = load_model("starter", device="cpu"), load_tokenizer("starter")
    encoded = tokenizer.apply_chat_template(
        [list(ask.messages) for ask in wanted], add_generation_prompt=True, padding=True, return_tensors="pt"
    )
    out = model.generate(
        **{key: encoded[key] for key in ("input_ids", "attention_mask")}, do_sample=False, max_new_tokens=60
    )
    rows = [row.tolist() for row in out[:, encoded["input_ids"].shape[1] :]]
    ends = stop_tokens(model, tokenizer)
    whole = [any(token in ends for token in row) for row in rows]
    texts = tokenizer.batch_decode(rows, skip_special_tokens=True)
    assert answers(engine, wanted, GREEDY, 8) == [Answer(*pair) for pair in zip(texts, whole, strict=True)]
    assert sum(whole) > 0


@pytest.mark.parametrize("decoding", [GREEDY, SAMPLED, Decoding(1.0, 1.0, 60)])
def test_an_answer_does_not_depend_on_the_other_asks_or_on_the_number_of_slots(
    engine: TransformersEngine, decoding: Decoding
) -> None:
    wanted = asks(8, 3)
    together = answers(engine, wanted, decoding, 64)
    assert answers(engine, wanted, decoding, 3) == together
    assert answers(engine, wanted[::5], decoding, 64) == together[::5]
    if decoding.temperature:
        assert len({answer.text for answer in together}) > 8


def test_a_prompt_that_is_asked_several_times_is_computed_once(engine: TransformersEngine) -> None:
    engine._load()
    lengths: list[int] = []
    hook = engine._model.register_forward_pre_hook(
        lambda module, args, kwargs: lengths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    answers(engine, asks(1, 1), SAMPLED, 4)  # the engine compares the loop with plain steps once
    lengths.clear()
    answers(engine, asks(3, 9), SAMPLED, 4)
    hook.remove()
    assert sum(length > 1 for length in lengths) == 1


def test_slots_are_allocated_once_and_refilled(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Slots] = []
    before = Slots.__init__

    def count(self: Slots, *args: Any) -> None:
        made.append(self)
        before(self, *args)

    answers(engine, asks(1, 1), GREEDY, 4)
    monkeypatch.setattr(Slots, "__init__", count)
    longest_first = sorted(asks(12, 2), key=lambda ask: (-engine.prompt_length(ask.messages), ask.task_id))
    answers(engine, longest_first, SAMPLED, 4)
    assert [slots.count for slots in made] == [4]


def test_a_longer_prompt_than_the_first_gets_longer_slots(engine: TransformersEngine) -> None:
    problems = sorted(asks(24, 1), key=lambda ask: engine.prompt_length(ask.messages))
    apart = problems[0], problems[-1]
    assert answers(engine, apart, GREEDY, 4) == [answers(engine, [ask], GREEDY, 4)[0] for ask in apart]


def test_the_tokens_of_all_answers_are_counted_while_they_are_written(engine: TransformersEngine) -> None:
    counted: list[int] = []
    engine.prepare(batch_size=4, folder=None, on_tokens=counted.append)
    stream = engine.answers(asks(2, 2), Decoding(0, 1, 5), 0)
    next(stream)
    assert sum(counted) >= 4
    list(stream)
    assert sum(counted) == 20


def test_a_prompt_that_fills_the_context_is_refused(engine: TransformersEngine) -> None:
    long = Ask("long", "solutions", 0, [{"role": "user", "content": "word " * 600}])
    with pytest.raises(UserError, match=r"the prompt of long has .* leaves no room for an answer"):
        list(engine.answers([long], GREEDY, 0))


def test_too_little_memory_is_reported_with_the_option_to_lower(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:128] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Slots, "put", fail)
    engine._has_loop = True
    with pytest.raises(MachineError, match=r"memory ran out with 5 answers at once\. Lower --batch-size"):
        answers(engine, asks(1, 5), GREEDY, 5)


def test_the_engine_says_how_it_computes(engine: TransformersEngine) -> None:
    assert TransformersEngine("starter", device="cpu").summary() == {}
    answers(engine, asks(1, 1), GREEDY, 1)
    facts = {"dtype": "float32", "device": "cpu", "decoder": "slots"}  # the starter is small
    assert engine.summary() == {"engine": facts}


def test_another_type_of_numbers_is_another_engine() -> None:
    assert TransformersEngine("starter", dtype="bfloat16").fingerprint != TransformersEngine("starter").fingerprint


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
def test_larger_models_compute_in_bfloat16_where_the_processor_can(tmp_path: Any) -> None:
    tiny("llama", hidden_size=256).save_pretrained(tmp_path)
    load_tokenizer("starter").save_pretrained(tmp_path)
    for dtype, expected in (("auto", "bfloat16"), ("float32", "float32")):
        larger = TransformersEngine(str(tmp_path), dtype=dtype, device="cpu")
        answers(larger, asks(1, 1), Decoding(0, 1, 2), 1)
        assert larger.summary()["engine"]["dtype"] == expected


def tiny(family: str, **options: Any) -> Any:
    """Return a model of the family with few random weights."""
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 48}
    sizes |= {"vocab_size": 640, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 4, "initializer_range": 0.3}
    config = transformers.AutoConfig.for_model(family, **(sizes | options))
    return transformers.AutoModelForCausalLM.from_config(config).eval()


FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"num_key_value_heads": 2}),
    "mistral with a window": ("mistral", {"num_key_value_heads": 2, "sliding_window": 8}),
    "qwen2": ("qwen2", {"num_key_value_heads": 2}),
    "gemma2": ("gemma2", {"num_key_value_heads": 2, "sliding_window": 8, "head_dim": 8}),
    "gemma3": ("gemma3_text", {"num_key_value_heads": 2, "sliding_window": 8, "head_dim": 8}),
    "phi3": ("phi3", {"num_key_value_heads": 2}),
    "gpt2": ("gpt2", {}),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_models_of_many_families_are_supported_and_decode_as_by_themselves(family: str) -> None:
    model = tiny(FAMILIES[family][0], **FAMILIES[family][1])
    prompts = [list(range(10, 10 + length)) for length in (23, 9, 14)]
    assert is_supported(model, prompts[0])
    kinds = windows(model.config)
    assert kinds is not None
    loop = DecodingLoop(model, Decoding(0, 1, 12), stops=set(), slots=2, room=None, windows=kinds)
    found = {p: tokens for p, tokens, _ in loop.run(Prompt("", t, [p], [0]) for p, t in enumerate(prompts))}
    for place, tokens in enumerate(prompts):
        plain = model.generate(torch.tensor([tokens]), do_sample=False, max_new_tokens=12, eos_token_id=None)
        assert found[place] == plain[0, len(tokens) :].tolist()


def test_each_stop_token_ends_an_answer() -> None:
    model = tiny("llama")
    tokens = list(range(10, 20))
    plain = model.generate(torch.tensor([tokens]), do_sample=False, max_new_tokens=12, eos_token_id=None)
    written = plain[0, 10:].tolist()
    assert len(set(written)) > 2
    for stop in (written[0], written[4], 639):
        loop = DecodingLoop(
            model, Decoding(0, 1, 12), stops={stop, 638}, slots=2, room=None, windows={"full_attention": None}
        )
        cut = written[: written.index(stop)] if stop in written else written
        assert list(loop.run(iter([Prompt("", tokens, [0], [0])]))) == [(0, cut, stop in written)]


@pytest.mark.parametrize("family", ["bloom", "mamba"])
def test_models_with_other_caches_are_generated_in_plain_batches(family: str) -> None:
    model = tiny(family, **({"n_layer": 2, "n_head": 4} if family == "bloom" else {"state_size": 4}))
    engine = TransformersEngine.around(model, load_tokenizer("starter"), "tiny")
    wanted = asks(2, 2)
    decoding = Decoding(1.0, 0.9, 6)
    together = answers(engine, wanted, decoding, 4)
    assert engine.summary()["engine"]["decoder"] == "generate"
    assert answers(engine, wanted, decoding, 4) == together
    assert len({answer.text for answer in together}) > 2


def test_neighbouring_asks_with_the_same_messages_share_a_prompt() -> None:
    encoded: list[Any] = []

    def encode(messages: Any) -> list[int]:
        encoded.append(messages)
        return [len(messages)]

    wanted = asks(2, 3)
    prompts = list(encoded_prompts(wanted, encode, 0))
    assert [prompt.places for prompt in prompts] == [[0, 1, 2], [3, 4, 5]]
    assert len(encoded) == 2
    assert len({seed for prompt in prompts for seed in prompt.seeds}) == 6


def draws(logits: list[float], decoding: Decoding, number: int = 20_000) -> Any:
    """Return the share of each token among many draws from the same logits."""
    uniform_A = torch.from_numpy(uniform(np.arange(number, dtype=np.uint64), np.zeros(number, dtype=np.uint64)))
    tokens = choose(torch.tensor(logits).expand(number, -1), decoding, uniform_A.float())
    return torch.bincount(tokens, minlength=len(logits)) / number


def test_tokens_are_drawn_by_their_probabilities() -> None:
    logits = [0.0, np.log(2), np.log(5)]
    assert draws(logits, Decoding(1.0, 1.0)).tolist() == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.02)
    # by temperature 1/2 the weights are 1, 4 and 25
    assert draws(logits, Decoding(0.5, 1.0)).tolist() == pytest.approx([1 / 30, 4 / 30, 25 / 30], abs=0.02)


def test_the_nucleus_is_the_smallest_set_that_reaches_top_p() -> None:
    logits = [0.0, np.log(2), np.log(5)]
    assert draws(logits, Decoding(1.0, 0.8)).tolist() == pytest.approx([0, 2 / 7, 5 / 7], abs=0.02)
    assert draws(logits, Decoding(1.0, 0.6)).tolist() == [0, 0, 1]
    assert draws(logits, Decoding(1.0, 0.9)).tolist() == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.02)


@pytest.mark.parametrize("size", [40, 600])
def test_a_wide_nucleus_is_found_too(size: int) -> None:
    shares = draws([0.0] * size, Decoding(1.0, 0.5), 6000)
    assert int((shares > 0).sum()) == pytest.approx(size / 2, rel=0.05)


def test_random_numbers_depend_on_the_seed_and_the_step_alone() -> None:
    seeds, steps = np.arange(4000, dtype=np.uint64), np.zeros(4000, dtype=np.uint64)
    numbers = uniform(seeds, steps)
    assert (numbers[7:9] == uniform(seeds[7:9], steps[7:9])).all()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert numbers.mean() == pytest.approx(0.5, abs=0.02)
    assert np.corrcoef(numbers, uniform(seeds, steps + np.uint64(1)))[0, 1] == pytest.approx(0, abs=0.06)
