"""Chat templates: their end tokens, refusals and changes, on tokenizers like those of published families."""

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_models import FAMILIES, GEMMA, PHI, Family, make_model, make_tokenizer
from tokenizers import AddedToken

from codepref.chat import END_IN_TEXT, NO_SYSTEM, TRIMMED, Chat, TemplateError, fix_date, free_date
from codepref.errors import UserError
from codepref.models import chat_of, load_model, load_tokenizer, stop_tokens

SYSTEM = {"role": "system", "content": "Be short."}
ASK = {"role": "user", "content": "Add 1 to n."}
ANSWER = {"role": "assistant", "content": "n + 1"}


def chat(family: str | Family) -> Chat:
    family = FAMILIES[family] if isinstance(family, str) else family
    tokenizer = make_tokenizer(family)
    return Chat(tokenizer, [tokenizer.convert_tokens_to_ids(family.end)])


@pytest.mark.parametrize("name", FAMILIES)
def test_each_end_token_of_a_family_ends_an_answer(name: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / name, FAMILIES[name])
    tokenizer = load_tokenizer(folder)
    ends = stop_tokens(folder, tokenizer)
    assert set(tokenizer.convert_ids_to_tokens(ends)) == {FAMILIES[name].end, FAMILIES[name].eos}
    assert stop_tokens(load_model(folder, device="cpu"), tokenizer) == ends


def test_the_model_s_configuration_counts_where_there_is_no_generation_configuration(tmp_path: Path) -> None:
    plain = Family("{% for m in messages %}{{ m.role + ': ' + m.content }}{% endfor %}", "<end>", "<eos>")
    folder = make_model(tmp_path, plain)
    tokenizer = load_tokenizer(folder)
    assert tokenizer.convert_ids_to_tokens(stop_tokens(folder, tokenizer)) == ["<eos>"]


def test_an_adapter_has_the_end_tokens_of_its_base(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", FAMILIES["gemma"])
    adapter = tmp_path / "adapter"
    load_tokenizer(base).save_pretrained(adapter)
    (adapter / "adapter_config.json").write_text(f'{{"base_model_name_or_path": "{base}"}}')
    (adapter / "adapter_model.bin").write_bytes(b"")
    assert len(stop_tokens(str(adapter), load_tokenizer(str(adapter)))) == 2


@pytest.mark.parametrize("name", ["gemma"])
def test_a_system_text_goes_into_the_first_user_turn_where_the_template_refuses_it(name: str) -> None:
    turns = [SYSTEM, ASK, ANSWER, ASK]
    assert chat(name).prompt(turns) == [{"role": "user", "content": "Be short.\n\nAdd 1 to n."}, ANSWER, ASK]
    assert chat(name).prompt([ASK]) == [ASK]
    assert chat(name).prompt([{**SYSTEM, "content": " "}, ASK]) == [ASK]


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - {"gemma"}))
def test_a_system_text_stays_where_the_template_takes_it(name: str) -> None:
    turns = [SYSTEM, ASK, ANSWER, ASK]
    assert chat(name).prompt(turns) == turns
    assert chat(name).fault(turns) == ""
    assert "Be short." in make_tokenizer(FAMILIES[name]).decode(chat(name).prompt_ids(turns))


def test_a_system_text_that_cannot_be_moved_is_refused_in_the_template_s_words() -> None:
    with pytest.raises(TemplateError, match="refuses the turns system, assistant: This family has no system role"):
        chat("gemma").prompt_ids([SYSTEM, ANSWER])


@pytest.mark.parametrize("name", ["gemma", "mistral"])
def test_roles_that_do_not_alternate_are_refused_in_the_template_s_words(name: str) -> None:
    with pytest.raises(TemplateError, match="refuses the turns user, user: User and assistant must take turns"):
        chat(name).prompt_ids([ASK, ASK])


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ messages[3].content }}", "has no element 3"),
        ("{{ messages[0].content + 1 }}", "can only concatenate str"),
        ("{{ messages[0].tools.name }}", "has no attribute 'tools'"),
        ("{{ 1 / 0 }}", "division by zero"),
    ],
)
def test_a_template_that_fails_in_its_own_code_is_one_message(template: str, words: str) -> None:
    with pytest.raises(TemplateError, match=words) as caught:
        chat(replace(FAMILIES["phi"], template=template)).encode([ASK], True)
    assert len(str(caught.value).splitlines()) == 1


FORGETS = PHI.replace("{{ '<|' + m.role", "{% if m.role != 'system' %}{{ '<|' + m.role").replace(
    "'<|end|>\n' }}", "'<|end|>\n' }}{% endif %}"
)


def test_a_template_that_leaves_out_the_system_turn_is_refused() -> None:
    forgetful = chat(replace(FAMILIES["phi"], template=FORGETS))
    assert forgetful.fault([SYSTEM, ASK, ANSWER]) == NO_SYSTEM
    assert forgetful.fault([ASK, ANSWER]) == ""
    with pytest.raises(TemplateError, match="leaves out the system turn"):
        forgetful.prompt_ids([SYSTEM, ASK])


def test_a_template_that_shortens_a_user_s_turn_is_refused() -> None:
    short = chat(replace(FAMILIES["phi"], template=PHI.replace("m.content", "m.content[:8]")))
    with pytest.raises(TemplateError, match="changes the text of the user's turn"):
        short.prompt_ids([ASK])


THOUGHT = "<think>\nplus\n</think>\n\nn + 1"


