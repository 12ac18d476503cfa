"""What a call costs, what it may cost at most, and a budget that cannot be exceeded. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from codepref.config.endpoint import Endpoint
from codepref.servers.records import Reply, Request

MESSAGE_TOKENS = 64
"""Tokens that a chat template may add to a message, at most. Templates in use add fewer than twenty."""


def tokens_at_most(request: Request) -> int:
    """Upper bound of the prompt's tokens: byte-level tokenizers make no more tokens than there are UTF-8 bytes."""
    texts = [message["content"] for message in request.messages]
    schema = json.dumps(request.schema) if request.schema else ""
    return sum(len(text.encode("utf-8", "replace")) for text in [*texts, schema]) + MESSAGE_TOKENS * len(texts)


def cost(endpoint: Endpoint, tokens_in: int, tokens_out: int) -> float:
    """Dollars for so many tokens."""
    return (tokens_in * endpoint.price_in + tokens_out * endpoint.price_out) / 1e6


def cost_at_most(endpoint: Endpoint, request: Request) -> float:
    """Dollars that one attempt at a request can cost, before it is made."""
    return cost(endpoint, tokens_at_most(request), request.max_tokens)


def cost_of(endpoint: Endpoint, reply: Reply) -> float:
    """Dollars that an answer cost by the server's token counts."""
    return cost(endpoint, reply.tokens_in, reply.tokens_out)


@dataclass
class Budget:
    """Dollars that may be spent. A call is begun only when its highest cost fits beside all that is under way.

    limit: None for none. spent: known and possible costs so far. reserved: highest costs of the calls under way.
    """

    limit: float | None
    spent: float = 0.0
    reserved: float = 0.0

    def fits(self, most: float) -> bool:
        """Whether a call that costs at most so much may be begun now."""
        return self.limit is None or self.spent + self.reserved + most <= self.limit

    def hopeless(self, most: float) -> bool:
        """Whether it would not fit either if every call under way turned out to cost nothing."""
        return self.limit is not None and self.spent + most > self.limit

    def begin(self, most: float) -> None:
        """A call that costs at most so much is under way."""
        self.reserved += most

    def end(self, most: float, actual: float) -> None:
        """It is over and cost so much."""
        self.reserved = max(0.0, self.reserved - most)
        self.spent += actual
