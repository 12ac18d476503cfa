"""Reads models in GGUF files. The first use of a file converts it to a folder in the user's cache."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import importlib.util
import logging
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codepref.errors import MachineError, UserError
from codepref.models.libraries import quiet
from codepref.storage.cache import VARIABLE, cache_folder
from codepref.storage.files import UNWRITABLE, write_json

SUFFIX = ".gguf"
MAGIC = b"GGUF"
"""The first bytes of a GGUF file."""
FORM = "1"
"""The version of the content of kept folders. It is part of the hash in their names."""
BYTES_PER_WEIGHT = 2
"""Weights are kept in bfloat16."""
OTHER_BYTES = 50_000_000
"""The free space in bytes that is needed beside the weights, for other files and the file system."""
PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
LOG = logging.getLogger("codepref")


def is_gguf(model: str) -> bool:
    """Return whether a model's name ends in .gguf, in small or capital letters."""
    return model.lower().endswith(SUFFIX)


def content_key(path: Path) -> str:
    """Return a hash of the file's content.

    Raises UserError if the file is missing, cannot be read or is no GGUF file.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file" if not path.exists() else f"{path}: is a folder, not a GGUF file")
    state = path.stat()
    return _content_key(path, state.st_size, state.st_mtime_ns)


def folder_of(path: Path) -> Path:
    """Return the folder in the user's cache that holds the model of a GGUF file. The first call makes it.

    Two processes do not make a folder at the same time, and a folder with its final name is complete. Raises UserError
    if the file is missing, is damaged, is one part of several, or has an architecture that transformers does not read.
    Raises MachineError if the package gguf is missing, if no cache is in use, or if the folder cannot be made.
    """
    key = content_key(path)
    if (part := PART.search(path.name)) and part.group(2) != "00001":
        raise UserError(
            f"{path}: is one of {int(part.group(2))} parts of a model, and transformers reads whole files only. Join "
            f"the parts with `llama-gguf-split --merge`"
        )
    base = cache_folder()
    if base is None:
        raise MachineError(
            f"{path}: a GGUF model is kept as a folder in the user's cache, but no cache is in use. Set {VARIABLE} to "
            "a folder"
        )
    target = base / "gguf" / f"{path.stem}-{key}"
    if not target.is_dir():
        _make(path, target)
    return target


@functools.cache
def _content_key(path: Path, size: int, changed: int) -> str:
    try:
        with path.open("rb") as stream:
            if stream.read(len(MAGIC)) != MAGIC:
                raise UserError(f"{path}: is no GGUF file, since it does not begin with {MAGIC.decode()}")
            stream.seek(0)
            return hashlib.sha256(FORM.encode() + hashlib.file_digest(stream, "sha256").digest()).hexdigest()[:16]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def _make(path: Path, target: Path) -> None:
    """Convert the file to the folder `target`. The folder gets this name when it is complete."""
    if importlib.util.find_spec("gguf") is None:
        raise MachineError(f"{path}: reading a GGUF file needs the package gguf. Run `pip install codepref[gguf]`")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.with_name(f".{target.name}.lock")):
            if target.is_dir():  # another process made it while this one waited
                return
            partial = target.with_name(f".{target.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)  # what a killed process left
            _check_space(path, target.parent)
            LOG.warning("%s is converted once. The model is kept in %s", path, target)
            try:
                _convert(path, partial)
                partial.replace(target)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        if error.errno not in (*UNWRITABLE, errno.ENOTDIR, errno.EEXIST):  # the last two: a file is in the way
            raise
        raise _no_space(path, target.parent, error.strerror or errno.errorcode[error.errno]) from error


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the lock file, so that one process at a time runs the body. The lock of a killed process ends."""
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _check_space(path: Path, folder: Path) -> None:
    needed = BYTES_PER_WEIGHT * _weights(path) + OTHER_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise _no_space(path, folder, f"it needs {needed / 1e9:.1f} GB there, and {free / 1e9:.1f} GB are free")


def _no_space(path: Path, folder: Path, reason: str) -> MachineError:
    return MachineError(
        f"{path}: the model cannot be kept in {folder} ({reason}). Free some space if the disk is full, or set "
        f"{VARIABLE} to another folder"
    )


def _weights(path: Path) -> int:
    """Return the number of weights. Raises UserError if the file cannot be read as GGUF."""
    import gguf

    with _damaged(path):
        return sum(math.prod(map(int, tensor.shape)) for tensor in gguf.GGUFReader(path).tensors)


@contextlib.contextmanager
def _damaged(path: Path) -> Iterator[None]:
    """Turn most errors of the libraries that read GGUF files into a UserError.

    The libraries raise errors of many types. A MemoryError, and an OSError such as that of a full disk, are raised
    unchanged.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            raise
        lines = str(error).replace(f"{path} ", "").strip().splitlines()
        reason = lines[0].rstrip(".") if lines else type(error).__name__
        if "not supported" in reason:
            raise UserError(
                f"{path}: transformers does not read this kind of model from GGUF ({reason}). Use the model's "
                "original folder with config.json and safetensors"
            ) from error
        raise UserError(
            f"{path}: cannot be read as a GGUF model ({reason}). The file may be cut off: copy it again"
        ) from error


def _convert(path: Path, folder: Path) -> None:
    """Write the file's model and tokenizer as a folder that transformers loads like any other."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    with quiet(), _damaged(path):
        tokenizer = AutoTokenizer.from_pretrained(**where)
        model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16)
    # transformers does not save a model that it read from GGUF, so a new model of the same class gets the weights
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):
        plain = type(model)(config)
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = model.generation_config
    try:
        with quiet():
            plain.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except SafetensorError as error:
        raise _no_space(path, folder.parent, str(error)) from error
    write_json(folder / "gguf.json", {"file": path.name})
