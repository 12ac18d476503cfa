"""Tests of sampling from servers: several answers a call, faults, kills, seeds, and servers that are refused."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import codepref
from codepref.config.served import ModelServer
from codepref.errors import GateError, InfrastructureError, UserError
from codepref.records import Problem
from codepref.sampling.engines import open_engine

ServeModel = Callable[..., Any]


def problems(count: int) -> list[Problem]:
    return [Problem(task_id=f"t/{i}", prompt=f"Write f number {i}.", entry_point="f") for i in range(count)]


def numbers(rows: list[dict[str, Any]]) -> list[int]:
    """Return the number that the server wrote into each answer. No two answers of a server have the same number."""
    return [int(re.findall(r"return (\d+)", row["completion"])[0]) for row in rows]


def check_nothing_lost(rows: list[dict[str, Any]], given: dict[str, list[int]], tasks: int, n: int) -> None:
    assert [(row["task_id"], row["sample"]) for row in rows] == [(f"t/{i}", s) for i in range(tasks) for s in range(n)]
    assert sorted(numbers(rows)) == sorted(number for of_prompt in given.values() for number in of_prompt)
    assert {len(of_prompt) for of_prompt in given.values()} == {n}


def summary_of(out: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(out.with_suffix(".summary.json").read_text())
    return summary


def test_no_answer_is_lost_invented_or_paid_twice_when_a_fifth_of_the_calls_fail(
    serve_model: ServeModel, tmp_path: Path
) -> None:
    server = serve_model("--faults", "0.2")
    rows = codepref.sample(
        problems(60), "writer", n=8, out=tmp_path / "s.jsonl", server=ModelServer((server.url,), timeout=0.5)
    )
    counts = server.counts()
    check_nothing_lost(rows, counts["given"], 60, 8)
    assert sum(counts["faults"].values()) > 0
    # each call asks for the 8 answers of a problem
    assert summary_of(tmp_path / "s.jsonl")["ledger"]["writer"]["answered"] == 60


@pytest.mark.parametrize(("most", "calls"), [(1, 80), (3, 30)])
def test_a_server_that_gives_fewer_answers_than_a_call_asks_for_is_asked_for_the_others(
    serve_model: ServeModel, tmp_path: Path, most: int, calls: int
) -> None:
    server = serve_model("--max-n", str(most))
    rows = codepref.sample(problems(10), "writer", n=8, out=tmp_path / "s.jsonl", base_url=server.url)
    check_nothing_lost(rows, server.counts()["given"], 10, 8)
    assert summary_of(tmp_path / "s.jsonl")["ledger"]["writer"]["answered"] == calls


def test_a_killed_command_asks_nothing_a_second_time(serve_model: ServeModel, tmp_path: Path) -> None:
    server = serve_model("--seconds", "0.05", "--max-n", "2")
    source = tmp_path / "p.jsonl"
    rows = [(one.task_id, one.prompt, "f", ["assert f() >= 0"]) for one in problems(40)]
    kept = ("task_id", "prompt", "entry_point", "tests")
    source.write_text("".join(json.dumps(dict(zip(kept, row, strict=True))) + "\n" for row in rows))
    out = tmp_path / "s.jsonl"
    command = [sys.executable, "-m", "codepref", "sample", "--model", "writer", "--problems", str(source), "-n", "4"]
    command += ["--base-url", server.url, "--concurrency", "4", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while sum(map(len, server.counts()["given"].values())) < 10:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "160 answers" in done.stdout
    check_nothing_lost([json.loads(line) for line in out.open()], server.counts()["given"], 40, 4)


def test_a_finished_call_asks_nothing_again_and_more_answers_keep_those_that_there_are(
    serve_model: ServeModel, tmp_path: Path
) -> None:
    server = serve_model()
    for n in (4, 4, 6):
        rows = codepref.sample(problems(5), "writer", n=n, out=tmp_path / "s.jsonl", base_url=server.url)
        check_nothing_lost(rows, server.counts()["given"], 5, n)


def test_several_servers_share_the_answers_and_one_that_dies_loses_none(
    serve_model: ServeModel, tmp_path: Path
) -> None:
    lasting, dying = serve_model("--seconds", "0.05"), serve_model("--seconds", "0.01", "--die-after", "40")
    notes: list[str] = []
    rows = codepref.sample(
        problems(100),
        "writer",
        n=4,
        out=tmp_path / "s.jsonl",
        server=ModelServer((lasting.url, dying.url), concurrency=8),
        log=notes.append,
    )
    assert len({(row["task_id"], row["sample"]) for row in rows}) == 400
    given = sum(map(len, lasting.counts()["given"].values()))
    assert 300 < given < 400
    assert any(dying.url in note for note in notes)


def test_greedy_answers_send_no_seed_and_sampled_answers_send_different_ones(
    serve_model: ServeModel, tmp_path: Path
) -> None:
    server = serve_model("--keep-calls", "--max-n", "1")
    settings = ModelServer((server.url,), answers_per_call=1, stop=("\nclass",), extra_body='{"top_k": 5}')
    codepref.sample(problems(2), "writer", n=3, out=tmp_path / "s.jsonl", server=settings)
    codepref.sample(problems(2), "writer", n=1, temperature=0.0, out=tmp_path / "g.jsonl", server=settings)
    calls = server.counts()["calls"]
    assert len({call["seed"] for call in calls if call["temperature"] > 0}) == 6
    assert [call.get("seed") for call in calls if call["temperature"] == 0] == [None, None]
    assert all(call["stop"] == ["\nclass"] and call["top_k"] == 5 for call in calls)
    assert summary_of(tmp_path / "s.jsonl")["seed"] == "sent with each call"
    assert summary_of(tmp_path / "g.jsonl")["seed"] == "no seed: greedy answers need none"
    assert summary_of(tmp_path / "s.jsonl")["reproducible"] is False


def test_the_summary_of_greedy_answers_is_right_if_all_of_them_arrived_in_an_interrupted_call(
    serve_model: ServeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> int:
        raise KeyboardInterrupt

    def call() -> None:
        codepref.sample(problems(2), "writer", n=1, temperature=0.0, out=tmp_path / "g.jsonl", base_url=server.url)

    server = serve_model()
    with monkeypatch.context() as patch:
        patch.setattr("codepref.sampling.sample.write_lines", interrupted)
        with pytest.raises(KeyboardInterrupt):
            call()
    asked = server.counts()["given"]
    call()
    assert server.counts()["given"] == asked
    assert summary_of(tmp_path / "g.jsonl")["seed"] == "no seed: greedy answers need none"


def test_no_seed_is_sent_where_the_server_must_not_get_one(serve_model: ServeModel, tmp_path: Path) -> None:
    server = serve_model("--keep-calls")
    settings = ModelServer((server.url,), send_seed="no")
    codepref.sample(problems(2), "writer", n=2, out=tmp_path / "s.jsonl", server=settings)
    assert not any("seed" in call for call in server.counts()["calls"])
    assert summary_of(tmp_path / "s.jsonl")["seed"] == "no seed: send_seed is 'no'"


def test_a_refused_seed_is_left_out_and_the_summary_says_so(serve_model: ServeModel, tmp_path: Path) -> None:
    server = serve_model("--refuse", "seed")
    rows = codepref.sample(problems(6), "writer", n=2, out=tmp_path / "s.jsonl", base_url=server.url)
    check_nothing_lost(rows, server.counts()["given"], 6, 2)
    assert summary_of(tmp_path / "s.jsonl")["seed"] == "no seed in 6 of 6 calls: the server refuses it"


def test_a_server_that_refuses_several_answers_a_call_gives_one_a_call(serve_model: ServeModel, tmp_path: Path) -> None:
    server = serve_model("--refuse", "n")
    rows = codepref.sample(problems(6), "writer", n=4, out=tmp_path / "s.jsonl", base_url=server.url)
    check_nothing_lost(rows, server.counts()["given"], 6, 4)


def test_a_refused_prompt_gives_no_rows_and_spoils_no_other(serve_model: ServeModel, tmp_path: Path) -> None:
    server = serve_model("--moderated", "number 3.")
    rows = codepref.sample(problems(6), "writer", n=2, out=tmp_path / "s.jsonl", base_url=server.url)
    assert {row["task_id"] for row in rows} == {"t/0", "t/1", "t/2", "t/4", "t/5"}
    assert (len(rows), summary_of(tmp_path / "s.jsonl")["refused"]) == (10, 2)
    before = server.counts()["faults"]["moderated"]
    assert len(codepref.sample(problems(6), "writer", n=2, out=tmp_path / "s.jsonl", base_url=server.url)) == 10
    assert server.counts()["faults"]["moderated"] == before


def test_thoughts_stand_apart_from_the_answer(serve_model: ServeModel, tmp_path: Path) -> None:
    server = serve_model("--reasoning")
    rows = codepref.sample(problems(2), "writer", n=2, out=tmp_path / "s.jsonl", base_url=server.url)
    assert [row["reasoning"] for row in rows] == [f"thinking {number}" for number in numbers(rows)]
    assert not any("thinking" in row["completion"] for row in rows)


def test_the_completions_interface_continues_the_text_of_the_template(serve_model: ServeModel, tmp_path: Path) -> None:
    server = serve_model("--keep-calls")
    settings = ModelServer((server.url,), api="completions")
    rows = codepref.sample(problems(2), "writer", n=3, template="{prompt}\n", server=settings)
    assert sorted(call["prompt"] for call in server.counts()["calls"]) == [f"Write f number {i}.\n" for i in range(2)]
    assert sorted(numbers(rows)) == list(range(6))


def test_a_server_of_another_model_is_refused_before_it_is_asked(serve_model: ServeModel) -> None:
    server = serve_model("--model", "org/other-7b")
    with pytest.raises(UserError, match="serves org/other-7b, and not writer"):
        codepref.sample(problems(2), "writer", n=2, base_url=server.url)
    assert server.counts()["given"] == {}
    # a server may list a path, and a user may name the last part of it
    assert len(codepref.sample(problems(2), "other-7b", n=2, base_url=server.url)) == 4


def test_the_name_that_a_server_gives_its_model_is_recorded(serve_model: ServeModel, tmp_path: Path) -> None:
    server = serve_model("--answers-as", "writer-2026-01")
    codepref.sample(problems(3), "writer", n=2, out=tmp_path / "s.jsonl", base_url=server.url)
    assert summary_of(tmp_path / "s.jsonl")["models_named_by_servers"] == {"writer-2026-01": 3}


def test_a_server_that_is_not_there_is_one_message() -> None:
    with pytest.raises(UserError, match=r"no answer from http://127\.0\.0\.1:9/v1"):
        codepref.sample(problems(2), "writer", n=2, base_url="http://127.0.0.1:9/v1")


def test_the_answers_of_a_server_that_dies_are_kept(serve_model: ServeModel, tmp_path: Path) -> None:
    server = serve_model("--die-after", "20")
    settings = ModelServer((server.url,), retries=1, concurrency=4)
    with pytest.raises(InfrastructureError, match=r"in a row got no answer .*journal keeps all answers"):
        codepref.sample(problems(60), "writer", n=2, out=tmp_path / "s.jsonl", server=settings)
    second = serve_model()
    rows = codepref.sample(problems(60), "writer", n=2, out=tmp_path / "s.jsonl", base_url=second.url)
    assert len(rows) == 120
    # the second server gives no answer that the first has given: at least 20, and those of running calls
    assert sum(map(len, second.counts()["given"].values())) <= 100
    assert summary_of(tmp_path / "s.jsonl")["ledger"]["writer"]["answered"] == 60


def test_a_budget_ends_the_sampling_and_a_larger_one_continues_it(serve_model: ServeModel, tmp_path: Path) -> None:
    server = serve_model()
    settings = ModelServer((server.url,), price_in=0.0, price_out=1e6, budget=1000.0, concurrency=2)
    with pytest.raises(GateError, match="budget of 1000 dollars"):
        codepref.sample(problems(60), "writer", n=1, max_new_tokens=100, out=tmp_path / "s.jsonl", server=settings)
    settings = ModelServer((server.url,), price_in=0.0, price_out=1e6, budget=1e6, concurrency=2)
    rows = codepref.sample(problems(60), "writer", n=1, max_new_tokens=100, out=tmp_path / "s.jsonl", server=settings)
    check_nothing_lost(rows, server.counts()["given"], 60, 1)
    # 20 tokens an answer
    assert summary_of(tmp_path / "s.jsonl")["dollars"] == 60 * 20


def test_the_address_is_no_part_of_the_fingerprint_and_the_settings_are() -> None:
    first = open_engine("writer", base_url="http://a/v1").fingerprint
    assert first == open_engine("writer", base_url=["http://b/v1", "http://c/v1"]).fingerprint
    others = [
        open_engine("reader", base_url="http://a/v1"),
        open_engine("writer", server=ModelServer(("http://a/v1",), api="completions")),
        open_engine("writer", server=ModelServer(("http://a/v1",), extra_body='{"top_k": 1}')),
        open_engine("writer", server=ModelServer(("http://a/v1",), stop=("x",))),
        open_engine("writer", base_url="http://a/v1", fingerprint="other weights"),
    ]
    assert len({first, *(engine.fingerprint for engine in others)}) == 6


def test_mistakes_in_the_settings_are_reported_before_a_call() -> None:
    with pytest.raises(UserError, match="extra_body must be a JSON object"):
        open_engine("writer", server=ModelServer(("http://a/v1",), extra_body="top_k=1"))
    with pytest.raises(UserError, match="http://"):
        open_engine("writer", base_url="localhost:8000")
    with pytest.raises(UserError, match="a budget needs prices"):
        open_engine("writer", server=ModelServer(("http://a/v1",), budget=1.0))
