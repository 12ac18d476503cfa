"""How a model behind an OpenAI-compatible server is reached. A recipe's judge and its pool share these keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codepref.config.fields import bounded


@dataclass(frozen=True)
class ServerSettings:
    """A model, its server, and the limits of calls to it."""

    model: str = bounded("", doc="the server's name for the model")
    base_url: str = bounded("", doc="address of an OpenAI-compatible server, up to /v1")
    api_key_env: str = bounded("OPENAI_API_KEY", doc="environment variable with the key; the key itself is never saved")
    concurrency: int = bounded(8, low=1, doc="calls at the same time")
    timeout: float = bounded(120.0, above=0.0, doc="seconds per call")
    retries: int = bounded(8, low=0, doc="further attempts after the first one")
    price_in: float = bounded(0.0, low=0.0, doc="dollars per million tokens of prompts")
    price_out: float = bounded(0.0, low=0.0, doc="dollars per million tokens of answers")
    schema: Literal["auto", "yes", "no"] = bounded(
        "auto", doc="send a JSON schema; `auto`: until the server refuses it"
    )

    @property
    def priced(self) -> bool:
        """Whether the recipe gives a price for the model's tokens."""
        return self.price_in > 0 or self.price_out > 0


@dataclass(frozen=True)
class Named:
    """The key that comes before the server's in `[[pool]]`."""

    name: str = bounded("", doc="name in files and tables; empty: the model's name")


@dataclass(frozen=True)
class Endpoint(ServerSettings, Named):
    """One model on one server, as the calls use it. `name` is what files and tables call it."""
