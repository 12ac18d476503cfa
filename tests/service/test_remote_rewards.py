"""`ExecutionReward(url=...)`: the same rewards and the same training as with local workers."""

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from running import RIGHT, WRONG, Running
from safetensors.numpy import load_file

import codepref
from codepref.config.sections import OnlineSection, TrainingSection
from codepref.errors import MachineError, UserError
from codepref.execution.limits import Limits
from codepref.models import resolve_model
from codepref.problems.checkers import checker_source
from codepref.records import Problem, Test
from codepref.service.client import Client, JudgeWork
from codepref.service.exact import exact_problem, exact_row
from codepref.starter import SOLUTION_TEMPLATE
from codepref.training.job import TrainingJob
from codepref.training.methods.base import OnlineProblems
from codepref.training.result import TrainingResult
from codepref.training.rewards import ExecutionReward
from codepref.training.train import train as train_model

ADD = Problem(
    "add", "Add one to x.", "f", tests=tuple(Test("add", f"t{n}", f"assert f({n}) == {n + 1}") for n in range(4))
)
SUM = Problem(
    "sum",
    "Print the sum of the numbers.",
    "main",
    tests=(Test("sum", "0", '{"input": "1 2\\n", "output": "3\\n"}', "stdio"),),
    style="program",
)


def test_rewards_are_those_of_local_workers(server: Running) -> None:
    loop, broken = "def f(x):\n    while True: pass", "def f(x)\n    return x + 1"
    program = "print(sum(map(int, input().split())))"
    texts = [RIGHT, program, WRONG, loop, broken, "I cannot do that.", f"```python\n{RIGHT}\n```", "print(4)"]
    tasks = ["add", "sum", "add", "add", "add", "add", "add", "sum"]
    limits = Limits(cpu_seconds=0.5)
    for rule in ("share", "coarse"):
        with (
            ExecutionReward([ADD, SUM], rule=rule, jobs=1, limits=limits) as local,
            ExecutionReward([ADD, SUM], rule=rule, url=server.url, limits=limits) as remote,
        ):
            rewards = local(completions=texts, task_id=tasks)
            assert remote(completions=texts, task_id=tasks) == rewards
            assert len(set(rewards)) > 1


def test_tests_that_prove_nothing_have_the_same_effect(server: Running) -> None:
    vacuous = replace(ADD, tests=(Test("add", "v", "assert f is not None"), *ADD.tests[:1]))
    with ExecutionReward([vacuous], url=server.url) as remote:
        assert remote(completions=[WRONG], task_id=["add"]) == [0.0]
    with ExecutionReward([vacuous], url=server.url, vacuous_tests="keep") as remote:
        assert remote(completions=[WRONG], task_id=["add"]) == [0.5]


def train_on(url: str, out: Path) -> TrainingResult:
    settings = TrainingSection(method="grpo", learning_rate=1e-4, batch_size=16, warmup_ratio=0.0)
    online = OnlineSection(generations=8, max_new_tokens=40, reward="coarse", url=url)
    problems = codepref.load_problems("starter:train", limit=4)
    job = TrainingJob("starter", out, settings, seed=0)
    return train_model(job, OnlineProblems(problems, online, SOLUTION_TEMPLATE, jobs=1))


def test_a_training_with_grpo_ends_as_with_local_workers(server: Running, tmp_path: Path) -> None:
    local, remote = train_on("", tmp_path / "local"), train_on(server.url, tmp_path / "remote")
    rewards = [[row["reward"] for row in result.curve] for result in (local, remote)]
    assert rewards[0] == rewards[1]
    assert len(rewards[0]) == 2
    weights = [load_file(Path(resolve_model(str(result.model))) / "model.safetensors") for result in (local, remote)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


def test_a_server_that_does_not_answer_is_an_error_at_once_if_it_is_not_asked_again() -> None:
    client = Client("http://127.0.0.1:9")
    with pytest.raises(MachineError, match="did not do its work for 0 s"):
        client._send("/healthz", None, retry_seconds=0.0)


def test_a_server_that_is_full_or_restarts_is_asked_again() -> None:
    statuses = [429, 503, 200]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = statuses.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *parts: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as busy:
        threading.Thread(target=busy.serve_forever, daemon=True).start()
        Client(f"http://127.0.0.1:{busy.server_port}").check()
        busy.shutdown()
    assert statuses == []


def test_a_request_that_is_too_large_for_the_queue_is_refused() -> None:
    with Running("--jobs", "1", "--queue", "2") as server:
        work = JudgeWork(ADD, [RIGHT, WRONG], Limits())
        assert Client(server.url).judge([work]) == [["PPPP", "FPFF"]]
        with pytest.raises(UserError, match="at most 2 solutions on this server, not 4"):
            Client(server.url).judge([work, work])


def test_a_wrong_token_is_the_users_mistake() -> None:
    with Running("--jobs", "1", CODEPREF_TOKEN="right") as server:
        work = JudgeWork(ADD, [RIGHT], Limits())
        assert Client(server.url, "right").judge([work]) == [["PPPP"]]
        with pytest.raises(UserError, match="401, the token is missing or wrong"):
            Client(server.url, "wrong").judge([work])


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://host", "http://"])
def test_a_wrong_address_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="must look like http"):
        Client(url)


def test_settings_of_the_server_are_refused_beside_its_address(server: Running) -> None:
    with pytest.raises(UserError, match="jobs and unconfined are settings of the server"):
        ExecutionReward([ADD], url=server.url, jobs=2)


@pytest.mark.parametrize("problem", [ADD, SUM, replace(ADD, gold=RIGHT, helpers="def g(): pass", style="complete")])
def test_all_fields_that_decide_verdicts_arrive(problem: Problem) -> None:
    assert exact_problem(exact_row(problem)) == problem


def test_a_kind_that_problems_cannot_have_is_refused() -> None:
    row = exact_row(replace(ADD, tests=(Test("add", "0", "", "run"),)))
    with pytest.raises(UserError, match="tests must be a list of objects"):
        exact_problem(row)


def test_a_checker_that_could_run_what_a_solution_prints_is_refused(server: Running) -> None:
    tests = (Test("sum", "0", checker_source("1", "1", "import sys\neval(open(sys.argv[3]).read())"), "checker"),)
    with pytest.raises(UserError, match="the checker uses eval"):
        Client(server.url).judge([JudgeWork(replace(SUM, tests=tests), ["print(1)"], Limits())])
