"""Programs over HTTP, in the form of SandboxFusion."""

import base64

import pytest
from running import Running


def test_a_program_that_prints_has_the_answer_of_sandboxfusion(server: Running) -> None:
    status, answer = server.run("print(input()[::-1])", stdin="abc\n", run_timeout=5, compile_timeout=5)
    seconds = answer["run_result"].pop("execution_time")
    assert status == 200
    assert 0 < seconds < 5
    assert answer == {
        "status": "Success",
        "message": "",
        "compile_result": None,
        "run_result": {"status": "Finished", "return_code": 0, "stdout": "cba\n", "stderr": ""},
        "executor_pod_name": None,
        "files": {},
    }


@pytest.mark.parametrize(
    ("code", "return_code", "stdout", "stderr"),
    [
        ("print(1)\n1/0", 1, "1\n", "ZeroDivisionError: division by zero\n"),
        ("def f(:", 1, "", "SyntaxError: invalid syntax\n"),
        ("import sys\nprint('bad', file=sys.stderr)\nsys.exit(3)", 3, "", "bad\n"),
        ("raise SystemExit('stop')", 1, "", "stop\n"),
        ("import sys\nsys.exit(-1)", 255, "", ""),
        ("import os\nprint('x', flush=True)\nos._exit(7)", 7, "x\n", ""),
        ("import atexit\natexit.register(print, 'end')\nprint('begin')", 0, "begin\nend\n", ""),
        ("import os\nos.abort()", -9, "", "the solution's process ended or closed its connection"),
        ("", 0, "", ""),
    ],
)
def test_a_program_ends_as_in_an_interpreter(
    server: Running, code: str, return_code: int, stdout: str, stderr: str
) -> None:
    _, answer = server.run(code)
    result = answer["run_result"]
    assert (result["status"], result["return_code"], result["stdout"]) == ("Finished", return_code, stdout)
    assert result["stderr"].endswith(stderr)
    assert answer["status"] == ("Failed" if return_code else "Success")


@pytest.mark.parametrize("code", ["while True:\n    pass", "import time\ntime.sleep(60)"])
def test_a_program_that_takes_too_long_has_exceeded_its_time(server: Running, code: str) -> None:
    _, answer = server.run(code, run_timeout=0.3)
    assert (answer["status"], answer["run_result"]["status"]) == ("Failed", "TimeLimitExceeded")
    assert answer["run_result"]["return_code"] is None


def test_the_memory_limit_of_a_request_holds(server: Running) -> None:
    _, answer = server.run("x = bytearray(1 << 28)", memory_limit_MB=64)
    assert answer["status"] == "Failed"
    assert "MemoryError" in answer["run_result"]["stderr"]
    assert server.run("x = bytearray(1 << 28)", memory_limit_MB=-1)[1]["status"] == "Success"


def text(content: str) -> str:
    return base64.b64encode(content.encode()).decode()


def test_files_lie_beside_the_program_and_come_back(server: Running) -> None:
    code = "from helper import X\nprint(X, open('data/in.txt').read())\nopen('out.txt', 'w').write('made')"
    files = {"helper.py": text("X = 5"), "data/in.txt": text("seven"), "none": None}
    _, answer = server.run(code, files=files, fetch_files=["out.txt", "missing.txt"])
    assert answer["run_result"]["stdout"] == "5 seven\n"
    assert answer["files"] == {"out.txt": text("made")}


def test_a_file_may_have_the_name_of_a_usual_module_of_the_solution(server: Running) -> None:
    _, answer = server.run("from solution import X\nprint(X)", files={"solution.py": text("X = 3")})
    assert answer["run_result"]["stdout"] == "3\n"


def test_a_file_may_have_the_name_of_a_stream(server: Running) -> None:
    files = {name: text(name) for name in ("stdin", "stdout", "stderr")}
    _, answer = server.run(
        "print(input(), *(open(n).read() for n in ('stdin', 'stdout', 'stderr')))", files=files, stdin="x"
    )
    assert answer["run_result"]["stdout"] == "x stdin stdout stderr\n"


