"""Tests of models of a pool that run on this machine, and of their chat templates."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_models import ALTERNATE, FAMILIES, GEMMA, make_model

from codepref.config.pool import Member
from codepref.errors import UserError
from codepref.records import Instruction
from codepref.sampling.pool import PoolSettings
from codepref.sampling.respond import respond
from codepref.storage.files import read_jsonl

SETTINGS = PoolSettings(per_problem=1, temperature=0.0, max_tokens=40)
ASKED = [Instruction("i/1", "Return 1.", "readability"), Instruction("i/2", "Return one.", "readability")]


def test_a_model_without_system_role_answers_and_the_user_learns_where_the_principle_stands(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model", FAMILIES["gemma"], says="def one(): return 1")
    notes: list[str] = []
    members = [Member(name="here", model=folder)]
    respond(ASKED, members, tmp_path / "r.jsonl", settings=SETTINGS, device="cpu", log=notes.append)
    rows = [row for _, row in read_jsonl(tmp_path / "r.jsonl")]
    assert [row["responses"][0]["response"] for row in rows] == ["def one(): return 1"] * 2
    assert notes == [
        "here: the chat template takes no system turn, so the system text stands at the head of the first user turn"
    ]


def test_a_changed_model_in_the_same_folder_answers_again(tmp_path: Path) -> None:
    out, answers = tmp_path / "r.jsonl", []
    for text in ("def one(): return 1", "def one(): return 11"):
        folder = make_model(tmp_path / "model", FAMILIES["gemma"], says=text)
        respond(ASKED[:1], [Member(name="here", model=folder)], out, settings=SETTINGS, device="cpu")
        answers += [row["responses"][0]["response"] for _, row in read_jsonl(out)]
    assert answers == ["def one(): return 1", "def one(): return 11"]


def test_a_prompt_that_is_too_long_is_named_by_its_text(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model", FAMILIES["gemma"], says="def one(): return 1")
    long = Instruction("i/3", "Return one. " * 250, "readability")
    with pytest.raises(UserError, match=r"the prompt of '.*Return one\..*' has \d+ tokens"):
        respond([long], [Member(name="here", model=folder)], tmp_path / "r.jsonl", settings=SETTINGS, device="cpu")


def test_a_refusal_names_the_model_and_the_instruction(tmp_path: Path) -> None:
    words = "{% if 'Return one' in messages[0].content %}{{ raise_exception('no words for numbers') }}{% endif %}"
    template = GEMMA.replace(ALTERNATE, words)
    folder = make_model(tmp_path / "model", replace(FAMILIES["gemma"], template=template), says="def one(): return 1")
    with pytest.raises(UserError, match=r"^here, '.*Return one\.': the chat template refuses the turns user: no words"):
        respond(ASKED, [Member(name="here", model=folder)], tmp_path / "r.jsonl", settings=SETTINGS, device="cpu")
