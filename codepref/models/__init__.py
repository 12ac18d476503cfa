"""Finds and loads models: names, folders, tokenizers and weights. Most errors of libraries become one-line messages.

torch and transformers are imported only inside functions.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codepref.chat import Chat, check_syntax, fix_date, turn_end
from codepref.errors import MachineError, UserError
from codepref.models.gguf import content_key, folder_of, is_gguf
from codepref.models.libraries import quiet as quiet
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
"""Patterns of the files on which the fingerprint depends. adapter_config.json matches none, since it holds a path."""

TEMPLATES = "codepref.json"
"""Name of the file in a model's folder that holds the model's own prompt templates.

Such a file is meant for a model that understands only certain prompts.
"""


def resolve_model(model: str) -> str:
    """Return the folder of the model with this name, or the name of a hub model.

    `starter` gives the folder of the model that ships with codepref. A GGUF file gives the folder that
    `codepref.models.gguf` makes of it. Any other name is returned unchanged.
    Raises UserError for an empty name, a file of another kind, and a folder without configuration or weights. A name
    that begins with ".", "/" or "~", or holds more than one "/", is a path. Raises UserError if such a path does not
    exist. Raises the errors of `codepref.models.gguf.folder_of`.
    """
    if model == "starter":
        from codepref.starter import model_path

        return str(model_path())
    if not model:
        raise UserError("the model's name is empty: give a local folder or a hub name")
    folder = Path(model)
    if is_gguf(model) and not folder.is_dir():
        return str(folder_of(folder.absolute()))
    if not folder.exists():
        looks_local = model.startswith((".", "/", "~")) or model.count("/") > 1
        if looks_local:
            raise UserError(f"{model}: no such model folder")
        return model
    if not folder.is_dir():
        raise UserError(f"{model}: is a file, but a model is a folder with config.json, or a GGUF file")
    if not (folder / "config.json").exists() and not (folder / "adapter_config.json").exists():
        if file := next(folder.glob("*.gguf"), None):
            raise UserError(f"{model}: holds GGUF files and no config.json. Give the path of one file, such as {file}")
        raise UserError(f"{model}: holds no config.json or adapter_config.json, so it holds no Transformers model")
    if not any(next(folder.glob(pattern), None) for pattern in WEIGHTS):
        raise UserError(f"{model}: holds no weights (looked for {', '.join(WEIGHTS)})")
    return model


def fingerprint(model: str) -> str:
    """Return a hash of a model.

    The hash of a local folder depends on the name, the size, the first MiB and the last MiB of each file that matches
    FINGERPRINTED. The hash of a GGUF file depends on its content, and the file is not converted. The hash of a hub
    model depends only on its name. Raises UserError as `resolve_model` does. For a GGUF file, it raises UserError as
    `codepref.models.gguf.content_key` does.
    """
    if is_gguf(model) and not Path(model).is_dir():
        return content_key(Path(model).absolute())
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
    """Return a model's name for readers on other machines. A path is shortened to its last part.

    A name counts as a path if it begins with "/", "." or "~", holds more than one "/", or ends in .gguf. Any other name
    is unchanged, since it may be a hub name.
    """
    is_path = model.count("/") > 1 or model.startswith(("/", ".", "~")) or is_gguf(model)
    return model.rstrip("/").split("/")[-1] if is_path else model


def pick_device(device: str) -> str:
    """Return `device`, if PyTorch works with it. "auto" gives "cuda" if there is a GPU for CUDA or ROCm, else "cpu".

    Raises UserError for any other device with which PyTorch does not work on this machine.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device {device!r} does not work here ({_first_line(error)}); choose device 'auto'") from None
    return device


def model_templates(model: str) -> dict[str, str]:
    """Return the prompt templates in a model's folder, such as {"solutions": text, "tests": text}.

    Return {} for a folder without the file codepref.json and for the name of a hub model. The starter's folder has this
    file. Training copies the templates into the folder of the trained model.
    Raises UserError for a malformed file, and the errors of `resolve_model`.
    """
    path = Path(resolve_model(model)) / TEMPLATES
    if not path.is_file():
        return {}
    document = read_json(path)
    templates = document.get("templates", {}) if isinstance(document, dict) else None
    if not isinstance(templates, dict) or not all(isinstance(text, str) for text in templates.values()):
        raise UserError(f'{path}: must hold {{"templates": {{"solutions": text, "tests": text}}}}')
    return templates