CALL_BY_NAME = """
from string import *
from re import *
from math import *
from operator import *
from io import *
from sys import *
from json import *
from builtins import *
import sys, json

class Solution:
    def pair(self, a, b):
        return [a, b]

arguments = [json.loads(line) for line in sys.stdin.read().split("\\n")]
target = globals().get("pair") or getattr(Solution(), "pair")
print(json.dumps(target(*arguments)))
"""

RUN_TESTS = """
import faulthandler, json, signal, sys
from io import StringIO
from unittest.mock import patch
import numpy as np
from checking import run

faulthandler.enable()
signal.signal(signal.SIGALRM, lambda *_: sys.exit(9))
signal.alarm(5)
with open("cases.json") as file:
    cases = json.load(file)
results = [run(case) for case in cases]
sys.exit(0 if all(results) else -1)
"""

CHECKING = """
from io import StringIO
from unittest.mock import patch

def run(case):
    out = StringIO()
    with patch("sys.stdin", StringIO(case["input"])), patch("sys.stdout", out):
        exec(open("code.py").read(), {"__name__": "__main__"})
    return out.getvalue().strip() == case["output"]
"""


def test_a_function_is_called_with_arguments_from_standard_input(server: Running) -> None:
    _, answer = server.run(CALL_BY_NAME, stdin="1\n2")
    assert (answer["status"], answer["run_result"]["stdout"]) == ("Success", "[1, 2]\n")


@pytest.mark.parametrize(
    ("program", "status", "code"), [("print(int(input()) + 1)", "Success", 0), ("print(1)", "Failed", 255)]
)
def test_a_program_that_runs_tests_itself_has_their_result_as_its_status(
    server: Running, program: str, status: str, code: int
) -> None:
    cases = '[{"input": "1", "output": "2"}, {"input": "5", "output": "6"}]'
    files = {"cases.json": text(cases), "checking.py": text(CHECKING), "code.py": text(program)}
    _, answer = server.run(RUN_TESTS, files=files, run_timeout=20)
    assert (answer["status"], answer["run_result"]["return_code"]) == (status, code)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "", "x" * 300, "a\0b"])
@pytest.mark.parametrize("field", ["files", "fetch_files"])
def test_paths_outside_the_folder_of_the_program_are_refused(server: Running, field: str, path: str) -> None:
    status, answer = server.run("", **{field: {path: ""} if field == "files" else [path]})
    assert status == 422
    assert "must be relative" in answer["detail"]


def test_no_file_of_the_server_is_readable(server: Running) -> None:
    code = """import os
for path in ("/etc/passwd", os.path.expanduser("~root"), "/proc/1/environ", f"/proc/{os.getppid()}/environ"):
    try:
        print(open(path).read() if not os.path.isdir(path) else os.listdir(path))
    except OSError as error:
        print(type(error).__name__)
os.symlink("/etc/passwd", "link")
"""
    _, answer = server.run(code, fetch_files=["link"])
    assert set(answer["run_result"]["stdout"].split()) <= {"PermissionError", "FileNotFoundError"}
    assert answer["files"] == {}


def test_what_a_program_prints_is_bounded(server: Running) -> None:
    code = "import sys\nprint('a' * 3_000_000)\nprint('b' * 3_000_000, file=sys.stderr)"
    _, answer = server.run(code)
    assert len(answer["run_result"]["stdout"]) == len(answer["run_result"]["stderr"]) == 1 << 20


def test_output_that_is_no_text_arrives_with_replacements(server: Running) -> None:
    _, answer = server.run("import sys\nsys.stdout.buffer.write(b'\\xff\\x00a')")
    assert answer["run_result"]["stdout"] == "\ufffd\0a"


@pytest.mark.parametrize("change", [{"language": "rust"}, {"run_timeout": 0}, {"files": {"a": "*"}}, {"stdin": 5}])
def test_a_wrong_request_is_refused(server: Running, change: dict[str, object]) -> None:
    status, answer = server.run("print(1)", **change)
    assert status == 422
    assert answer["detail"]


def test_programs_do_not_see_each_other(server: Running) -> None:
    assert server.run("open('left.txt', 'w').write('x')")[1]["status"] == "Success"
    _, answer = server.run("import os\nprint(sorted(os.listdir('.')))")
    assert answer["run_result"]["stdout"] == "['solution.py']\n"
