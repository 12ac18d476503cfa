"""Where models come from: names -> folders or hub names, tokenizers and weights, each mistake told in one message.

torch and transformers are imported inside the functions alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codepref.errors import MachineError, UserError
from codepref.storage.files import read_json

WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "adapter_model.*")
FINGERPRINTED = (
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "chat_template*",
    *WEIGHTS[:2],
    "adapter_model.bin",
)
"""What a model's answers depend on; not what a trainer leaves beside it, such as paths and times."""

TEMPLATES = "codepref.json"
"""A model that understands certain words only keeps them in this file of its folder."""


def resolve_model(model: str) -> str:
    """`starter` -> the embedded model's folder; a local folder or a hub name stays as it is.

    Raises UserError for an empty name, a missing folder, or a folder without configuration or weights.
    """
    if model == "starter":
        from codepref.starter import model_path

        return str(model_path())
    if not model:
        raise UserError("the model's name is empty: give a local folder or a hub name")
    folder = Path(model)
    if not folder.exists():
        looks_local = model.startswith((".", "/", "~")) or model.count("/") > 1
        if looks_local:
            raise UserError(f"{model}: no such model folder")
        return model
    if not folder.is_dir():
        raise UserError(f"{model}: a model is a folder (config.json, weights, tokenizer), this is a file")
    if not (folder / "config.json").exists() and not (folder / "adapter_config.json").exists():
        raise UserError(f"{model}: holds no config.json, so it is no Transformers model folder")
    if not any(next(folder.glob(pattern), None) for pattern in WEIGHTS):
        raise UserError(f"{model}: holds no weights (looked for {', '.join(WEIGHTS)})")
    return model


def fingerprint(model: str) -> str:
    """A hash that changes with the model's files: name for a hub model; sizes, heads and tails of a local folder's."""
    resolved = resolve_model(model)
    digest = hashlib.sha256()
    folder = Path(resolved)
    if not folder.is_dir():
        return hashlib.sha256(resolved.encode()).hexdigest()[:16]
    files = [path for pattern in FINGERPRINTED for path in folder.glob(pattern)]
    for path in sorted(files):
        digest.update(f"{path.name}:{path.stat().st_size}".encode())
        with path.open("rb") as stream:
            digest.update(stream.read(1 << 20))
            stream.seek(max(0, path.stat().st_size - (1 << 20)))
            digest.update(stream.read())
    return digest.hexdigest()[:16]


def public_name(model: str) -> str:
    """A model's name without the folders of the machine that it lay on."""
    return (
        model if model.count("/") <= 1 and not model.startswith(("/", ".", "~")) else model.rstrip("/").split("/")[-1]
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Switch off the progress bars and advice of the Hugging Face libraries, since codepref shows its own progress.

    Afterwards each library is as it was before: bars that the user had switched off stay off.
    """
    import datasets
    import transformers

    hub = transformers.logging.hf_hub_utils  # transformers switches the bars of huggingface_hub together with its own
    level = transformers.logging.get_verbosity()
    bars = transformers.logging.is_progress_bar_enabled()
    hub_bars, datasets_bars = not hub.are_progress_bars_disabled(), not datasets.are_progress_bars_disabled()
    loggers = [logging.getLogger(name) for name in ("trl", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        transformers.logging.set_verbosity(level)
        if hub_bars:
            hub.enable_progress_bars()
        if bars:
            transformers.logging.enable_progress_bar()
            if not hub_bars:
                hub.disable_progress_bars()
        for logger, before in zip(loggers, levels, strict=True):
            logger.setLevel(before)
        if datasets_bars:
            datasets.enable_progress_bars()


def pick_device(device: str) -> str:
    """`auto` -> the GPU where there is one, else the CPU."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device {device!r} cannot be used here ({_first_line(error)}); leave it at auto") from None
    return device


def model_templates(model: str) -> dict[str, str]:
    """The prompt templates that a model folder brings: {"solutions": ..., "tests": ...}, or empty.

    The starter brings its own, and training hands them on to what is trained from it.
    """
    path = Path(resolve_model(model)) / TEMPLATES
    if not path.is_file():
        return {}
    templates: dict[str, str] = read_json(path).get("templates", {})
    return templates