def load_tokenizer(model: str) -> Any:
    """Return the model's tokenizer, set to pad on the left, as generation needs.

    A chat template that asks for today's date gets `codepref.chat.DATE`.
    Raises UserError if the files cannot be loaded, or hold no usable chat template or no end-of-sequence token. Prompts
    need the template, and the token ends answers. Raises MachineError if a package is missing, and the errors of
    `resolve_model`.
    """
    from transformers import AutoTokenizer

    resolved = resolve_model(model)
    with _loading(model, "tokenizer"), quiet():
        tokenizer = AutoTokenizer.from_pretrained(resolved)
    if len(tokenizer) == 0:
        raise UserError(f"{model}: holds no tokenizer files (tokenizer.json, tokenizer_config.json)")
    if not tokenizer.chat_template:
        raise UserError(
            f"{model}: its tokenizer has no chat template. Set `chat_template` in tokenizer_config.json (or save one "
            "as chat_template.jinja in the folder), or take the instruct version of the model."
        )
    with _loading(model, "chat template"):
        check_syntax(tokenizer)
    fix_date(tokenizer)
    rows = embedding_rows(model)
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"{model}: its tokenizer has no end-of-sequence token. Set `eos_token` in tokenizer_config.json."
        )
    # padding is masked, so any token can be padding; some tokenizers have one that the embedding does not know
    if tokenizer.pad_token_id is None or (rows is not None and tokenizer.pad_token_id >= rows):
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def chat_of(model: Any, tokenizer: Any) -> Chat:
    """Return the chat template of a model with its end tokens. model: the model, or its name.

    Raises what `stop_tokens` and `embedding_rows` raise.
    """
    return Chat(tokenizer, stop_tokens(model, tokenizer), embedding_rows(model))


