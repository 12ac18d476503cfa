"""Calls against a server that fails: what is kept, what is counted, what is never asked twice, what is told."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from codepref.config.endpoint import Endpoint
from codepref.errors import GateError, InfrastructureError, UserError
from codepref.servers.exchange import Exchange
from codepref.servers.journal import JOURNAL, read_journal
from codepref.servers.records import Outcome, Request

Serve = Callable[..., Any]


def requests(count: int, endpoint: str = "writer", **more: Any) -> list[Request]:
    return [
        Request(f"key-{place}", endpoint, [{"role": "user", "content": f"question {place}"}], **more)
        for place in range(count)
    ]


def ask(endpoint: Endpoint, folder: Path, asked: Iterable[Request], **more: Any) -> tuple[list[Outcome], Exchange]:
    with Exchange([endpoint], folder, **more) as exchange:
        outcomes = list(exchange.outcomes({endpoint.name: asked}))
    return outcomes, exchange


def test_every_fault_is_survived_and_counted_as_the_server_counts(serve: Serve, tmp_path: Path) -> None:
    server = serve("--faults", "0.5", "--seconds", "0.001")
    endpoint = Endpoint("writer", "writer", server.url, concurrency=16, timeout=0.5, price_in=10.0, price_out=20.0)
    outcomes, exchange = ask(endpoint, tmp_path, requests(150))
    counts = server.counts()
    assert sorted(outcome.request.key for outcome in outcomes) == sorted(request.key for request in requests(150))
    assert all(outcome.reply and outcome.reply.text.startswith("answer of writer") for outcome in outcomes)
    assert counts["answered"] == 150
    assert counts["twice"] == 0
    account = exchange.ledger.accounts["writer"]
    names = {"timeout": "hang", "malformed": "not json"}
    ours = {names.get(kind, kind): count for kind, count in account.faults.items()}
    assert {"answered": account.answered, **ours} == counts["events"]["writer"]
    assert set(ours) == {"429", "500", "hang", "cut", "not json"}
    tokens = counts["tokens"]["writer"]
    assert account.dollars == pytest.approx((10 * tokens["prompt_tokens"] + 20 * tokens["completion_tokens"]) / 1e6)


def test_what_was_answered_is_not_asked_again(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    endpoint = Endpoint("writer", "writer", server.url)
    first, _ = ask(endpoint, tmp_path, requests(20))
    second, exchange = ask(endpoint, tmp_path, requests(30))
    assert server.counts()["answered"] == 30
    assert [outcome.known for outcome in second].count(True) == 20
    texts = {outcome.request.key: outcome.reply for outcome in first}
    assert all(outcome.reply == texts[outcome.request.key] for outcome in second if outcome.known)
    assert exchange.ledger.accounts["writer"].answered == 30


def test_a_killed_run_loses_nothing_and_repeats_nothing(serve: Serve, tmp_path: Path) -> None:
    server = serve("--seconds", "0.1")
    code = (
        "import sys; from pathlib import Path; from codepref.servers.exchange import Exchange\n"
        "from codepref.config.endpoint import Endpoint\nfrom codepref.servers.records import Request\n"
        f"endpoint = Endpoint('writer', 'writer', {server.url!r}, concurrency=8)\n"
        "asked = [Request(f'key-{n}', 'writer', [{'role': 'user', 'content': f'question {n}'}]) for n in range(200)]\n"
        f"with Exchange([endpoint], Path({str(tmp_path)!r})) as exchange:\n"
        "    for outcome in exchange.outcomes({'writer': asked}): print(outcome.request.key, flush=True)\n"
    )
    for answers in (5, 30, 60):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(answers):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
    # the last ones of the killed run are waited for, and are known
    outcomes, exchange = ask(Endpoint("writer", "writer", server.url, concurrency=8), tmp_path, requests(200))
    counts = server.counts()
    assert len(outcomes) == 200
    assert sum(outcome.known for outcome in outcomes) >= 60
    assert (counts["answered"], counts["twice"]) == (200, 0)
    account = exchange.ledger.accounts["writer"]
    assert (account.attempts, account.answered, account.unknown) == (200, 200, 0)


def test_calls_that_died_with_their_process_are_unknown_and_count_with_their_highest_cost(tmp_path: Path) -> None:
    lines = ['{"k":"a","e":"w","b":0.5}', '{"k":"a","e":"w","s":1.0,"c":0.25,"a":{"text":"x","finish":"stop",']
    lines[1] += '"tokens_in":1,"tokens_out":2,"estimated":false}}'
    (tmp_path / JOURNAL).write_text("\n".join([*lines, '{"k":"b","e":"w","b":0.75}', '{"k":"b","e":"w","s":1.0,']))
    ledger, answers = read_journal(tmp_path / JOURNAL)
    assert list(answers) == ["a"]
    account = ledger.accounts["w"]
    assert (account.attempts, account.answered, account.unknown) == (2, 1, 1)
    assert (ledger.dollars, ledger.at_most) == (0.25, 0.75)


def test_a_half_written_line_is_removed_and_the_run_goes_on(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    endpoint = Endpoint("writer", "writer", server.url)
    ask(endpoint, tmp_path, requests(3))
    with (tmp_path / JOURNAL).open("a") as journal:
        journal.write('{"k":"key-3","e":"writer","a":{"te')
    outcomes, exchange = ask(endpoint, tmp_path, requests(5))
    assert len(outcomes) == 5
    assert exchange.ledger.accounts["writer"].answered == 5
    assert server.counts()["answered"] == 5


def test_a_file_that_is_no_journal_is_not_overwritten(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text('{"task_id": 1}\n')
    with pytest.raises(UserError, match="no journal of calls"):
        ask(Endpoint("writer", "writer", serve().url), tmp_path, requests(1))
    assert (tmp_path / JOURNAL).read_text() == '{"task_id": 1}\n'


def test_a_budget_is_never_exceeded_and_a_larger_one_goes_on(serve: Serve, tmp_path: Path) -> None:
    server = serve("--seconds", "0.005")
    endpoint = Endpoint("writer", "writer", server.url, price_in=1000.0, price_out=2000.0)
    asked = requests(200, max_tokens=60)
    with pytest.raises(GateError, match="budget of 1 dollars"):
        ask(endpoint, tmp_path, asked, budget=1.0)
    tokens = server.counts()["tokens"]["writer"]
    spent = (1000 * tokens["prompt_tokens"] + 2000 * tokens["completion_tokens"]) / 1e6
    # below, by no more than the highest cost of one call: 13 bytes and 64 tokens in, 60 out, for 0.2 dollars
    assert 0.8 < spent <= 1.0
    before = server.counts()["answered"]
    outcomes, _ = ask(endpoint, tmp_path, asked, budget=100.0)
    assert len(outcomes) == 200
    assert (server.counts()["answered"], server.counts()["twice"]) == (200, 0)
    assert before > 0


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("writer", ["--key", "secret"], "answers 401: the key in CODEPREF_TEST_KEY is not set"),
        ("nobody", [], "knows no model 'nobody'"),
    ],
)
def test_a_server_that_refuses_is_told_once_and_before_any_answer(
    serve: Serve, tmp_path: Path, model: str, options: list[str], words: str
) -> None:
    server = serve(*options)
    endpoint = Endpoint("writer", model, server.url, api_key_env="CODEPREF_TEST_KEY", concurrency=32)
    with pytest.raises(UserError, match=words) as error:
        ask(endpoint, tmp_path, requests(100))
    assert len(error.value.problems) == 1
    assert server.counts()["answered"] == 0


def test_a_wrong_key_of_one_server_is_told_before_another_is_paid(serve: Serve, tmp_path: Path) -> None:
    fine, locked = serve(), serve("--key", "secret")
    endpoints = [
        Endpoint("writer", "writer", fine.url),
        Endpoint("other", "other", locked.url, api_key_env="CODEPREF_TEST_KEY"),
        Endpoint("third", "third", "http://127.0.0.1:9/v1"),
    ]
    with Exchange(endpoints, tmp_path) as exchange, pytest.raises(UserError) as error:
        list(exchange.outcomes({"writer": requests(10), "other": requests(0, "other")}))
    assert len(error.value.problems) == 2
    assert "no server at http://127.0.0.1:9/v1" in str(error.value)
    assert fine.counts()["answered"] == 0


def test_the_key_reaches_the_server_and_no_file(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEPREF_TEST_KEY", "secret-of-mine")
    server = serve("--key", "secret-of-mine")
    endpoint = Endpoint("writer", "writer", server.url, api_key_env="CODEPREF_TEST_KEY")
    outcomes, _ = ask(endpoint, tmp_path, requests(3))
    assert len(outcomes) == 3
    assert all("secret-of-mine" not in path.read_text() for path in tmp_path.iterdir())


def test_a_server_that_stops_answering_ends_the_run_with_what_was_answered_kept(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    endpoint = Endpoint("writer", "writer", server.url, concurrency=2, retries=0)

    def asked() -> Iterable[Request]:
        for place, request in enumerate(requests(200)):
            if place == 30:
                server.process.kill()
                server.process.wait()
            yield request

    with pytest.raises(InfrastructureError, match="20 requests in a row got no answer"):
        ask(endpoint, tmp_path, asked())
    ledger, answers = read_journal(tmp_path / JOURNAL)
    assert 20 <= len(answers) <= 30
    assert ledger.accounts["writer"].answered == len(answers)


def test_a_request_that_fails_to_the_end_is_lost_with_its_reason_and_tried_again(serve: Serve, tmp_path: Path) -> None:
    hanging = serve("--seconds", "5")
    endpoint = Endpoint("writer", "writer", hanging.url, timeout=0.2, retries=1)
    outcomes, exchange = ask(endpoint, tmp_path, requests(2))
    assert [(outcome.reply, outcome.reason) for outcome in outcomes] == [(None, "timeout")] * 2
    assert exchange.ledger.accounts["writer"].faults == {"timeout": 4}
    mended = Endpoint("writer", "writer", serve().url)
    outcomes, _ = ask(mended, tmp_path, requests(2))
    assert all(outcome.reply for outcome in outcomes)


def test_two_runs_do_not_share_a_journal(serve: Serve, tmp_path: Path) -> None:
    endpoint = Endpoint("writer", "writer", serve().url)
    with Exchange([endpoint], tmp_path), pytest.raises(UserError, match=r"another codepref .* is at work"):
        ask(endpoint, tmp_path, requests(1))


def test_retry_after_is_waited_for(serve: Serve, tmp_path: Path) -> None:
    server = serve("--at-once", "0", "--retry-after", "1.5")  # nothing is ever allowed
    begun = time.monotonic()
    outcomes, _ = ask(Endpoint("writer", "writer", server.url, retries=2), tmp_path, requests(1))
    assert outcomes[0].reason == "429"
    assert time.monotonic() - begun >= 3.0


@pytest.mark.parametrize(
    ("budget", "change", "words"),
    [
        (0.0, {"price_in": 1.0}, "a budget of 0 dollars allows no call"),
        (1.0, {}, "a budget needs prices"),
        (None, {"base_url": "localhost:8000"}, "must begin with http"),
        (None, {"concurrency": 0}, "concurrency must be at least 1"),
    ],
)
def test_what_can_be_seen_to_be_wrong_is_told_at_once(
    tmp_path: Path, budget: float | None, change: dict[str, Any], words: str
) -> None:
    endpoint = Endpoint(**{"name": "w", "model": "w", "base_url": "http://127.0.0.1:9/v1"} | change)
    with pytest.raises(UserError, match=words):
        Exchange([endpoint], tmp_path, budget=budget)
    with pytest.raises(UserError, match="named twice"):
        Exchange([endpoint, endpoint], tmp_path, budget=budget)
