"""Runs BigCodeBench's gold solutions in codepref's sandbox, and finds out what each solution that fails lacks.

Each gold solution also runs outside the sandbox, by Python's unittest in a temporary folder without a network. A
solution that passes outside and fails in the sandbox usually needs something that the sandbox refuses. If a solution
fails in both, its row has the messages of both runs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Any

from codepref.execution.execute import execute
from codepref.execution.limits import Limits
from codepref.problems.load import load_problems
from codepref.problems.needs import missing_packages, packages_needed
from codepref.records import Problem, Solution

CPU_SECONDS = 20.0
"""CPU seconds that a suite may take in the sandbox."""
WALL_SECONDS = 240.0
"""Wall-clock seconds that a suite may take outside the sandbox. It is BigCodeBench's own limit."""

AUDITED = """
import sys, unittest
record = open(sys.argv.pop(1), "w")
def audit(event, details):
    if event in ("socket.getaddrinfo", "socket.connect"):
        print("network", file=record)
    elif event == "os.mkdir" or event == "open" and isinstance(details[1], str) and set(details[1]) & set("wax+"):
        print("files", file=record)
sys.path.insert(0, "")
sys.dont_write_bytecode = True
sys.addaudithook(audit)
unittest.main("__test__")
"""
"""A program that runs the suite. It records audit events of Python on files that are written and on connections."""


def run_gold(file: Path) -> dict[str, Any]:
    """Run the gold solution of each problem in `file`, in the sandbox and outside it.

    Returns the number of problems, the number of solutions that pass in the sandbox, and a row for each problem.
    """
    problems = load_problems(file)
    base, names = base_install(), packages_distributions()
    solutions = [Solution(problem.task_id, 0, problem.gold or "") for problem in problems]
    matrices = execute(problems, solutions, limits=Limits(CPU_SECONDS), jobs=2)
    absent = missing_packages(problems)
    rows = []
    for problem, matrix in zip(problems, matrices, strict=True):
        needed = sorted(packages_needed(problem))
        beyond = [name for name in needed if not {normal(item) for item in names.get(name, [])} & base]
        missing = [name for name in needed if name in absent]
        verdict, unconfined = matrix.verdicts[0], run_unconfined(problem)
        row = {"task_id": problem.task_id, "packages": needed, "beyond_base": beyond, "missing": missing}
        row |= {"code": verdict.codes, "detail": verdict.detail, "unconfined": unconfined}
        rows.append({**row, "lacks": lacking(missing, verdict.codes, verdict.detail, unconfined)})
    return {"problems": len(rows), "passed": sum(row["code"] == "P" for row in rows), "rows": rows}


def run_unconfined(problem: Problem) -> dict[str, Any]:
    """Run the gold solution and the suite as one program, by unittest and outside the sandbox.

    Returns a dict with these keys:
    status: "passes", "fails" or "late".
    message: the last error of a program that fails, or the limit if the program is late. "" if it passes.
    network: whether audit events of Python show that the program tried to use the network.
    files: whether audit events show that it tried to open a file to write or to create a folder.
    If the program is late, `network` and `files` are False.
    """
    program = f"{problem.gold}\n\n{problem.tests[0].source}\n"
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as records:
        (Path(folder) / "__test__.py").write_text(program, encoding="utf-8")
        command = [sys.executable, "-c", AUDITED, f"{records}/used"]
        environment = {"HOME": folder, "TMPDIR": folder, "MPLBACKEND": "Agg", "LC_ALL": "C.UTF-8"}
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=WALL_SECONDS
            )
        except subprocess.TimeoutExpired:
            message = f"more than {WALL_SECONDS:.0f} s"
            return {"status": "late", "message": message, "network": False, "files": False}
        used = set((Path(records) / "used").read_text().split())
    errors = re.findall(r"^(\w*(?:Error|Exception|Warning)\b.*)", done.stderr, re.MULTILINE)
    failed = done.returncode != 0
    message = (errors or done.stderr.splitlines() or [""])[-1][:160] if failed else ""
    uses = {name: name in used for name in ("network", "files")}
    return {"status": "fails" if failed else "passes", "message": message, **uses}


def lacking(missing: Sequence[str], code: str, detail: str, unconfined: dict[str, Any]) -> str:
    """Return the likely reason why a gold solution fails in the sandbox, or "" if it passes.

    missing: the packages that the problem needs and that are not installed. code, detail: the code and the message of
    codepref's verdict. unconfined: the result of `run_unconfined`.
    """
    if code == "P":
        return ""
    if missing:
        return f"a package that is not installed: {', '.join(missing)}"
    error = re.search(r"\w*(?:Error|Exception).*", detail)
    message = (error[0] if error else detail)[:110]
    uses = (("a network", unconfined["network"]), ("files to write", unconfined["files"]))
    lacks = [name for name, used in uses if used]
    if unconfined["status"] != "passes":
        reason = " and ".join(lacks) or "the suite fails everywhere"
        return f"{reason}: {message}; without a sandbox: {unconfined['message']}"
    return f"{' and '.join(lacks) or 'something that the sandbox refuses'}: {message}"


def base_install(name: str = "codepref") -> set[str]:
    """Return `name` and the distributions that `pip install name` can bring without extras, as normalized names."""
    distributions, waiting = set[str](), [normal(name)]
    while waiting:
        current = waiting.pop()
        if current in distributions:
            continue
        distributions.add(current)
        try:
            needed = requires(current) or []
        except PackageNotFoundError:
            continue
        waiting += [normal(re.split(r"[^\w.-]", line)[0]) for line in needed if "extra ==" not in line]
    return distributions


def normal(name: str) -> str:
    """Return the name of a distribution as PEP 503 normalizes it."""
    return re.sub(r"[-_.]+", "-", name).lower()
