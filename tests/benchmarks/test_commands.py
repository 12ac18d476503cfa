"""Tests of the benchmarks' commands: their help, their lines in the README, and the commands that results name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
SUBJECTS = sorted(
    path.parent.name for path in (ROOT / "benchmarks").glob("*/__main__.py") if path.parent.name != "systems"
)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_subject_has_help_and_a_line_in_the_readme(subject):
    done = run(f"benchmarks.{subject}", "--help")
    assert done.returncode == 0, done.stderr
    assert f"usage: python -m benchmarks.{subject}" in done.stdout
    subcommands = re.search(r"^  COMMAND\n((?:    .*\n)+)", done.stdout, re.MULTILINE)
    names = re.findall(r"^    (\w+)", subcommands[1], re.MULTILINE) if subcommands else [""]
    missing = [name for name in names if f"`python -m benchmarks.{subject} {name}".strip() not in README]
    assert not missing


def test_the_data_option_is_required_where_the_environment_does_not_name_the_folder(monkeypatch):
    monkeypatch.delenv("CODEPREF_DATA", raising=False)
    done = run("benchmarks.execution", "matrix")
    assert done.returncode == 2
    assert "--data" in done.stderr


def test_results_name_commands_that_exist():
    commands = []

    def collect(value):
        if isinstance(value, dict):
            commands.extend(text for key, text in value.items() if key == "command")
            for item in value.values():
                collect(item)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        collect(json.loads(path.read_text(encoding="utf-8")))
    assert len(commands) > 10
    assert [text for text in commands if text.strip("`").split()[2].split(".")[1] not in SUBJECTS] == []
