"""Calls to a server that fails in many ways: retries, counts, the journal, the budget and error messages."""

import json
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
from codepref.servers.journal import JOURNAL, Answers, read_journal
from codepref.servers.records import Request, RequestResult

Serve = Callable[..., Any]


def requests(count: int, endpoint: str = "writer", **more: Any) -> list[Request]:
    return [
        Request(f"key-{place}", endpoint, [{"role": "user", "content": f"question {place}"}], **more)
        for place in range(count)
    ]


def ask(
    endpoint: Endpoint, folder: Path, wanted: Iterable[Request], **more: Any
) -> tuple[list[RequestResult], Exchange]:
    with Exchange([endpoint], folder, **more) as exchange:
        results = list(exchange.results({endpoint.name: wanted}))
    return results, exchange


def test_every_fault_is_retried_and_counted_as_the_server_counts_it(serve: Serve, tmp_path: Path) -> None:
    server = serve("--faults", "0.5", "--seconds", "0.001")
    endpoint = Endpoint("writer", "writer", server.url, concurrency=16, timeout=0.5, price_in=10.0, price_out=20.0)
    results, exchange = ask(endpoint, tmp_path, requests(150))
    counts = server.counts()
    assert sorted(result.request.key for result in results) == sorted(request.key for request in requests(150))
    assert all(result.reply and result.reply.text.startswith("answer of writer") for result in results)
    assert counts["answered"] == 150
    assert counts["twice"] == 0
    account = exchange.ledger.accounts["writer"]
    names = {"timeout": "hang", "malformed": "not json"}
    ours = {names.get(kind, kind): count for kind, count in account.faults.items()}
    assert {"answered": account.answered, **ours} == counts["events"]["writer"]
    assert set(ours) == {"429", "500", "hang", "cut", "not json", "no answer"}
    tokens = counts["tokens"]["writer"]
    assert account.dollars == pytest.approx((10 * tokens["prompt_tokens"] + 20 * tokens["completion_tokens"]) / 1e6)