def load_tokenizer(model: str) -> Any:
    """The tokenizer, padding on the left as generation needs.

    Raises UserError when the model cannot be found, has no chat template or no end-of-sequence token: without the
    one, prompts have no fixed form; without the other, answers have no end and training would teach rambling.
    """
    from transformers import AutoTokenizer

    resolved = resolve_model(model)
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(resolved)
    except (OSError, ValueError) as error:
        raise _cannot_load(model, "tokenizer", error) from error
    if len(tokenizer) == 0:
        raise UserError(f"{model}: holds no tokenizer files (tokenizer.json, tokenizer_config.json)")
    if not tokenizer.chat_template:
        raise UserError(
            f"{model}: its tokenizer has no chat template. Set `chat_template` in tokenizer_config.json (or save one "
            "as chat_template.jinja beside it), or take the instruct version of the model."
        )
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"{model}: its tokenizer has no end-of-sequence token. Set `eos_token` in tokenizer_config.json."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def load_model(
    model: str, *, dtype: str = "auto", device: str = "auto", quantization: str = "none", attention: str = "auto"
) -> Any:
    """The causal language model in evaluation mode on `device`.

    dtype "auto" is the checkpoint's own type on a GPU and float32 on a CPU, where half types are slow or missing. An
    adapter folder is merged into its base model. quantization "nf4" holds the weights in 4 bits (QLoRA,
    arXiv 2305.14314), to train an adapter beside them. attention: a name of transformers' `attn_implementation`, which
    chooses by itself for "auto".
    Raises UserError when it cannot be loaded and MachineError when the device lacks memory or a kernel's package.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    resolved, place = resolve_model(model), pick_device(device)
    kernel = {} if attention == "auto" else {"attn_implementation": attention}
    if quantization != "none":
        return _load_quantized(model, resolved, place, kernel)
    wanted = "float32" if dtype == "auto" and place == "cpu" else dtype
    precision = wanted if wanted == "auto" else getattr(torch, wanted)
    try:
        loaded: Any
        if (Path(resolved) / "adapter_config.json").exists():
            import peft

            adapted: Any = peft.AutoPeftModelForCausalLM.from_pretrained(resolved, dtype=precision, **kernel)
            # merging leaves the weights frozen; a merged model is trained like any other
            loaded = adapted.merge_and_unload().requires_grad_(True)
        else:
            loaded = AutoModelForCausalLM.from_pretrained(resolved, dtype=precision, **kernel)
        return loaded.to(place).eval()
    except torch.OutOfMemoryError as error:
        raise MachineError(
            f"{model}: does not fit into the memory of {place}. Try model.dtype = 'bfloat16'."
        ) from error
    except ImportError as error:
        raise _no_kernel(attention, error) from error
    except (OSError, ValueError, SafetensorError) as error:
        raise _cannot_load(model, "model", error) from error


def _no_kernel(attention: str, error: ImportError) -> MachineError:
    reason = " ".join(str(error).split())[:300]
    if attention == "auto":
        return MachineError(f"the model needs a package that is not here: {reason}")
    return MachineError(
        f"training.attention = {attention!r} cannot be had here: {reason} Set it to 'auto', or install its package"
    )


def _load_quantized(model: str, resolved: str, place: str, kernel: dict[str, str]) -> Any:
    import importlib.util

    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    if not place.startswith("cuda") or importlib.util.find_spec("bitsandbytes") is None:
        lacking = "a GPU" if not place.startswith("cuda") else "the package bitsandbytes (pip install codepref[gpu])"
        raise MachineError(
            f"4-bit weights need {lacking}: set training.quantization = 'none', or run where there is one"
        )
    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16,
    )
    try:
        return AutoModelForCausalLM.from_pretrained(
            resolved, quantization_config=settings, device_map={"": place}, **kernel
        )
    except ImportError as error:
        raise _no_kernel(kernel.get("attn_implementation", "auto"), error) from error
    except torch.OutOfMemoryError as error:
        raise MachineError(f"{model}: does not fit into the memory of {place}, even in 4 bits") from error
    except (OSError, ValueError) as error:
        raise _cannot_load(model, "model", error) from error


def _cannot_load(model: str, what: str, error: Exception) -> UserError:
    return UserError(
        f"{model}: the {what} cannot be loaded ({_first_line(error)}). Give a local folder with "
        "config.json, weights and tokenizer, or a hub name that this machine can reach."
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
