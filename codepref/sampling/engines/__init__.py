"""Engines turn chat prompts into raw model text. Each engine is one file, and one line in the table.

Another package adds an engine with an entry point of group `codepref.engines` that leads to an `EngineOpener`.
"""

from __future__ import annotations

from pathlib import Path

from codepref.errors import UserError
from codepref.registry import Registry
from codepref.sampling.engines.base import Answer, Ask, Decoding, Engine, EngineOpener

__all__ = ["ENGINES", "Answer", "Ask", "Decoding", "Engine", "EngineOpener", "model_fingerprint", "open_engine"]

DEFAULT = "transformers"
"""The engine of a model whose name begins with no engine's name."""

ENGINES: Registry[EngineOpener] = Registry(
    "engine",
    "codepref.engines",
    {
        DEFAULT: "codepref.sampling.engines.transformers:TransformersEngine",
        "scripted": "codepref.sampling.engines.scripted:open_script",
    },
)
"""All engines. `NAME:MODEL` chooses one; its module is imported when it is first opened."""


def open_engine(model: str, *, dtype: str = "auto", device: str = "auto") -> Engine:
    """The engine for a model's name: `ENGINE:MODEL`, or a folder or hub name that Transformers can load.

    Raises UserError for an unknown engine and a model that cannot be found.
    """
    name, rest = _engine_of(model)
    return ENGINES.load(name)(rest, dtype=dtype, device=device)


def model_fingerprint(model: str) -> str:
    """The fingerprint of a model by its name, without loading weights. Raises UserError if it cannot be found."""
    name, rest = _engine_of(model)
    if name != DEFAULT:
        return open_engine(model).fingerprint
    from codepref.models import fingerprint

    return fingerprint(rest)


def _engine_of(model: str) -> tuple[str, str]:
    """(engine, model) of `ENGINE:MODEL`; the default engine for a name without an engine, and for an existing path."""
    name, colon, rest = model.partition(":")
    if not colon or "/" in name or Path(model).exists():
        return DEFAULT, model
    if mistake := ENGINES.mistake(name):
        raise UserError(f"{model}: {mistake}")
    return name, rest
