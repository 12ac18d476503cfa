"""What calls cost and how long is waited. Pure."""

import random
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.config.endpoint import Endpoint
from codepref.servers.backoff import asked_wait, delay
from codepref.servers.ledger import Ledger
from codepref.servers.pricing import Budget, cost_at_most, cost_of, tokens_at_most
from codepref.servers.records import Reply, Request


def request(text: str, max_tokens: int = 10) -> Request:
    return Request("k", "w", [{"role": "user", "content": text}], max_tokens=max_tokens)


def test_costs_by_hand() -> None:
    endpoint = Endpoint("w", "w", "http://x", price_in=3.0, price_out=15.0)
    assert cost_of(endpoint, Reply("", tokens_in=1_000_000, tokens_out=200_000)) == pytest.approx(3.0 + 3.0)
    # 4 bytes of text (an e with an accent has two) and 64 for the message; 10 tokens out
    assert tokens_at_most(request("abé")) == 4 + 64
    assert cost_at_most(endpoint, request("abé")) == pytest.approx((68 * 3 + 10 * 15) / 1e6)


@given(
    limit=st.floats(0.1, 10),
    calls=st.lists(st.tuples(st.floats(0.001, 2), st.floats(0, 1)), max_size=40),
    order=st.randoms(use_true_random=False),
)
def test_a_budget_holds_however_calls_begin_and_end(
    limit: float, calls: list[tuple[float, float]], order: random.Random
) -> None:
    budget, under_way, spent = Budget(limit), [], 0.0
    for most, share in calls:
        if budget.fits(most):
            budget.begin(most)
            under_way.append((most, most * share))
        elif budget.hopeless(most):
            assert spent + most > limit - 1e-9
        while under_way and order.random() < 0.5:
            one = under_way.pop(order.randrange(len(under_way)))
            budget.end(*one)
            spent += one[1]
        assert spent + sum(most for most, _ in under_way) <= limit + 1e-9


@given(st.integers(0, 50), st.one_of(st.none(), st.floats(0, 1000)), st.integers())
def test_a_wait_is_at_least_what_was_asked_for_and_at_most_a_minute_otherwise(
    attempt: int, asked: float | None, seed: int
) -> None:
    waited = delay(attempt, asked, random.Random(seed))
    assert waited >= (asked or 0.25)
    assert waited <= max(60.0, asked or 0.0)


def test_what_headers_ask_for() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    later = format_datetime(datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC), usegmt=True)
    assert asked_wait({"retry-after": "7"}, now.timestamp()) == 7
    assert asked_wait({"retry-after": later}, now.timestamp()) == 30
    assert asked_wait({"retry-after-ms": "250", "retry-after": "7"}, now.timestamp()) == 0.25
    assert asked_wait({"retry-after": "soon"}, now.timestamp()) is None
    assert asked_wait({"retry-after": "-3"}, now.timestamp()) is None
    assert asked_wait({}, now.timestamp()) is None


def test_a_ledger_by_hand() -> None:
    ledger = Ledger()
    reply = {"text": "x", "finish": "stop", "tokens_in": 5, "tokens_out": 2, "estimated": False}
    for line in (
        {"k": "1", "e": "w", "b": 0.5},
        {"k": "1", "e": "w", "x": "timeout", "s": 2.0, "d": 0.5},
        {"k": "1", "e": "w", "b": 0.5},
        {"k": "1", "e": "w", "s": 1.0, "c": 0.1, "a": reply},
        {"k": "2", "e": "w", "b": 0.25},
    ):
        ledger.add(line)
    ledger.close()
    assert ledger.as_dict()["w"] == {
        "attempts": 3,
        "answered": 1,
        "faults": {"timeout": 1},
        "unknown": 1,
        "tokens_in": 5,
        "tokens_out": 2,
        "estimated": 0,
        "dollars": 0.1,
        "at_most": 0.75,
        "seconds": 3.0,
    }
