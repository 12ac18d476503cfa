"""Computes the cost of a call and an upper bound of it, and keeps a budget. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from codepref.config.endpoint import Endpoint
from codepref.servers.records import Reply, Request

MESSAGE_TOKENS = 64
"""Assumed upper bound of the tokens that a chat template adds for each message."""


def max_prompt_tokens(request: Request) -> int:
    """Return an upper bound of the tokens of the prompt and the JSON schema.

    It assumes a byte-level tokenizer, which makes at most one token of each UTF-8 byte, and a chat template that adds
    at most MESSAGE_TOKENS for each message.
    """
    texts = [message["content"] for message in request.messages] if request.prompt is None else [request.prompt]
    schema = json.dumps(request.schema) if request.schema else ""
    return sum(len(text.encode("utf-8", "replace")) for text in [*texts, schema]) + MESSAGE_TOKENS * len(texts)


def cost(endpoint: Endpoint, tokens_in: int, tokens_out: int) -> float:
    """Return the price of a call with these numbers of tokens, in dollars."""
    return (tokens_in * endpoint.price_in + tokens_out * endpoint.price_out) / 1e6


def max_cost(endpoint: Endpoint, request: Request) -> float:
    """Return an upper bound of the cost of one attempt at a request, in dollars.

    It holds if the bound of the prompt holds and the server stops each answer at `max_tokens`.
    """
    return cost(endpoint, max_prompt_tokens(request), request.max_tokens * request.n)


def cost_of(endpoint: Endpoint, reply: Reply) -> float:
    """Return the cost of a reply by its token counts, in dollars."""
    return cost(endpoint, reply.tokens_in, reply.tokens_out)


@dataclass
class Budget:
    """A limit in dollars for the cost of all calls.

    A call may begin only if its highest cost, the highest costs of the running calls and all costs so far add up to at
    most the limit.

    Attributes:
    limit: the limit, or None for no limit.
    spent: the known costs so far, plus the highest costs of calls that may have been billed without an answer.
    reserved: the sum of the highest costs of the running calls.
    """

    limit: float | None
    spent: float = 0.0
    reserved: float = 0.0

    def fits(self, max_cost: float) -> bool:
        """Return whether a call that costs at most `max_cost` may begin now."""
        return self.limit is None or self.spent + self.reserved + max_cost <= self.limit

    def never_fits(self, max_cost: float) -> bool:
        """Return whether a call with this highest cost would not fit even if all running calls cost nothing."""
        return self.limit is not None and self.spent + max_cost > self.limit

    def begin(self, max_cost: float) -> None:
        """Reserve `max_cost` for a call that begins."""
        self.reserved += max_cost

    def end(self, max_cost: float, actual: float) -> None:
        """Replace the reserved `max_cost` of a call that ended by `actual`, the cost with which the call counts."""
        self.reserved = max(0.0, self.reserved - max_cost)
        self.spent += actual
