"""The commands of servers that codepref knows, and how a command becomes words with a model and a port."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codepref.config.engine import EngineSection
from codepref.config.served import CONCURRENCY
from codepref.errors import UserError

PLACEHOLDERS = ("model", "name", "port", "python", "dtype")
"""The names that may stand in braces in `engine.command`, which must hold `model` and `port`."""

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Preset:
    """A server that codepref knows.

    Attributes:
    commands: pairs of a command with PLACEHOLDERS in braces, and a line of Python or "". The line fails in an
    environment in which the command does not work. codepref uses the first command whose program is installed and whose
    line succeeds, and appends `engine.options`.
    adapter_options: the options with which the server serves the adapter {adapter} of rank {rank} beside the base
    model, or "" if the server needs merged weights.
    lists_model: whether the server's list of models holds the model that it serves.
    format: "folder" for a server that reads Transformers folders, "gguf" for one that reads a GGUF file.
    own_decoding: whether the server takes what a request leaves open, such as top_k, from the model's generation
    configuration. In place of a local folder, codepref then serves a folder with links to its files and a configuration
    that changes nothing.
    extra: JSON object with fields that make the recipe alone decide how answers are drawn. Requests hold them unless
    the user sets other fields.
    concurrency: the number of answers to ask for at the same time, unless the user sets another one; see
    `concurrency_of`.
    answers_per_call: the number of answers that a request may ask for; 0 sets no limit.
    seeds_need_gpu: whether a seed in a request can end the server on a machine without GPU.
    """

    commands: tuple[tuple[str, str], ...]
    adapter_options: str = ""
    lists_model: bool = True
    format: str = "folder"
    own_decoding: bool = False
    extra: str = ""
    concurrency: int = CONCURRENCY
    answers_per_call: int = 0
    seeds_need_gpu: bool = False


def _has(module: str) -> str:
    return f"import importlib.util as u; assert u.find_spec({module!r})"


_VLLM = (
    "{model} --served-model-name {name} --host 127.0.0.1 --port {port} --dtype {dtype} --generation-config vllm "
    "--disable-uvicorn-access-log"
)
PRESETS: dict[str, Preset] = {
    "vllm": Preset(
        (
            (f"vllm serve {_VLLM}", "import importlib.metadata as m; m.version('vllm')"),
            # builds for CPUs have another name as a package, with which `vllm serve` does not start
            (f"{{python}} -m vllm.entrypoints.openai.api_server --model {_VLLM}", _has("vllm")),
            (f"vllm serve {_VLLM}", ""),
        ),
        adapter_options="--enable-lora --max-lora-rank {rank} --lora-modules {name}={adapter}",
        concurrency=256,  # the number that it computes at the same time on most GPUs
        seeds_need_gpu=True,
    ),
    "sglang": Preset(
        (
            (
                "{python} -m sglang.launch_server --model-path {model} --served-model-name {name} --host 127.0.0.1 "
                "--port {port} --dtype {dtype} --sampling-defaults openai --log-level-http warning",
                _has("sglang"),
            ),
        ),
        adapter_options="--enable-lora --max-lora-rank {rank} --lora-paths {name}={adapter}",
        concurrency=256,
    ),
    "llama.cpp": Preset(
        (
            ("llama-server --model {model} --alias {name} --host 127.0.0.1 --port {port} --jinja", ""),
            (
                "{python} -m llama_cpp.server --model {model} --model_alias {name} --host 127.0.0.1 --port {port} "
                "--n_ctx 0 --interrupt_requests false",
                _has("llama_cpp"),
            ),
        ),
        format="gguf",
        extra='{"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}',
        concurrency=4,
        answers_per_call=1,
    ),
    "transformers": Preset(
        (("transformers serve {model} --host 127.0.0.1 --port {port} --dtype {dtype}", _has("fastapi")),),
        lists_model=False,
        own_decoding=True,
        concurrency=2,  # it writes one answer at a time
        answers_per_call=1,
    ),
}
"""The presets of `engine.preset` by name."""


def command_mistakes(section: EngineSection) -> list[str]:
    """Return texts about mistakes in the keys of [engine] that name the server. Not all mistakes are found at once."""
    if section.command and section.preset:
        return ["engine.command and engine.preset both name a server: set one of them"]
    if section.preset and section.preset not in PRESETS:
        return [f"engine.preset = {section.preset!r}: the presets are {', '.join(PRESETS)}"]
    if not section.command:
        return []
    try:
        words = shlex.split(section.command)
    except ValueError as error:
        return [f"engine.command cannot be split into words ({error})"]
    used = {name for word in words for name in _PLACEHOLDER.findall(word)}
    mistakes = [
        f"engine.command must hold {{{name}}}, in place of which codepref puts the {noun}"
        for name, noun in (("model", "model's folder or name"), ("port", "port"))
        if name not in used
    ]
    if unknown := sorted(used - set(PLACEHOLDERS)):
        mistakes.append(f"engine.command holds {{{unknown[0]}}}, which codepref does not know. It knows {_known()}")
    return mistakes


def takes_seeds(preset: Preset | None, devices: Path = Path("/dev")) -> bool:
    """Return whether requests to the preset's server may hold a seed. devices: the folder of device files."""
    return preset is None or not preset.seeds_need_gpu or _has_gpu(devices)


def concurrency_of(preset: Preset, devices: Path = Path("/dev")) -> int:
    """Return the number of answers to ask the preset's server for at the same time.

    Without a GPU it is at most 64, since a call for more answers could exceed its time limit there. devices: the folder
    of device files.
    """
    return preset.concurrency if _has_gpu(devices) else min(preset.concurrency, CONCURRENCY)


def _has_gpu(devices: Path) -> bool:
    return any(devices.glob("nvidia[0-9]*")) or (devices / "kfd").exists()


def words(command: str, values: Mapping[str, str]) -> list[str]:
    """Return the words of a command, split as a shell splits them, with `values` in place of the placeholders.

    A value with spaces stays one word. Other text in braces, such as JSON, is unchanged. Raises UserError
    if the command cannot be split.
    """
    try:
        parts = shlex.split(command)
    except ValueError as error:
        raise UserError(f"the command {command!r} cannot be split into words ({error})") from None
    return [_PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), part) for part in parts]


def _known() -> str:
    return ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
