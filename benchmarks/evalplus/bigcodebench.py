"""BigCodeBench's gold solutions in codepref's sandbox: those that pass, and what each of the others lacks.

Each is also run outside the sandbox, by Python's own unittest in a scratch folder without a network. One that passes
there and not here lacks what the sandbox refuses; one that fails there too is told with what it said.
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
PLAIN_SECONDS = 240.0
"""BigCodeBench's own limit, by the wall clock."""

WATCHED = """
import sys, unittest
notes = open(sys.argv.pop(1), "w")
def watch(event, details):
    if event in ("socket.getaddrinfo", "socket.connect"):
        print("network", file=notes)
    elif event == "os.mkdir" or event == "open" and isinstance(details[1], str) and set(details[1]) & set("wax+"):
        print("files", file=notes)
sys.path.insert(0, "")
sys.dont_write_bytecode = True
sys.addaudithook(watch)
unittest.main("__test__")
"""


def bigcodebench_gold(file: Path) -> dict[str, Any]:
    """Counts, and one row a problem."""
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
        told, plain = matrix.verdicts[0], plainly(problem)
        row = {"task_id": problem.task_id, "packages": needed, "beyond_base": beyond, "missing": missing}
        row |= {"code": told.codes, "detail": told.detail, "plain": plain}
        rows.append({**row, "lacks": lacking(missing, told.codes, told.detail, plain)})
    return {"problems": len(rows), "passed": sum(row["code"] == "P" for row in rows), "rows": rows}


def plainly(problem: Problem) -> dict[str, Any]:
    """How gold solution and suite end as one program run by unittest: `word`, the last thing `said`, and what they used
    meanwhile, by Python's own audit: `network`, `files` (opened to write, or folders made).
    """
    program = f"{problem.gold}\n\n{problem.tests[0].source}\n"
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as notes:
        (Path(folder) / "__test__.py").write_text(program, encoding="utf-8")
        command = [sys.executable, "-c", WATCHED, f"{notes}/used"]
        environment = {"HOME": folder, "TMPDIR": folder, "MPLBACKEND": "Agg", "LC_ALL": "C.UTF-8"}
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PLAIN_SECONDS
            )
        except subprocess.TimeoutExpired:
            return {"word": "late", "said": f"more than {PLAIN_SECONDS:.0f} s", "network": False, "files": False}
        used = set((Path(notes) / "used").read_text().split())
    said = re.findall(r"^(\w*(?:Error|Exception|Warning)\b.*)", done.stderr, re.MULTILINE)
    failed = done.returncode != 0
    told = (said or done.stderr.splitlines() or [""])[-1][:160] if failed else ""
    return {
        "word": "fails" if failed else "passes",
        "said": told,
        **{name: name in used for name in ("network", "files")},
    }


def lacking(missing: Sequence[str], code: str, detail: str, plain: dict[str, Any]) -> str:
    """What a gold solution that does not pass lacks, "" for one that passes."""
    if code == "P":
        return ""
    if missing:
        return f"a package that is not installed: {', '.join(missing)}"
    error = re.search(r"\w*(?:Error|Exception).*", detail)
    said = (error[0] if error else detail)[:110]
    lacks = [word for word, used in (("a network", plain["network"]), ("files to write", plain["files"])) if used]
    if plain["word"] != "passes":
        return f"{' and '.join(lacks) or 'the suite fails anywhere'}: {said}; without a sandbox: {plain['said']}"
    return f"{' and '.join(lacks) or 'what the sandbox refuses'}: {said}"


def base_install(name: str = "codepref") -> set[str]:
    """Distributions that installing `name` without extras brings, itself among them, in normal form."""
    found, waiting = set[str](), [normal(name)]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found.add(current)
        try:
            needed = requires(current) or []
        except PackageNotFoundError:
            continue
        waiting += [normal(re.split(r"[^\w.-]", line)[0]) for line in needed if "extra ==" not in line]
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