def stop_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Return the ids of the tokens that end an answer, sorted.

    They are the tokenizer's end-of-sequence token, the end tokens of the model's generation configuration, and the
    token that the chat template puts after an answer. Gemma and Phi-3, for example, end a turn with another token than
    the end-of-sequence token. Without a generation configuration, the end tokens of the model's configuration count.
    model: the model, or its name. For a name, only configuration files are read, but a GGUF file is converted first.
    Raises UserError if the model's configuration is needed and cannot be read, and the errors of `resolve_model`.
    """
    own = _generation_ends(model) if isinstance(model, str) else getattr(model.generation_config, "eos_token_id", None)
    ends = {tokenizer.eos_token_id, turn_end(tokenizer), *(own if isinstance(own, list | tuple) else [own])}
    return sorted(int(token) for token in ends if token is not None)


def embedding_rows(model: Any) -> int | None:
    """Return the number of rows of the model's embedding, or None if its configuration does not say.

    model: the model, or its name. The folder of an adapter gives None, since an adapter can hold its own embedding.
    Raises UserError if the configuration of a named model cannot be read, and the errors of `resolve_model`.
    """
    if not isinstance(model, str):
        config = model.config
    elif (Path(resolve_model(model)) / "adapter_config.json").exists():
        return None
    else:
        config = _configuration(model)
    rows = getattr(config.get_text_config(), "vocab_size", None)
    return rows if isinstance(rows, int) else None


def checkpoint_dtype(model: str) -> str:
    """Return the type of a checkpoint's weights by its configuration, such as "bfloat16", or "float32" if unknown.

    The type of an adapter is that of its base model. Raises UserError if the configuration cannot be read, and the
    errors of `resolve_model`.
    """
    folder = Path(resolve_model(model))
    if (folder / "adapter_config.json").exists():
        base = read_json(folder / "adapter_config.json").get("base_model_name_or_path")
        return checkpoint_dtype(base) if base else "float32"
    return str(_configuration(model).dtype or "float32").removeprefix("torch.")


def _configuration(model: str) -> Any:
    from transformers import AutoConfig

    with _loading(model, "configuration"), quiet():
        return AutoConfig.from_pretrained(resolve_model(model))


def _generation_ends(model: str) -> Any:
    """Return `eos_token_id` of the generation configuration, or of the model's configuration.

    The model's configuration is read if the file of the generation configuration is missing or is no JSON.
    For the folder of an adapter, the configuration of its base model is read.
    """
    from transformers import GenerationConfig

    folder = Path(resolve_model(model))
    if (folder / "adapter_config.json").exists():
        base = read_json(folder / "adapter_config.json").get("base_model_name_or_path")
        return _generation_ends(base) if base else None
    with quiet():
        try:
            return GenerationConfig.from_pretrained(str(folder)).eos_token_id
        except OSError:  # the file is missing; transformers raises the same for a file that is no JSON
            return getattr(_configuration(model).get_text_config(), "eos_token_id", None)


def load_model(
    model: str, *, dtype: str = "auto", device: str = "auto", quantization: str = "none", attention: str = "auto"
) -> Any:
    """Return the causal language model on `device`, in evaluation mode.

    Without quantization, the adapter in a local folder is merged into its base model.
    dtype: "auto" is float32 if `device` is the CPU, where 16-bit types are slow or missing, and otherwise the
    checkpoint's type. With quantization, `dtype` has no effect. quantization: "nf4" stores the weights in 4 bits to
    train an adapter (QLoRA, arXiv 2305.14314). attention: the argument `attn_implementation` of transformers; "auto"
    lets transformers choose.
    Raises UserError if the files cannot be loaded or `device` does not work. Raises MachineError if the model does not
    fit into GPU memory, if a package is missing, or if the weights shall be quantized and `device` is no GPU for CUDA
    or ROCm. Raises the errors of `resolve_model`.
    """
    import torch
    from transformers import AutoModelForCausalLM

    resolved, target = resolve_model(model), pick_device(device)
    options: dict[str, Any] = {} if attention == "auto" else {"attn_implementation": attention}
    if quantization != "none":
        return _load_quantized(model, resolved, target, options)
    type_name = "float32" if dtype == "auto" and target == "cpu" else dtype
    options["dtype"] = type_name if type_name == "auto" else getattr(torch, type_name)
    with _loading(model, "model", f"the memory of {target}. Try model.dtype = 'bfloat16'", attention):
        loaded: Any
        if (Path(resolved) / "adapter_config.json").exists():
            import peft

            adapted: Any = peft.AutoPeftModelForCausalLM.from_pretrained(resolved, **options)
            # the merged weights are frozen, and a merged model must be trainable like any other
            loaded = adapted.merge_and_unload().requires_grad_(True)
        else:
            loaded = AutoModelForCausalLM.from_pretrained(resolved, **options)
        return loaded.to(target).eval()


def _load_quantized(model: str, resolved: str, target: str, options: dict[str, Any]) -> Any:
    import importlib.util

    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    if not target.startswith("cuda"):
        raise MachineError(
            f"4-bit weights need a GPU for CUDA or ROCm, but the device is {target!r}. Use such a GPU, or set "
            "quantization = 'none'"
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MachineError(
            "4-bit weights need the package bitsandbytes. Run `pip install codepref[gpu]`, or set quantization = 'none'"
        )
    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16,
    )
    attention = options.get("attn_implementation", "auto")
    with _loading(model, "model", f"the memory of {target}, even in 4 bits", attention):
        return AutoModelForCausalLM.from_pretrained(
            resolved, quantization_config=settings, device_map={"": target}, **options
        )


@contextlib.contextmanager
def _loading(model: str, part: str, memory: str = "memory", attention: str = "auto") -> Iterator[None]:
    """Turn an error of the libraries that load `part` of a model into a UserError or a MachineError.

    The libraries raise errors of many types for damaged files. A MemoryError is raised unchanged. memory: the end of
    the message "does not fit into ...". attention: the value of `training.attention`, or "auto".
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MachineError(f"{model}: does not fit into {memory}") from error
    except ImportError as error:
        reason = " ".join(str(error).split())[:300]
        if attention == "auto":
            raise MachineError(f"{model}: the {part} needs a package that cannot be imported: {reason}") from error
        raise MachineError(
            f"training.attention = {attention!r} does not work here ({reason}). Set it to 'auto', or install the "
            "package that it needs."
        ) from error
    except MemoryError:
        raise
    except Exception as error:
        raise UserError(
            f"{model}: the {part} cannot be loaded ({_first_line(error)}). Give a local folder with "
            "config.json, weights and tokenizer, or a hub name that this machine can reach."
        ) from error


def _first_line(error: BaseException) -> str:
    """Return the first line of the error's text.

    The type of the error stands before a line without a space, such as the key of a KeyError.
    """
    text = str(error).strip()
    first = text.splitlines()[0] if text else ""
    return first if " " in first else f"{type(error).__name__} {first}".strip()
