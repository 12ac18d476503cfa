"""Tests of `respond` and `judge` with servers that refuse fields, break off answers, or answer in unusual forms."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codepref.cli.main import main
from codepref.judging.artifact import read_judgments
from codepref.sampling.responses_file import read_responses

sys.path.append(str(Path(__file__).parent))

from odd_server import GOOD, OddServer

KEY = "sk-made-up-4711"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OddServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with OddServer() as odd:
        yield odd


def respond(folder: Path, url: str, models: list[str], rows: list[dict[str, Any]], *options: str) -> int:
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    tables = [f'[[pool]]\nmodel = "{name}"\nbase_url = "{url}"\nretries = 2\n' for name in models]
    (folder / "pool.toml").write_text("\n".join(tables))
    where = ["--instructions", str(folder / "rows.jsonl"), "--pool", str(folder / "pool.toml"), "--no-principles"]
    return main(["respond", *where, "--per-problem", str(len(models)), "--out", str(folder / "r.jsonl"), *options])


def judge(folder: Path, url: str, model: str, instructions: list[str], *options: str) -> int:
    rows = [
        {
            "instruction": text,
            "preference": "style",
            "responses": [{"model": "a", "response": "# worth=4"}, {"model": "b", "response": "# worth=2"}],
        }
        for text in instructions
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    where = ["--responses", str(folder / "rows.jsonl"), "--out", str(folder / "j.jsonl")]
    return main(["judge", *where, "--model", model, "--base-url", url, "--retries", "2", *options])


def responses(folder: Path) -> dict[str, list[tuple[str, bool]]]:
    """Return (text, finished) of each response, by model."""
    by_model: dict[str, list[tuple[str, bool]]] = {}
    for task in read_responses(folder / "r.jsonl"):
        for one in task.responses:
            by_model.setdefault(one.model, []).append((one.text, one.finished))
    return by_model


def ratings(folder: Path) -> list[list[int | None]]:
    return [[rating.value for rating in one.ratings] for one in read_judgments(folder / "j.jsonl")]


def summary(folder: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / f"{name}.summary.json").read_text())
    return document


REFUSING = ["new-limit", "fixed-temperature", "one-of-two", "no-seed"]
BREAKING = ["error-in-choice", "aborted", "error-in-answer"]


def test_a_pool_of_odd_servers_answers_everything_and_nothing_half_counts_as_whole(
    server: OddServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"instruction": "Print 1."}, {"instruction": "Print 2."}]
    models = ["good", "parts", *REFUSING, *BREAKING]
    assert respond(tmp_path, server.url, [*models, "filtered", "thinks-to-the-limit"], rows) == 0
    answers = responses(tmp_path)
    assert {name: answers[name] for name in models} == dict.fromkeys(models, [(GOOD, True)] * 2)
    assert answers["filtered"] == [("print('a wh", False)] * 2
    assert answers["thinks-to-the-limit"] == [("", False)] * 2
    # codepref does not ask again for an answer that was billed, and sends all fields to a server that accepts them
    assert [len(server.of(name)) for name in ("good", "parts", "filtered", "thinks-to-the-limit")] == [2, 2, 2, 2]
    assert {"temperature", "top_p", "seed", "max_tokens"} <= set(server.of("good")[0])
    written = summary(tmp_path, "r")
    assert (written["cut"], written["unfinished"], written["missing"]) == (2, 2, {})
    assert written["ledger"]["no-seed"]["dropped"] == {"seed": 2}
    output = capsys.readouterr().err
    assert "new-limit: the server refuses max_tokens. Calls send max_tokens as max_completion_tokens" in output


def test_a_refused_field_is_found_out_by_many_calls_at_once_and_then_left_out_by_all(
    server: OddServer, tmp_path: Path
) -> None:
    rows = [{"instruction": f"Print {n}."} for n in range(40)]
    assert respond(tmp_path, server.url, ["new-limit"], rows) == 0
    assert responses(tmp_path) == {"new-limit": [(GOOD, True)] * 40}
    refused = sum("max_tokens" in call for call in server.of("new-limit"))
    assert len(server.of("new-limit")) == 40 + refused
    # 8 calls run at once. They and the next 8 can be refused before the first call without the field has gone well
    assert 1 <= refused <= 16


def test_one_prompt_that_is_held_back_is_one_missing_answer_and_no_failure(
    server: OddServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"instruction": "A forbidden thing."}, {"instruction": "Print 1."}, {"instruction": "Half: \ud83d."}]
    assert respond(tmp_path, server.url, ["moderated"], rows) == 0
    assert responses(tmp_path) == {"moderated": [(GOOD, True)]}
    output = capsys.readouterr().err
    assert "2 answers are missing, since servers refuse the requests" in output
    assert "held back by moderation" in output
    assert "surrogate" in output
    assert "key" not in output
    assert sum(summary(tmp_path, "r")["refused"].values()) == 2


def test_if_no_answer_at_all_arrives_the_command_fails(
    server: OddServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert respond(tmp_path, server.url, ["moderated"], [{"instruction": "A forbidden thing."}]) == 1
    assert "1 answers are missing" in capsys.readouterr().err
    assert respond(tmp_path, server.url, ["no-money"], [{"instruction": "Print 3."}]) == 1
    assert "Sorry, the purse is empty" in capsys.readouterr().err


def test_a_calibration_of_a_judge_that_refuses_every_request_fails(
    server: OddServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge(tmp_path, server.url, "moderated", ["A forbidden thing."], "--calibrate") == 1
    assert "answers are missing, since servers refuse the requests" in capsys.readouterr().err


def test_a_schema_is_left_out_if_it_is_refused_and_only_then(server: OddServer, tmp_path: Path) -> None:
    assert judge(tmp_path, server.url, "no-schema", ["Print 1.", "Print 2."]) == 0
    assert ratings(tmp_path) == [[4, 2], [4, 2]]
    (tmp_path / "b").mkdir()
    instructions = ["A forbidden thing.", "Print 1.", "Print 2."]
    assert judge(tmp_path / "b", server.url, "short", instructions, "--concurrency", "1") == 0
    assert ratings(tmp_path / "b") == [[None, None], [4, 2], [4, 2]]
    assert all("response_format" in call for call in server.of("short"))


def test_a_judge_that_thinks_aloud_is_heard_and_one_that_thinks_to_the_limit_is_asked_once(
    server: OddServer, tmp_path: Path
) -> None:
    assert judge(tmp_path, server.root, "thinks-aloud", ["Print 1."]) == 0  # an address without /v1
    assert ratings(tmp_path) == [[4, 2]]
    assert judge(tmp_path, f"{server.url}/chat/completions", "thinks-to-the-limit", ["Print 1."]) == 0
    assert summary(tmp_path, "j")["unjudged"] == {"the judge's answer was cut at max_new_tokens (1,024)": 2}
    assert len(server.of("thinks-to-the-limit")) == 1


def test_a_key_is_sent_bare_and_a_broken_one_is_refused_without_being_shown(
    server: OddServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"\u201c{KEY}\u201d\n")
    assert judge(tmp_path, server.url, "good", ["Print 1."]) == 0
    assert server.keys == {f"Bearer {KEY}"}
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n{KEY}")
    assert judge(tmp_path, server.url, "good", ["Print 2."]) == 2
    output = capsys.readouterr()
    assert "the key in the environment variable OPENAI_API_KEY has white space" in output.err
    files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(KEY in text for text in (output.out, output.err, *files))


def test_a_proxy_that_cannot_be_used_matters_only_where_it_is_needed(
    server: OddServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks9://me:secret@127.0.0.1:1")
    assert judge(tmp_path, server.url, "good", ["Print 1."]) == 0
    assert judge(tmp_path, "http://server.invalid/v1", "good", ["Print 1."]) == 2
    output = capsys.readouterr().err
    assert "the proxy socks9://127.0.0.1:1 in the environment" in output
    assert "secret" not in output


def test_a_long_wait_is_announced_and_ends_when_the_user_ends_it(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "rows.jsonl").write_text('{"instruction": "Print 1."}')
    with OddServer(headers={"Retry-After": "4320"}) as server:
        (tmp_path / "pool.toml").write_text(f'[[pool]]\nmodel = "waits"\nbase_url = "{server.url}"\n')
        where = ["--instructions", "rows.jsonl", "--pool", "pool.toml", "--out", "r.jsonl"]
        command = [sys.executable, "-m", "codepref", "respond", *where]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        line = process.stderr.readline()
        process.kill()
        process.wait()
        process.stderr.close()
    assert "the server asks to wait 72 min (429: so many a day and no more)" in line
    assert "The next call is tried in 10 min" in line
