"""The cost of calls, the budget, the ledger, and the delay between attempts."""

import random
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.config.endpoint import Endpoint
from codepref.servers.backoff import delay, requested_delay
from codepref.servers.ledger import Ledger
from codepref.servers.pricing import Budget, cost_of, max_cost, max_prompt_tokens
from codepref.servers.records import Reply, Request


def request(text: str, max_tokens: int = 10) -> Request:
    return Request("k", "w", [{"role": "user", "content": text}], max_tokens=max_tokens)


def test_the_cost_of_a_call_equals_a_calculation_by_hand() -> None:
    endpoint = Endpoint("w", "w", "http://x", price_in=3.0, price_out=15.0)
    assert cost_of(endpoint, Reply("", tokens_in=1_000_000, tokens_out=200_000)) == pytest.approx(3.0 + 3.0)
    # the text has 4 bytes, because é has two; the message adds 64 tokens; the answer has at most 10 tokens
    assert max_prompt_tokens(request("abé")) == 4 + 64
    assert max_cost(endpoint, request("abé")) == pytest.approx((68 * 3 + 10 * 15) / 1e6)


@given(
    limit=st.floats(0.1, 10),
    calls=st.lists(st.tuples(st.floats(0.001, 2), st.floats(0, 1)), max_size=40),
    order=st.randoms(use_true_random=False),
)
def test_running_and_finished_calls_never_cost_more_than_the_budget(
    limit: float, calls: list[tuple[float, float]], order: random.Random
) -> None:
    budget, running, spent = Budget(limit), [], 0.0
    for highest, share in calls:
        if budget.fits(highest):
            budget.begin(highest)
            running.append((highest, highest * share))
        elif budget.never_fits(highest):
            assert spent + highest > limit - 1e-9
        while running and order.random() < 0.5:
            highest, actual = running.pop(order.randrange(len(running)))
            budget.end(highest, actual)
            spent += actual
        assert spent + sum(highest for highest, _ in running) <= limit + 1e-9


@given(st.integers(0, 50), st.one_of(st.none(), st.floats(0, 1000)), st.integers())
def test_a_delay_is_at_least_the_requested_one_and_otherwise_at_most_a_minute(
    attempt: int, requested: float | None, seed: int
) -> None:
    seconds = delay(attempt, requested, random.Random(seed))
    assert seconds >= (requested or 0.25)
    assert seconds <= max(60.0, requested or 0.0)


def test_the_requested_delay_is_read_from_headers_in_each_form() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    later = format_datetime(datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC), usegmt=True)
    assert requested_delay({"retry-after": "7"}, now.timestamp()) == 7
    assert requested_delay({"retry-after": later}, now.timestamp()) == 30
    assert requested_delay({"retry-after-ms": "250", "retry-after": "7"}, now.timestamp()) == 0.25
    assert requested_delay({"retry-after": "1.5"}, now.timestamp()) == 1.5
    assert requested_delay({"retry-after": "120 s"}, now.timestamp()) == 120
    assert requested_delay({"retry-after": "7, 30"}, now.timestamp()) == 30
    for odd in ("soon", "", "nan", "inf", "-inf", "Mon, 99 Foo 2026", "Mon, 01 Jan 99999 00:00:00 GMT", "\ud83d"):
        assert requested_delay({"retry-after": odd}, now.timestamp()) is None
    assert requested_delay({"retry-after": "-3"}, now.timestamp()) is None
    assert requested_delay({}, now.timestamp()) is None


def test_a_ledger_sums_the_lines_of_a_journal() -> None:
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
        "dropped": {},
        "models": {},
    }
