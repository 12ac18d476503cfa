"""Settings of a model that is sampled on OpenAI-compatible servers. `[model]` of a recipe has these keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codepref.config.endpoint import Endpoint
from codepref.config.fields import bounded

CONCURRENCY = 64
"""The number of answers that each server draws at the same time by default. Presets of [engine] can have another."""


@dataclass(frozen=True)
class ModelServer:
    """Where a model is served, and how calls ask for answers. Without `base_url` the model runs on this machine."""

    base_url: tuple[str, ...] = bounded(
        (), or_one=True, doc="address of a server of the model, or a list of addresses; empty: the model runs here"
    )
    served_name: str = bounded("", doc="the server's name for the model; empty: the value of `path`")
    api: Literal["chat", "completions"] = bounded(
        "chat",
        doc="`chat` sends messages; `completions` sends one text to continue, for models without a chat template",
    )
    api_key_env: str = bounded("OPENAI_API_KEY", doc="name of the environment variable that holds the server's key")
    concurrency: int = bounded(
        0, low=0, doc="answers that each server draws at the same time; 0: 64, or what suits the preset in [engine]"
    )
    timeout: float = bounded(600.0, above=0.0, doc="seconds that one attempt at a call to a server may take")
    retries: int = bounded(8, low=0, doc="further attempts at a call after the first one")
    answers_per_call: int = bounded(0, low=0, doc="answers that one call asks for; 0: as many as the server gives")
    stop: tuple[str, ...] = bounded((), or_one=True, doc="texts that end an answer on a server")
    send_seed: Literal["auto", "no"] = bounded(
        "auto", doc="whether calls send a seed; `auto` sends it until the server refuses it"
    )
    extra_body: str = bounded("", doc="JSON object with more fields of each call, for example '{\"top_k\": -1}'")
    price_in: float = bounded(0.0, low=0.0, doc="dollars per million tokens of prompts")
    price_out: float = bounded(0.0, low=0.0, doc="dollars per million tokens of answers")
    budget: float = bounded(-1.0, low=-1.0, doc="most dollars for the answers of one file; -1: no limit")

    def endpoint(self, model: str) -> Endpoint:
        """Return the settings of calls to the model. `base_url` must not be empty.

        model: the name of the model, which is used if `served_name` is empty.
        """
        name = self.served_name or model
        return Endpoint(
            name=name,
            model=name,
            base_url=self.base_url[0],
            replicas=self.base_url[1:],
            api_key_env=self.api_key_env,
            concurrency=self.concurrency or CONCURRENCY,
            timeout=self.timeout,
            retries=self.retries,
            price_in=self.price_in,
            price_out=self.price_out,
            send_seed=self.send_seed,
            extra_body=self.extra_body,
        )