@pytest.mark.parametrize(
    ("family", "answer", "fault"),
    [
        ("qwen", THOUGHT, "the chat template changes the text of the assistant's turn"),
        ("phi", THOUGHT, ""),
        ("llama", "    return n", "the chat template changes the text of the assistant's turn"),
        ("phi", "    return n", ""),
        ("llama", "\nreturn n\n", TRIMMED),
        ("gemma", "if n:\n    return n\n\n", TRIMMED),
        ("mistral", "n + 1 ", TRIMMED),
        ("qwen", "n + 1\n", ""),
        ("llama", "", ""),
    ],
)
def test_changes_of_an_answer_are_distinguished_from_trimmed_ends(family: str, answer: str, fault: str) -> None:
    assert chat(family).fault([ASK, {"role": "assistant", "content": answer}]) == fault


def test_a_thought_that_is_cut_out_of_an_earlier_turn_is_a_change() -> None:
    turns = [ASK, {"role": "assistant", "content": THOUGHT}, ASK, ANSWER]
    assert "assistant's turn" in chat("qwen").fault(turns)


def test_an_indented_prompt_can_be_sampled_and_is_no_row_where_the_template_trims() -> None:
    indented = {"role": "user", "content": "    return n\n"}
    assert chat("llama").prompt_ids([indented])
    assert "user's turn" in chat("llama").fault([indented, ANSWER])


def test_a_system_text_that_holds_the_user_s_text_is_found() -> None:
    turns = [{"role": "system", "content": "Add 1 to n. Be short."}, ASK, ANSWER]
    assert chat("phi").fault(turns) == ""
    assert chat("mistral").fault([*turns, ASK, ANSWER]) == ""  # the system text stands in the last user turn


def test_an_answer_that_holds_an_end_token_is_found() -> None:
    assert chat("mistral").holds_end([{"role": "assistant", "content": "<s>old</s> new"}])
    assert not chat("gemma").holds_end([{"role": "assistant", "content": "<s>old</s> new"}])
    assert END_IN_TEXT


@pytest.mark.parametrize(
    ("text", "dropped"), [("    return n", True), ("return n", False), ("\nreturn n", False), ("", False)]
)
def test_indentation_that_the_tokenizer_drops_is_found(text: str, dropped: bool) -> None:
    tokenizer = make_tokenizer(FAMILIES["phi"])
    tokenizer.add_tokens([AddedToken("<|assistant|>", rstrip=True, special=True)])
    dropping, keeping = Chat(tokenizer), chat("phi")
    answer = [{"role": "assistant", "content": text}]
    assert dropping.swallowed([ASK], answer, dropping.encode([ASK, *answer], False)) is dropped
    assert not keeping.swallowed([ASK], answer, keeping.encode([ASK, *answer], False))


def test_the_date_in_a_prompt_is_the_same_every_day(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = make_tokenizer(FAMILIES["llama"])
    published = tokenizer.chat_template

    def text() -> str:
        rendered: str = tokenizer.apply_chat_template([ASK], tokenize=False)
        return rendered

    assert f"Today Date: {datetime.date.today():%d %b %Y}<|eot_id|>" in text()
    fix_date(tokenizer)
    assert "Today Date: 26 Jul 2024<|eot_id|>" in text()
    assert text().startswith("<|begin_of_text|><|start_header_id|>system")
    free_date(tokenizer)
    assert tokenizer.chat_template == published


@pytest.mark.parametrize("start", ["\n", "  {% if true %}a{% endif %}", "\n\n  {# note #}"])
def test_the_fixed_date_changes_nothing_else_in_a_prompt(start: str) -> None:
    tokenizer = make_tokenizer(replace(FAMILIES["phi"], template=f"{start}{PHI}{{# strftime_now #}}"))
    before = tokenizer.apply_chat_template([ASK], tokenize=False)
    fix_date(tokenizer)
    assert tokenizer.apply_chat_template([ASK], tokenize=False) == before


def test_templates_by_name_get_the_date_too() -> None:
    tokenizer = make_tokenizer(FAMILIES["llama"])
    tokenizer.chat_template = {"default": tokenizer.chat_template, "tools": GEMMA}
    fix_date(tokenizer)
    assert "26 Jul 2024" in tokenizer.apply_chat_template([ASK], tokenize=False)
    assert tokenizer.chat_template["tools"] == GEMMA


def beyond(folder: Path, **added: Any) -> str:
    """Write a model whose tokenizer has one token more than its embedding, and return its name.

    added: the arguments of `add_special_tokens` that add this token.
    """
    family = replace(FAMILIES["phi"], special=(*FAMILIES["phi"].special, "<|new|>"))
    name = make_model(folder, family, rows=len(make_tokenizer(family)))
    tokenizer = make_tokenizer(family)
    tokenizer.add_special_tokens(added)
    tokenizer.save_pretrained(folder)
    return name


def test_padding_that_the_embedding_lacks_is_replaced(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(beyond(tmp_path, pad_token="[PAD]"))
    assert tokenizer.pad_token == tokenizer.eos_token == "<|endoftext|>"


def test_a_token_that_the_embedding_lacks_is_one_message(tmp_path: Path) -> None:
    folder = beyond(tmp_path, extra_special_tokens=["<|late|>"])
    both = chat_of(folder, load_tokenizer(folder))
    assert both.prompt_ids([ASK])
    with pytest.raises(UserError, match=r"the token '<\|late\|>' has the id \d+, and the model's embedding has rows"):
        both.prompt_ids([{"role": "user", "content": "Say <|late|>."}])
