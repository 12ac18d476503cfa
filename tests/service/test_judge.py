"""Verdicts over HTTP: the same as the local ones, and clear answers to wrong requests."""

import pytest
from running import ADD, LOOP, RIGHT, WRONG, Running

import codepref

FORGERY = "class A:\n    __eq__ = lambda s, o: True\n    __hash__ = None\ndef f(x):\n    return A()"


def test_solutions_get_verdicts_in_their_order(server: Running) -> None:
    status, answer = server.judge(RIGHT, WRONG, "def f(x)", FORGERY)
    assert status == 200
    assert [verdict["codes"] for verdict in answer["verdicts"]] == ["PP", "PF", "EE", "FF"]
    assert [verdict["correct"] for verdict in answer["verdicts"]] == [True, False, False, False]
    assert {verdict["isolation"] for verdict in answer["verdicts"]} == {"separate"}
    assert answer["tests"] == ["0", "1"]
    assert all(verdict["cpu_ms"] >= 0 for verdict in answer["verdicts"])


def test_verdicts_are_the_local_ones(server: Running) -> None:
    problems = codepref.load_problems("starter:train", limit=4)
    for problem in problems:
        programs = [problem.gold or "", "def nothing(): pass", LOOP, "1/0"]
        rows = [{"task_id": problem.task_id, "solution": program} for program in programs]
        (matrix,) = codepref.execute([problem], rows, jobs=1)
        tests = [{"kind": test.kind, "source": test.source} for test in problem.tests]
        row = {"task_id": problem.task_id, "prompt": problem.prompt, "entry_point": problem.entry_point}
        body = {"problem": {**row, "style": problem.style, "tests": tests}, "solutions": programs}
        _, answer, _ = server.send("/judge", body)
        assert [one["codes"] for one in answer["verdicts"]] == [one.codes for one in matrix.verdicts]


def test_a_list_of_requests_has_a_list_of_answers(server: Running) -> None:
    other = {**ADD, "task_id": "double", "tests": ["assert f(3) == 6"]}
    bodies = [
        {"problem": ADD, "solutions": [RIGHT]},
        {"problem": other, "solutions": [RIGHT, "def f(x): return 2 * x"]},
    ]
    _, answers, _ = server.send("/judge", bodies)
    found = [(answer["task_id"], [one["codes"] for one in answer["verdicts"]]) for answer in answers]
    assert found == [("add", ["PP"]), ("double", ["F", "P"])]


def test_tests_of_a_request_replace_those_of_the_problem(server: Running) -> None:
    _, answer = server.judge(RIGHT, WRONG, tests=["assert f(1) == 2"])
    assert [verdict["codes"] for verdict in answer["verdicts"]] == ["P", "P"]


def test_tests_that_prove_nothing_are_left_out_and_named(server: Running) -> None:
    tests = ["assert f is not None", "assert f(1) == 2"]
    _, answer = server.judge(RIGHT, tests=tests)
    assert (answer["left_out"], answer["tests"], answer["verdicts"][0]["codes"]) == (["0"], ["1"], "P")
    _, answer = server.judge(RIGHT, tests=tests, vacuous_tests="keep")
    assert (answer["left_out"], answer["verdicts"][0]["codes"]) == ([], "PP")


def test_a_request_may_set_limits_up_to_those_of_the_server(server: Running) -> None:
    _, answer = server.judge(LOOP, limits={"cpu_seconds": 0.2})
    assert answer["verdicts"][0]["codes"] == "TT"
    status, answer = server.judge(RIGHT, limits={"cpu_seconds": 1e5, "memory_mb": 1 << 20})
    assert status == 422
    assert answer["detail"].splitlines() == [
        "limits: cpu_seconds must be at most 300 on this server, not 100000",
        "limits: memory_mb must be at most 8192 on this server, not 1.04858e+06",
    ]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"problem": {"task_id": "a"}}, "problem: lacks prompt, tests"),
        ({"problem": {**ADD, "tests": []}}, "problem: there are no tests to run"),
        ({"tests": ["assert f("]}, "cannot be read as Python"),
        ({"tests": [{"kind": "run", "source": ""}]}, "kind must be one of"),
        ({"solutions": []}, "at least 1 item"),
        ({"solutions": "def f(): pass"}, "solutions"),
        ({"limits": {"cpu_seconds": -1}}, "cpu_seconds must be a positive finite number"),
        ({"limits": {"seconds": 1}}, "limits: there is no field 'seconds'"),
        ({"file": "/etc/passwd"}, "there is no field 'file'"),
        ({"exact": True}, "problem: style must be one of complete, instruct, program"),
    ],
)
def test_a_wrong_request_is_refused_with_the_reason(server: Running, change: dict[str, object], detail: str) -> None:
    status, answer, _ = server.send("/judge", {"problem": ADD, "solutions": [RIGHT], **change})
    assert status == 422
    assert detail in answer["detail"]


def test_answers_about_wrong_requests_are_short(server: Running) -> None:
    status, answer, _ = server.send("/judge", {"problem": ADD, "solutions": ["x" * 100_000, 5], "y" * 100_000: 1})
    assert status == 422
    assert len(answer["detail"]) < 5000


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'{"problem": 1e999}', b"null", b"[[]]"])
def test_rubbish_gets_a_client_error(server: Running, body: bytes) -> None:
    status, answer, _ = server.send("/judge", body)
    assert status in (400, 422)
    assert answer["detail"]
    assert server.judge(RIGHT)[0] == 200


def test_texts_that_are_no_unicode_are_refused_or_judged(server: Running) -> None:
    status, *_ = server.send("/judge", {"problem": {**ADD, "task_id": "\ud800"}, "solutions": ["\ud800"]})
    assert status in (200, 422)
    assert server.judge(RIGHT)[0] == 200
