"""Settings of a model on an OpenAI-compatible server: the keys that `[judge]` and `[[pool]]` of a recipe share.

`[[pool]]` also has the keys `name` and `replicas`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from codepref.config.fields import bounded


@dataclass(frozen=True)
class ServerSettings:
    """A model on a server, and the limits and prices of calls to the model."""

    model: str = bounded("", doc="the server's name for the model")
    base_url: str = bounded("", doc="base address of an OpenAI-compatible server, such as http://localhost:8000/v1")
    api_key_env: str = bounded(
        "OPENAI_API_KEY", doc="name of the environment variable that holds the key; the key is never saved"
    )
    concurrency: int = bounded(8, low=1, doc="number of calls to each server at the same time")
    timeout: float = bounded(120.0, above=0.0, doc="seconds that one attempt at a call may take")
    retries: int = bounded(8, low=0, doc="further attempts after the first one")
    price_in: float = bounded(0.0, low=0.0, doc="dollars per million tokens of prompts")
    price_out: float = bounded(0.0, low=0.0, doc="dollars per million tokens of answers")
    schema: Literal["auto", "yes", "no"] = bounded(
        "auto", doc="whether calls send a JSON schema; `auto` sends it until the server refuses it"
    )
    send_seed: Literal["auto", "no"] = bounded(
        "auto", doc="whether calls send a seed; `auto` sends it until the server refuses it"
    )

    extra_body: str = bounded("", doc="JSON object with more fields of each call, for example '{\"top_k\": -1}'")

    @property
    def priced(self) -> bool:
        """Whether a price of the model's tokens is above zero."""
        return self.price_in > 0 or self.price_out > 0

    def extra_fields(self) -> dict[str, Any]:
        """Return the fields of `extra_body`. Raises ValueError if it is neither blank nor a JSON object."""
        fields = json.loads(self.extra_body) if self.extra_body.strip() else {}
        if not isinstance(fields, dict):
            raise ValueError("not a JSON object")
        return fields


@dataclass(frozen=True)
class Named:
    """The key `name` of a `[[pool]]` table. This class places `name` before the keys of the server."""

    name: str = bounded("", doc="name of the model in files and tables; empty: the value of `model`")


@dataclass(frozen=True)
class Replicas:
    """The addresses of further servers with the same model."""

    replicas: tuple[str, ...] = bounded((), doc="base addresses of further servers with the same model, to share calls")


@dataclass(frozen=True)
class Endpoint(Replicas, ServerSettings, Named):
    """One model on one or more servers, with the settings of calls to it.

    Files and tables call it `name`, or `model` if `name` is empty.
    """
