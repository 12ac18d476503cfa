"""Loading of models: damaged files give messages of one line, and `quiet` restores the libraries' progress bars."""

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import datasets
import pytest
import transformers

from codepref.errors import UserError
from codepref.models import fingerprint, load_model, load_tokenizer, model_templates, quiet, resolve_model

Damage = Callable[[Path], object]
HUB = transformers.logging.hf_hub_utils


def write(name: str, text: str) -> Damage:
    return lambda folder: (folder / name).write_text(text)


def change(name: str, **values: object) -> Damage:
    return lambda folder: (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | values))


def cut(name: str) -> Damage:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:5000])


def binary_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def empty_index(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resolve_model("starter"), tmp_path / "model"))


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (write("tokenizer.json", "[]"), "tokenizer"),
        (write("tokenizer.json", "{}"), "tokenizer"),
        (cut("tokenizer.json"), "tokenizer"),
        (write("tokenizer_config.json", "[]"), "tokenizer"),
        (write("chat_template.jinja", "{% for %}"), "chat template"),
    ],
)
def test_a_damaged_tokenizer_is_one_message(folder: Path, damage: Damage, part: str) -> None:
    damage(folder)
    with pytest.raises(UserError, match=f"{folder}: the {part} cannot be loaded") as caught:
        load_tokenizer(str(folder))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "damage",
    [
        write("config.json", "[]"),
        change("config.json", model_type="unknown"),
        change("config.json", hidden_size=64),
        change("config.json", hidden_size="wide"),
        change("config.json", num_attention_heads=0),
        cut("model.safetensors"),
        binary_weights,
        empty_index,
        write("adapter_config.json", "[]"),
        write("adapter_config.json", '{"peft_type": "UNKNOWN", "base_model_name_or_path": "x"}'),
    ],
)
def test_a_damaged_model_is_one_message(folder: Path, damage: Damage) -> None:
    damage(folder)
    with pytest.raises(UserError, match=f"{folder}: the model cannot be loaded") as caught:
        load_model(str(folder), device="cpu")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["[]", '{"templates": 3}', '{"templates": {"solutions": 3}}', "{"])
def test_damaged_templates_are_one_message(folder: Path, text: str) -> None:
    (folder / "codepref.json").write_text(text)
    with pytest.raises(UserError, match=r"codepref\.json"):
        model_templates(str(folder))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("", "the model's name is empty"),
        ("./nowhere", "no such model folder"),
        (__file__, "is a file, but a model is a folder"),
        (str(Path(__file__).parent), "holds no config.json or adapter_config.json"),
    ],
)
def test_a_name_that_leads_to_no_model_is_refused(model: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve_model(model)


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="holds no weights"):
        resolve_model(str(folder))


def test_the_fingerprint_depends_on_weights_and_not_on_the_readme(folder: Path) -> None:
    before = fingerprint(str(folder))
    assert before == fingerprint("starter")
    (folder / "README.md").write_text("other")
    assert fingerprint(str(folder)) == before
    with (folder / "model.safetensors").open("ab") as stream:
        stream.write(b"x")
    assert fingerprint(str(folder)) != before


def switch(*, transformers_on: bool, hub_on: bool, datasets_on: bool) -> None:
    (transformers.logging.enable_progress_bar if transformers_on else transformers.logging.disable_progress_bar)()
    (HUB.enable_progress_bars if hub_on else HUB.disable_progress_bars)()
    (datasets.enable_progress_bars if datasets_on else datasets.disable_progress_bars)()


def bars() -> tuple[bool, bool, bool]:
    """Return whether the progress bars of transformers, huggingface_hub and datasets are on."""
    return (
        transformers.logging.is_progress_bar_enabled(),
        not HUB.are_progress_bars_disabled(),
        not datasets.are_progress_bars_disabled(),
    )


@pytest.fixture
def restored_bars() -> Iterator[None]:
    before = bars()
    yield
    switch(transformers_on=before[0], hub_on=before[1], datasets_on=before[2])


@pytest.mark.usefixtures("restored_bars")
@pytest.mark.parametrize("state", list(product([False, True], repeat=3)))
def test_quiet_leaves_each_progress_bar_as_the_user_set_it(state: tuple[bool, bool, bool]) -> None:
    switch(transformers_on=state[0], hub_on=state[1], datasets_on=state[2])
    with quiet():
        assert bars() == (False, False, False)
    assert bars() == state


@pytest.mark.usefixtures("restored_bars")
def test_quiet_restores_the_progress_bars_after_an_error() -> None:
    switch(transformers_on=True, hub_on=True, datasets_on=True)
    with pytest.raises(ValueError, match="wrong"), quiet():
        raise ValueError("wrong")
    assert bars() == (True, True, True)
