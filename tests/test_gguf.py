"""Models in GGUF files: the folder that is kept, and one message for each thing that can be wrong."""

import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from tiny_models import QWEN

from codepref.errors import MachineError, UserError
from codepref.models import fingerprint, load_model, load_tokenizer, public_name, resolve_model, stop_tokens
from codepref.models import gguf as ours
from codepref.sampling.engines import Ask, Decoding, open_engine

gguf = pytest.importorskip("gguf")

HIDDEN, LAYERS, HEADS, WIDE = 32, 1, 4, 64


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODEPREF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def words() -> tuple[list[str], list[str]]:
    """Return the tokens of a byte-level tokenizer with two merges, and the merges."""
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    return ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *letters, "de", "def"], ["d e", "de f"]


def write(path: Path, architecture: str = "llama", seed: int = 0) -> Path:
    """Write a GGUF file of a small model with random weights, in the form of a Llama, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, architecture)
    tokens, merges = words()
    writer.add_name("tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(WIDE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges(merges)
    writer.add_token_types([3] * 3 + [1] * (len(tokens) - 3))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template(QWEN)
    random = np.random.default_rng(seed)
    shapes = {"token_embd.weight": (len(tokens), HIDDEN), "output_norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        shapes |= {f"blk.{layer}.attn_{name}.weight": (HIDDEN, HIDDEN) for name in ("q", "k", "v", "output")}
        shapes |= {f"blk.{layer}.ffn_{name}.weight": (WIDE, HIDDEN) for name in ("gate", "up")}
        shapes |= {f"blk.{layer}.ffn_down.weight": (HIDDEN, WIDE)}
        shapes |= {f"blk.{layer}.{name}_norm.weight": (HIDDEN,) for name in ("attn", "ffn")}
    for name, shape in shapes.items():
        writer.add_tensor(name, random.normal(size=shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_gguf_model_is_read_once_and_used_like_a_folder(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(write(tmp_path / "tiny.gguf"))
    folder = Path(resolve_model(path))
    assert folder.parent == cache / "gguf"
    assert folder.name.startswith("tiny-")
    tokenizer, model = load_tokenizer(path), load_model(path, device="cpu")
    assert tokenizer.chat_template == QWEN
    assert tokenizer.convert_ids_to_tokens(stop_tokens(path, tokenizer)) == ["<|im_end|>"]
    written = gguf.GGUFReader(path).tensors[0].data.reshape(len(tokenizer), HIDDEN)
    assert np.allclose(model.model.embed_tokens.weight.detach().numpy(), written, rtol=1e-2)
    asks = [Ask("t", "solutions", 0, [{"role": "user", "content": "def"}])]
    assert [place for place, _ in open_engine(path).answers(asks, Decoding(max_new_tokens=4), 0)] == [0]
    monkeypatch.setattr(ours, "_convert", None)  # a second conversion would fail
    assert resolve_model(path) == str(folder)


def test_files_of_the_same_content_share_a_folder_and_others_do_not(tmp_path: Path) -> None:
    one, other = write(tmp_path / "tiny.gguf"), write(tmp_path / "b" / "tiny.gguf", seed=1)
    again = Path(shutil.copy(one, tmp_path / "b" / "copy.gguf"))
    assert fingerprint(str(one)) == fingerprint(str(again)) != fingerprint(str(other))
    assert resolve_model(str(one)) == resolve_model(str(one)) != resolve_model(str(other))


def test_the_fingerprint_needs_no_conversion(tmp_path: Path, cache: Path) -> None:
    assert fingerprint(str(write(tmp_path / "tiny.gguf")))
    assert not cache.exists()


def test_a_gguf_file_is_named_without_its_path() -> None:
    assert public_name("models/x.gguf") == "x.gguf"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no GGUF file"),
        (b"PK\x03\x04 something else", "is no GGUF file"),
        (b"GGUF", "cannot be read as a GGUF model"),
        (b"GGUF\x03\x00\x00\x00" + bytes(16), "cannot be read as a GGUF model"),
    ],
)
def test_a_file_that_is_no_model_is_one_message(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        resolve_model(str(path))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("share", [0.05, 0.5, 0.98])
def test_a_file_that_is_cut_off_is_one_message_and_leaves_nothing(tmp_path: Path, cache: Path, share: float) -> None:
    path = write(tmp_path / "x.gguf")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UserError, match="may be cut off: copy it again") as caught:
        resolve_model(str(path))
    assert len(str(caught.value).splitlines()) == 1
    assert [entry.name for entry in (cache / "gguf").iterdir() if entry.is_dir()] == []


def test_an_unknown_architecture_is_one_message(tmp_path: Path) -> None:
    path = write(tmp_path / "x.gguf", architecture="sparrow")
    with pytest.raises(UserError, match=r"does not read this kind of model from GGUF .*sparrow"):
        resolve_model(str(path))


def test_a_missing_file_a_part_and_a_folder_of_files_are_one_message_each(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.gguf: no such file"):
        resolve_model(str(tmp_path / "x.gguf"))
    part = write(tmp_path / "x-00001-of-00003.gguf")
    with pytest.raises(UserError, match="one of 3 parts"):
        resolve_model(str(part))
    with pytest.raises(
        UserError, match=r"holds GGUF files and no config\.json\. Give the path of one file, such as .*\.gguf"
    ):
        resolve_model(str(tmp_path))


def test_a_missing_package_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.gguf")
    monkeypatch.setattr(ours.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MachineError, match=r"needs the package gguf\. Run `pip install codepref\[gguf\]`"):
        resolve_model(str(path))


def test_too_little_space_is_said_before_the_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.gguf")
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(ours.shutil, "disk_usage", lambda folder: usage(1_000_000))
    monkeypatch.setattr(ours, "_convert", None)
    with pytest.raises(MachineError, match=r"it needs 0\.1 GB there, and 0\.0 GB are free.*CODEPREF_CACHE"):
        resolve_model(str(path))


def test_a_disk_that_is_full_or_closed_is_one_message(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "x.gguf")

    def full(path: Path, folder: Path) -> None:
        folder.mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ours, "_convert", full)
    with pytest.raises(
        MachineError, match=r"No space left on device\)\. Free some space if the disk is full, or set CODEPREF_CACHE"
    ):
        resolve_model(str(path))
    assert [entry for entry in (cache / "gguf").iterdir() if entry.is_dir()] == []


def test_without_a_cache_the_message_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEPREF_CACHE", "off")
    with pytest.raises(MachineError, match="Set CODEPREF_CACHE to a folder"):
        resolve_model(str(write(tmp_path / "x.gguf")))


def test_a_file_in_the_way_of_the_cache_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(MachineError, match=r"cannot be kept in .*cache/gguf .* set CODEPREF_CACHE to another folder"):
        resolve_model(str(write(tmp_path / "x.gguf")))


KILLED = """
import os, sys
from pathlib import Path
from codepref.models import gguf

def die(path, folder):
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"half")
    os._exit(9)

gguf._convert = die
gguf.folder_of(Path(sys.argv[1]))
"""


def test_what_a_killed_process_left_is_made_again(tmp_path: Path, cache: Path) -> None:
    path = str(write(tmp_path / "tiny.gguf"))
    assert subprocess.run([sys.executable, "-c", KILLED, path], check=False).returncode == 9
    assert any((cache / "gguf").rglob("model.safetensors"))
    folder = Path(resolve_model(path))
    assert (folder / "config.json").exists()
    assert [entry for entry in (cache / "gguf").iterdir() if entry.is_dir()] == [folder]
