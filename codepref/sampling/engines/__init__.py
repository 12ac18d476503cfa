"""Engines turn chat prompts into raw model text. ENGINES has those that a model's name can choose.

The modules `server` and `launched` hold the engines for servers. Settings choose these engines, not the model's name.
Another package adds an engine by an entry point of the group `codepref.engines`. The entry point names an
`EngineOpener`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from codepref.config.served import ModelServer
from codepref.errors import UserError
from codepref.registry import Registry
from codepref.sampling.engines.base import Answer, Ask, Decoding, Engine, EngineOpener, as_engine, ask_seed

__all__ = [
    "ENGINES",
    "Answer",
    "Ask",
    "Decoding",
    "Engine",
    "EngineOpener",
    "as_engine",
    "ask_seed",
    "model_fingerprint",
    "open_engine",
]

DEFAULT = "transformers"
"""The engine of a model whose name holds no engine."""

ENGINES: Registry[EngineOpener] = Registry(
    "engine",
    "codepref.engines",
    {
        DEFAULT: "codepref.sampling.engines.transformers:TransformersEngine",
        "scripted": "codepref.sampling.engines.scripted:open_script",
    },
)
"""All engines, with those of other packages. The model name `NAME:MODEL` chooses the engine NAME.

The module of an engine is imported at the first use.
"""


def open_engine(
    model: str,
    *,
    dtype: str = "auto",
    device: str = "auto",
    base_url: str | Sequence[str] = (),
    server: ModelServer | None = None,
    fingerprint: str = "",
    log: Callable[[str], None] = lambda text: None,
) -> Engine:
    """Return the engine for a model's name.

    The name is `ENGINE:MODEL`, or for Transformers a folder, a GGUF file, a hub name or `starter`.

    base_url: the address of an OpenAI-compatible server of the model, or several. `model` is then the server's name for
    the model, unless `server.served_name` is set. server: settings of the calls. Its `base_url` counts if `base_url` is
    empty. fingerprint, log: as in `codepref.sampling.engines.server.ServerEngine`, for a model on a server.
    Raises UserError for an unknown engine and for a model that cannot be found or used, and MachineError if a package
    is missing. The Transformers engine loads the weights at its first answer, and raises the errors of loading there.
    """
    settings = server or ModelServer()
    if addresses := (base_url,) if isinstance(base_url, str) and base_url else tuple(base_url) or settings.base_url:
        from codepref.sampling.engines.server import ServerEngine

        return ServerEngine(model, replace(settings, base_url=addresses), fingerprint=fingerprint, log=log)
    name, rest = _engine_of(model)
    return as_engine(ENGINES.load(name)(rest, dtype=dtype, device=device))


def model_fingerprint(model: str) -> str:
    """Return the fingerprint of the model with this name, without loading weights.

    Raises UserError for an unknown engine and for a local folder that holds no model. For an engine other than
    Transformers, raises the errors of `open_engine`. Hub names are not looked up for Transformers.
    """
    name, rest = _engine_of(model)
    if name != DEFAULT:
        return open_engine(model).fingerprint
    from codepref.models import fingerprint

    return fingerprint(rest)


def _engine_of(model: str) -> tuple[str, str]:
    """Return (engine, model) of `ENGINE:MODEL`.

    A name without a colon, an existing path, and a name with a slash before the colon have the default engine. Raises
    UserError for an unknown engine.
    """
    name, colon, rest = model.partition(":")
    if not colon or "/" in name or Path(model).exists():
        return DEFAULT, model
    if mistake := ENGINES.mistake(name):
        raise UserError(f"{model}: {mistake}")
    return name, rest
