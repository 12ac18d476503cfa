"""One model behind one OpenAI-compatible server, as the calls see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Schema = Literal["auto", "yes", "no"]
"""Whether a server takes a JSON schema for its answer; `auto` asks with one until the server refuses it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model behind one OpenAI-compatible server.

    name: how it is called in files and tables. api_key_env: the environment variable that holds the key; the key itself
    is written nowhere. concurrency: calls at once. timeout: seconds a call may take. retries: further attempts after
    the first. price_in, price_out: dollars a million tokens.
    """

    name: str
    model: str
    base_url: str
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 8
    timeout: float = 120.0
    retries: int = 8
    price_in: float = 0.0
    price_out: float = 0.0
    schema: Schema = "auto"

    @property
    def priced(self) -> bool:
        """Whether its tokens cost anything that we know of."""
        return self.price_in > 0 or self.price_out > 0
