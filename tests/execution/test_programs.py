"""Tests that whole programs print what they print in plain Python, with many ways to read, write and end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from codepref.execution.limits import Limits
from codepref.records import Test

pytestmark = pytest.mark.xdist_group("execution")

INPUT = "3\n4 5 6\n"
_BLOCK = re.compile(r"^### (.+)\n", re.MULTILINE)
_, *_BLOCKS = _BLOCK.split((Path(__file__).parent / "programs.txt").read_text())
PROGRAMS = dict(zip(_BLOCKS[::2], _BLOCKS[1::2], strict=True))
"""Programs by name, from the file `programs.txt`."""


def plain_output(program: str, folder: Path) -> str:
    """Return what a program prints in an interpreter of its own, with a file as its standard input."""
    (folder / "solution.py").write_text(program)
    (folder / "input").write_text(INPUT)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with (folder / "input").open() as given:
        ended = subprocess.run(
            [sys.executable, "solution.py"],
            stdin=given,
            capture_output=True,
            text=True,
            cwd=folder,
            env={**environment, "PYTHONUTF8": "1"},
            timeout=60,
        )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_what_it_prints_in_plain_python(verdict_on, tmp_path, name):
    expected = plain_output(PROGRAMS[name], tmp_path)
    test = Test("t", "0", json.dumps({"input": INPUT, "output": expected}), "stdio")
    verdict = verdict_on(PROGRAMS[name], test, limits=Limits(cpu_seconds=3))
    assert verdict.codes == "P", (verdict.detail, expected)
    assert verdict.isolation == "separate"
