"""Judges a program by plain Python: in a subprocess, in a temporary folder of its own, without codepref."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from listed import Listed

SECONDS = 60
"""Far more than any listed program needs, so that a busy machine changes no verdict."""


def passes(problem: Listed, program: str) -> tuple[bool, str]:
    """Return whether a program passes the problem's test, and the end of its output.

    Raises subprocess.TimeoutExpired after SECONDS.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "solution.py").write_text(program, encoding="utf-8")
        if problem.style == "stdio":
            return _passes_stdio(problem, folder)
        check = f"\n\ncheck({problem.entry_point})\n" if problem.style == "check" else ""
        (folder / "test_it.py").write_text(f"{program}\n\n{problem.test}{check}", encoding="utf-8")
        run = _run(folder, *_COMMANDS[problem.style])
        return run.returncode == 0, (run.stdout + run.stderr).decode(errors="replace")[-600:]


_COMMANDS = {
    "script": ("test_it.py",),
    "asserts": ("test_it.py",),
    "check": ("test_it.py",),
    "pytest": ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "test_it.py"),
    "unittest": ("-m", "unittest", "-q", "test_it"),
}


def _passes_stdio(problem: Listed, folder: Path) -> tuple[bool, str]:
    run = _run(folder, "solution.py", stdin=problem.stdin.encode())
    lines = [line.rstrip() for line in run.stdout.decode(errors="replace").rstrip().splitlines()]
    expected = [line.rstrip() for line in problem.stdout.rstrip().splitlines()]
    report = f"status {run.returncode}, {run.stdout[-300:]!r}, {run.stderr[-300:].decode(errors='replace')}"
    return run.returncode == 0 and lines == expected, report


def _run(folder: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        timeout=SECONDS,
        env={**environment, "PYTHONUTF8": "1"},
        check=False,
    )
