"""The commands `respond`, `judge` and `grade` with a scripted server and with a served model."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from codepref.cli.main import main
from codepref.execution.execute import read_verdicts
from codepref.judging.artifact import read_judgments
from codepref.preferences import PREFERENCES, load_preference
from codepref.sampling.responses_file import read_responses
from codepref.starter import model_path

Serve = Callable[..., Any]
INSTRUCTIONS = 20


def inputs(folder: Path, url: str, *members: str, **more: Any) -> list[str]:
    rows = [{"instruction": f"Write program {place}."} for place in range(INSTRUCTIONS)]
    (folder / "instructions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items())
    tables = [f'[[pool]]\nmodel = "{name}"\nbase_url = "{url}"\n{settings}' for name in members]
    (folder / "pool.toml").write_text("\n".join(tables))
    return ["--instructions", str(folder / "instructions.jsonl"), "--pool", str(folder / "pool.toml")]


def judge_options(url: str, *more: str) -> list[str]:
    return ["--model", "judge", "--base-url", url, *more]


def quality(text: str) -> int:
    return int(re.findall(r"quality=(\d+)", text)[-1])


def test_a_pool_responds_and_a_judge_rates_through_faults(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve("--faults", "0.2", "--judge-faults", "0.4", "--seconds", "0.001")
    options = inputs(tmp_path, server.url, "writer-a", "writer-b", "writer-c", timeout=0.5, price_in=1.0)
    responses, judgments = tmp_path / "responses.jsonl", tmp_path / "judgments.jsonl"
    assert main(["respond", *options, "--per-problem", "2", "--out", str(responses)]) == 0
    tasks = read_responses(responses)
    assert len(tasks) == INSTRUCTIONS
    assert [task.preference for task in tasks[:5]] == list(PREFERENCES)
    for task in tasks:
        assert len({response.model for response in task.responses}) == 2
        for response in task.responses:
            assert response.text.startswith(f"answer of {response.model} to")
            assert response.principle in load_preference(task.preference).principles
    assert len({response.model for task in tasks for response in task.responses}) == 3
    judge = ["judge", "--responses", str(responses), *judge_options(server.url), "--timeout", "0.5", "--second-pass"]
    assert main([*judge, "--out", str(judgments)]) == 0
    rated = read_judgments(judgments)
    values = [
        (rating.value, quality(r.text)) for one in rated for r, rating in zip(one.responses, one.ratings, strict=True)
    ]
    assert all(value in (None, expected) for value, expected in values)
    assert sum(value is not None for value, _ in values) >= 30
    summary = json.loads(judgments.with_suffix(".summary.json").read_text())
    assert summary["rated"] + sum(summary["unjudged"].values()) == 2 * INSTRUCTIONS
    assert summary["second_pass"]["changed"] == 0
    assert server.counts()["twice"] == 0
    before = server.counts()["answered"]
    first = judgments.read_bytes()
    assert main([*judge, "--out", str(judgments)]) == 0
    assert (server.counts()["answered"], judgments.read_bytes()) == (before, first)
    assert "model" in capsys.readouterr().out


def test_a_calibration_writes_figures_about_the_judge(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve()
    options = inputs(tmp_path, server.url, "writer-a", "writer-b", "writer-c")
    responses = tmp_path / "responses.jsonl"
    assert main(["respond", *options, "--per-problem", "3", "--out", str(responses)]) == 0
    # the tests call a function that no program defines, so no response is correct
    problems = [
        {"task_id": task.task_id, "prompt": task.instruction.text, "entry_point": "f", "tests": ["assert f() == 1"]}
        for task in read_responses(responses)
    ]
    (tmp_path / "problems.jsonl").write_text("\n".join(map(json.dumps, problems)))
    execute = ["execute", "--problems", str(tmp_path / "problems.jsonl"), "--solutions", str(responses)]
    assert main([*execute, "--out", str(tmp_path / "verdicts")]) == 0
    matrices = read_verdicts(tmp_path / "verdicts")
    assert [len(matrix.verdicts) for matrix in matrices] == [3] * INSTRUCTIONS
    out = tmp_path / "judge.json"
    judge = ["judge", "--responses", str(responses), *judge_options(server.url), "--calibrate"]
    assert main([*judge, "--verdicts", str(tmp_path / "verdicts"), "--out", str(out)]) == 0
    document = json.loads(out.read_text())
    figures = {figure["name"]: figure["value"] for figure in document["figures"]}
    assert figures["same rating in reversed order"] == 1.0
    assert figures["same rating when asked again"] == 1.0
    assert figures["gain of the earlier place"] == 0.0
    assert "agreement with execution: no data" in document["notes"]
    assert server.counts()["events"]["judge"]["answered"] == 3 * INSTRUCTIONS
    assert "left out: own model's gain" in capsys.readouterr().out


def test_a_benchmark_is_graded_and_two_models_are_compared(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve("--judge-faults", "0.2")
    rows = [
        {"instruction": f"Write program {n}.", "preference": PREFERENCES[n % 5], "gpt-4_response": f"ref, quality={n}"}
        for n in range(INSTRUCTIONS)
    ]
    codal = tmp_path / "codal.jsonl"
    codal.write_text("\n".join(map(json.dumps, rows)))
    for name in ("writer-a", "writer-b"):
        inputs(tmp_path, server.url, name)
        responses = tmp_path / f"{name}.jsonl"
        pool = ["--pool", str(tmp_path / "pool.toml")]
        assert main(["respond", "--instructions", str(codal), *pool, "--no-principles", "--out", str(responses)]) == 0
        options = ["--benchmark", str(codal), "--responses", str(responses), *judge_options(server.url)]
        assert main(["grade", *options, "--out", str(tmp_path / name)]) == 0
        texts = [task.responses[0].text for task in read_responses(responses)]
        table = pq.read_table(tmp_path / name / "grades.parquet").to_pylist()
        assert [row["response"] for row in table] == texts
        assert all(row["rating"] in ("N/A", str(quality(row["response"]))) for row in table)
        assert table[3]["reference"] == "ref, quality=3"
    out = str(tmp_path / "difference.json")
    assert main(["compare", str(tmp_path / "writer-a"), str(tmp_path / "writer-b"), "--out", out]) == 0
    assert "mean of preferences:" in capsys.readouterr().out
    assert json.loads(Path(out).read_text())[-1]["name"] == "mean of preferences"


def test_wrong_input_is_reported_before_the_first_paid_call(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve("--key", "secret")
    options = inputs(tmp_path, server.url, "writer-a", "writer-b", api_key_env="CODEPREF_TEST_KEY")
    out = str(tmp_path / "out.jsonl")
    responses = tmp_path / "responses.jsonl"
    responses.write_text('{"instruction": "a", "preference": "beauty", "responses": [{"model": "m", "response": "b"}]}')
    url = judge_options(server.url)
    (tmp_path / "empty.toml").write_text("")
    (tmp_path / "twice.toml").write_text('[[pool]]\nmodel = "a"\nbase_url = "http://x/v1"\n' * 2)
    (tmp_path / "odd.toml").write_text('[[pool]]\nmodel = "a"\nbase_ulr = "http://x"\nconcurrency = 0\n')
    (tmp_path / "local.toml").write_text('[[pool]]\nmodel = "./no/such/model"\n')
    instructions = ["--instructions", options[1]]

    def pool(name: str) -> list[str]:
        return ["respond", *instructions, "--pool", str(tmp_path / name), "--out", out]

    judging = ["judge", "--responses", str(responses), "--out", out]
    for command, words in (
        (["respond", *options, "--out", out], "CODEPREF_TEST_KEY is not set, but the server needs a key"),
        (["respond", *options, "--budget", "0", "--out", out], "a budget of 0 dollars allows no call"),
        (["respond", *options, "--budget", "1", "--out", out], "a budget needs prices"),
        (["respond", *options, "--per-problem", "0", "--out", out], "--per-problem must be at least 1"),
        (["respond", *options, "--preferences", "beauty", "--out", out], "unknown preference 'beauty'"),
        (["respond", *options, "-n", "99", "--out", out], "holds 20 usable instructions, fewer than the 99 requested"),
        (pool("empty.toml"), "the pool is empty"),
        (pool("twice.toml"), "more than once. Give each"),
        (pool("odd.toml"), "did you mean `base_url`?"),
        (pool("none.toml"), "no such file"),
        (pool("local.toml"), "no such model folder"),
        ([*judging, *url], "tasks without a known preference: 1"),
        ([*judging, "--model", "judge"], "the address of its server is missing; give --base-url"),
        (judging, "no judge is named: give --model with --base-url, or --judge FILE"),
        ([*judging, "--model", "judge", "--base-url", "http://127.0.0.1:9/v1"], "without a known preference"),
        ([*judging, *url, "--mode", "single", "--second-pass"], "--second-pass and --calibrate need --mode together"),
        ([*judging, *url, "--verdicts", "x"], "--verdicts and --own-models apply only with --calibrate"),
    ):
        assert main(command) == 2, command
        error = capsys.readouterr().err
        assert words in error, error
        assert "Traceback" not in error
    assert server.counts()["answered"] == 0
    responses.write_text('{"instruction": "a", "preference": "style", "responses": []}')
    assert main([*judging, *url]) == 2
    assert "no response to judge. None of the 1 instructions has a response" in capsys.readouterr().err


def test_a_spent_budget_is_exit_status_1_and_a_larger_budget_continues(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve()
    options = inputs(tmp_path, server.url, "writer-a", price_out=1000.0)
    out = ["--max-new-tokens", "100", "--out", str(tmp_path / "responses.jsonl")]
    assert main(["respond", *options, *out, "--budget", "0.2"]) == 1
    assert "the budget of 0.2 dollars allows no further call" in capsys.readouterr().err
    assert 0 < server.counts()["answered"] < INSTRUCTIONS
    assert not (tmp_path / "responses.jsonl").exists()
    assert main(["respond", *options, *out, "--budget", "20"]) == 0
    assert (server.counts()["answered"], server.counts()["twice"]) == (INSTRUCTIONS, 0)


@pytest.fixture
def served_starter() -> Iterator[str]:
    """Serve the starter with `transformers serve`, and yield the address of the server."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "import sys; from transformers.cli.transformers import main; sys.exit(main())"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*command, "serve", str(model_path()), "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except (urllib.error.URLError, TimeoutError):
                assert process.poll() is None, "transformers serve ended"
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_pool_can_hold_served_models_and_a_local_one(served_starter: str, tmp_path: Path) -> None:
    server = f'model = "{model_path()}"\nbase_url = "{served_starter}"\nconcurrency = 2\n'
    tables = [f'[[pool]]\nname = "served-{name}"\n{server}' for name in "ab"] + ['[[pool]]\nmodel = "starter"\n']
    (tmp_path / "pool.toml").write_text("\n".join(tables))
    out = tmp_path / "responses.jsonl"
    options = ["--instructions", "starter:validation", "-n", "6", "--no-principles", "--max-new-tokens", "60"]
    pool = ["--pool", str(tmp_path / "pool.toml"), "--per-problem", "3", "--out", str(out)]
    assert main(["respond", *options, *pool]) == 0
    tasks = read_responses(out)
    assert {response.model for task in tasks for response in task.responses} == {"served-a", "served-b", "starter"}
    for task in tasks:
        entry = re.findall(r"function (\w+)\(", task.instruction.text)[0]
        programs = [response.text for response in task.responses]
        # an answer repeats neither the prompt nor the markers of roles, no matter where its model runs
        assert sum(text.startswith(f"def {entry}(") for text in programs) >= 2
        assert not any("<|" in text for text in programs)
    ledger = json.loads(out.with_suffix(".summary.json").read_text())["ledger"]
    assert all(account["tokens_out"] > 0 for name, account in ledger.items() if name.startswith("served"))
    assert main(["respond", *options, *pool]) == 0
    assert read_responses(out) == tasks