def test_a_second_run_makes_only_the_calls_that_the_journal_lacks(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    endpoint = Endpoint("writer", "writer", server.url)
    first, _ = ask(endpoint, tmp_path, requests(20))
    second, exchange = ask(endpoint, tmp_path, requests(30))
    assert server.counts()["answered"] == 30
    assert [result.cached for result in second].count(True) == 20
    texts = {result.request.key: result.reply for result in first}
    assert all(result.reply == texts[result.request.key] for result in second if result.cached)
    assert exchange.ledger.accounts["writer"].answered == 30


def test_a_killed_run_loses_no_answer_and_repeats_no_call(serve: Serve, tmp_path: Path) -> None:
    server = serve("--seconds", "0.1")
    code = (
        "import sys; from pathlib import Path; from codepref.servers.exchange import Exchange\n"
        "from codepref.config.endpoint import Endpoint\nfrom codepref.servers.records import Request\n"
        f"endpoint = Endpoint('writer', 'writer', {server.url!r}, concurrency=8)\n"
        "wanted = [Request(f'key-{n}', 'writer', [{'role': 'user', 'content': f'question {n}'}]) for n in range(200)]\n"
        f"with Exchange([endpoint], Path({str(tmp_path)!r})) as exchange:\n"
        "    for result in exchange.results({'writer': wanted}): print(result.request.key, flush=True)\n"
    )
    for answers in (5, 30, 60):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(answers):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
    # the next run waits for the last calls of the killed run and reads their answers
    results, exchange = ask(Endpoint("writer", "writer", server.url, concurrency=8), tmp_path, requests(200))
    counts = server.counts()
    assert len(results) == 200
    assert sum(result.cached for result in results) >= 60
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


def test_a_half_written_line_is_removed_and_the_run_continues(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    endpoint = Endpoint("writer", "writer", server.url)
    ask(endpoint, tmp_path, requests(3))
    with (tmp_path / JOURNAL).open("a") as journal:
        journal.write('{"k":"key-3","e":"writer","a":{"te')
    results, exchange = ask(endpoint, tmp_path, requests(5))
    assert len(results) == 5
    assert exchange.ledger.accounts["writer"].answered == 5
    assert server.counts()["answered"] == 5


def test_a_server_s_own_words_for_the_end_in_an_older_journal_are_understood(tmp_path: Path) -> None:
    words = {"eos_token": "stop", "FINISH_REASON_MAX_TOKENS": "length", "stop": "stop", "paused": "paused"}
    reply = {"text": "x", "tokens_in": 1, "tokens_out": 1, "estimated": False}
    lines = [{"k": word, "e": "w", "s": 0.0, "c": 0.0, "a": {**reply, "finish": word}} for word in words]
    (tmp_path / JOURNAL).write_text("".join(json.dumps(line) + "\n" for line in lines))
    _, spans = read_journal(tmp_path / JOURNAL)
    answers = Answers(tmp_path / JOURNAL)
    assert {word: answers.read(spans[word]).finish for word in words} == words
    answers.close()


def test_a_file_that_is_not_a_journal_is_not_overwritten(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text('{"task_id": 1}\n')
    with pytest.raises(UserError, match="is not a journal of calls"):
        ask(Endpoint("writer", "writer", serve().url), tmp_path, requests(1))
    assert (tmp_path / JOURNAL).read_text() == '{"task_id": 1}\n'


def test_a_budget_is_never_exceeded_and_a_run_with_a_larger_one_continues(serve: Serve, tmp_path: Path) -> None:
    server = serve("--seconds", "0.005")
    endpoint = Endpoint("writer", "writer", server.url, price_in=1000.0, price_out=2000.0)
    wanted = requests(200, max_tokens=60)
    with pytest.raises(GateError, match="budget of 1 dollars"):
        ask(endpoint, tmp_path, wanted, budget=1.0)
    tokens = server.counts()["tokens"]["writer"]
    spent = (1000 * tokens["prompt_tokens"] + 2000 * tokens["completion_tokens"]) / 1e6
    # the money left pays for no further call; a call costs at most 0.2 dollars: (76 * 1000 + 60 * 2000) / 1e6 = 0.196
    assert 0.8 < spent <= 1.0
    before = server.counts()["answered"]
    results, _ = ask(endpoint, tmp_path, wanted, budget=100.0)
    assert len(results) == 200
    assert (server.counts()["answered"], server.counts()["twice"]) == (200, 0)
    assert before > 0


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("writer", ["--key", "secret"], "answers 401. The key in CODEPREF_TEST_KEY is not set"),
        ("nobody", [], "has no model 'nobody'"),
        ("writer", ["--no-credit"], "the account has no credit .*Insufficient balance"),
    ],
)
def test_a_server_that_refuses_all_calls_is_reported_once_and_before_any_answer(
    serve: Serve, tmp_path: Path, model: str, options: list[str], words: str
) -> None:
    server = serve(*options)
    endpoint = Endpoint("writer", model, server.url, api_key_env="CODEPREF_TEST_KEY", concurrency=32)
    with pytest.raises(UserError, match=words) as error:
        ask(endpoint, tmp_path, requests(100))
    assert len(error.value.problems) == 1
    assert server.counts()["answered"] == 0


def test_a_wrong_key_of_one_server_is_reported_before_another_server_is_paid(serve: Serve, tmp_path: Path) -> None:
    fine, locked = serve(), serve("--key", "secret")
    endpoints = [
        Endpoint("writer", "writer", fine.url),
        Endpoint("other", "other", locked.url, api_key_env="CODEPREF_TEST_KEY"),
        Endpoint("third", "third", "http://127.0.0.1:9/v1"),
    ]
    with Exchange(endpoints, tmp_path) as exchange, pytest.raises(UserError) as error:
        list(exchange.results({"writer": requests(10), "other": requests(0, "other")}))
    assert len(error.value.problems) == 2
    assert "no answer from http://127.0.0.1:9/v1" in str(error.value)
    assert fine.counts()["answered"] == 0


def test_the_key_is_sent_to_the_server_and_written_to_no_file(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEPREF_TEST_KEY", "secret-of-mine")
    server = serve("--key", "secret-of-mine")
    endpoint = Endpoint("writer", "writer", server.url, api_key_env="CODEPREF_TEST_KEY")
    results, _ = ask(endpoint, tmp_path, requests(3))
    assert len(results) == 3
    assert all("secret-of-mine" not in path.read_text() for path in tmp_path.iterdir())


def test_a_server_that_stops_answering_ends_the_run_and_the_journal_keeps_the_answers(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve()
    endpoint = Endpoint("writer", "writer", server.url, concurrency=2, retries=0)

    def requests_until_the_server_dies() -> Iterable[Request]:
        for place, request in enumerate(requests(200)):
            if place == 30:
                server.process.kill()
                server.process.wait()
            yield request

    with pytest.raises(InfrastructureError, match="20 requests in a row got no answer"):
        ask(endpoint, tmp_path, requests_until_the_server_dies())
    ledger, answers = read_journal(tmp_path / JOURNAL)
    assert 20 <= len(answers) <= 30
    assert ledger.accounts["writer"].answered == len(answers)


def test_a_request_that_always_fails_has_a_reason_and_the_next_run_tries_it_again(serve: Serve, tmp_path: Path) -> None:
    hanging = serve("--seconds", "5")
    endpoint = Endpoint("writer", "writer", hanging.url, timeout=0.2, retries=1)
    results, exchange = ask(endpoint, tmp_path, requests(2))
    assert [(result.reply, result.reason) for result in results] == [(None, "timeout")] * 2
    assert exchange.ledger.accounts["writer"].faults == {"timeout": 4}
    mended = Endpoint("writer", "writer", serve().url)
    results, _ = ask(mended, tmp_path, requests(2))
    assert all(result.reply for result in results)


def test_a_second_run_on_the_same_journal_is_refused(serve: Serve, tmp_path: Path) -> None:
    endpoint = Endpoint("writer", "writer", serve().url)
    with (
        Exchange([endpoint], tmp_path),
        pytest.raises(UserError, match=r"another codepref process .* uses this folder"),
    ):
        ask(endpoint, tmp_path, requests(1))


def test_the_next_attempt_waits_as_long_as_the_server_asks(serve: Serve, tmp_path: Path) -> None:
    server = serve("--at-once", "0", "--retry-after", "1.5")  # the server allows no call
    begun = time.monotonic()
    results, _ = ask(Endpoint("writer", "writer", server.url, retries=2), tmp_path, requests(1))
    assert results[0].reason == "429: try again later"
    assert time.monotonic() - begun >= 3.0


def test_simultaneous_refusals_of_the_schema_lose_no_request(serve: Serve, tmp_path: Path) -> None:
    server = serve("--no-schema", "--seconds", "0.2")
    endpoint = Endpoint("writer", "writer", server.url, concurrency=8)
    results, _ = ask(endpoint, tmp_path, requests(8, schema={"type": "object"}))
    assert all(result.reply for result in results)
    assert server.counts()["events"]["writer"] == {"400": 8, "answered": 8}


@pytest.mark.parametrize(
    ("budget", "change", "words"),
    [
        (0.0, {"price_in": 1.0}, "a budget of 0 dollars allows no call"),
        (1.0, {}, "a budget needs prices"),
        (None, {"base_url": "localhost:8000"}, "must begin with http"),
        (None, {"concurrency": 0}, "concurrency must be at least 1"),
    ],
)
def test_wrong_endpoints_and_budgets_are_refused_before_any_call(
    tmp_path: Path, budget: float | None, change: dict[str, Any], words: str
) -> None:
    endpoint = Endpoint(**{"name": "w", "model": "w", "base_url": "http://127.0.0.1:9/v1"} | change)
    with pytest.raises(UserError, match=words):
        Exchange([endpoint], tmp_path, budget=budget)
    with pytest.raises(UserError, match="several models have this name"):
        Exchange([endpoint, endpoint], tmp_path, budget=budget)
