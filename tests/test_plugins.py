"""Tests of an installed package that adds a rule and a format of problems. The command line uses both by name."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from codepref.pairing.artifact import read_pairs

ROOT = Path(__file__).parent.parent
ENTRY_POINTS = """\
[codepref.rules]
shortest = codepref_example:SHORTEST
not-a-rule = codepref_example:NOT_A_RULE
absent = codepref_example.absent:RULE

[codepref.formats]
kata = codepref_example:KATA
"""
MODULE = '''
from codepref.pairing.rules.base import Candidate, Choice, PairingRule
from codepref.problems.formats import Format
from codepref.records import Problem, Test


def shortest(verdicts):
    """Pair the shortest solution that passes a test with the shortest one that fails a test."""
    order = sorted(range(len(verdicts.form_S)), key=lambda row: len(verdicts.form_S[row]))
    passing = [row for row in order if verdicts.passed_ST[row].any()]
    failing = [row for row in order if verdicts.failed_ST[row].any()]
    if not passing or not failing:
        return Choice(reason="no solution passes, or none fails")
    return Choice((Candidate(passing[0], failing[0], 0.25, evidence={"by": "length"}),))


def read_kata(row, where):
    name = row["kata"]
    tests = tuple(Test(name, str(number), source) for number, source in enumerate(row["checks"]))
    return Problem(name, row["text"], row["function"], tests)


SHORTEST = PairingRule(shortest, tests="true")
NOT_A_RULE = 7
KATA = Format("a kata", frozenset({"kata", "text", "function", "checks"}), read_kata)
'''
KATA = {"kata": "double", "text": "Double x.", "function": "f", "checks": ["assert f(2) == 4"]}
LONG, SHORT, WRONG = "def f(x):\n    return x + x + 0", "def f(x):\n    return x + x", "def f(x):\n    return x"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the package from a wheel with pip, without a network or a build tool. Return the folder that holds it."""
    folder = tmp_path_factory.mktemp("plugin")
    wheel, information = folder / "codepref_example-1.0-py3-none-any.whl", "codepref_example-1.0.dist-info"
    files = {
        "codepref_example.py": MODULE,
        f"{information}/METADATA": "Metadata-Version: 2.1\nName: codepref-example\nVersion: 1.0\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{information}/entry_points.txt": ENTRY_POINTS,
    }
    files[f"{information}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{information}/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-compile"]
    target = folder / "site-packages"
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", target, wheel], check=True)
    return target


@pytest.fixture(scope="module")
def verdicts(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with verdicts of two right solutions and a wrong one. The problem has the package's format."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "katas.jsonl").write_text(json.dumps(KATA) + "\n")
    lines = [json.dumps({"task_id": "double", "solution": text}) for text in (LONG, SHORT, WRONG)]
    (folder / "solutions.jsonl").write_text("\n".join(lines) + "\n")
    inputs = ["--problems", f"{folder}/katas.jsonl#kata", "--solutions", folder / "solutions.jsonl"]
    answer = codepref(installed, "execute", *inputs, "--jobs", 1, "--out", folder / "verdicts")
    assert answer.returncode == 0, answer.stderr
    return folder / "verdicts"


def codepref(installed: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that can import the installed package."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)])}
    command = [sys.executable, "-m", "codepref", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def pair(installed: Path, verdicts: Path, rule: str, out: Path) -> subprocess.CompletedProcess[str]:
    return codepref(installed, "pair", "--verdicts", verdicts, "--rule", rule, "--out", out)


def test_a_rule_and_a_format_of_an_installed_package_work_by_name(
    installed: Path, verdicts: Path, tmp_path: Path
) -> None:
    answer = pair(installed, verdicts, "shortest", tmp_path / "pairs.parquet")
    assert answer.returncode == 0, answer.stderr
    (only,) = read_pairs(tmp_path / "pairs.parquet")
    assert (only.task_id, only.chosen_id, only.rejected_id, only.rule) == ("double", 1, 2, "shortest")
    assert (only.confidence, only.evidence["by"]) == (0.25, "length")


def test_an_unknown_rule_is_refused_with_all_names_of_rules(installed: Path, verdicts: Path, tmp_path: Path) -> None:
    answer = pair(installed, verdicts, "longest", tmp_path / "pairs.parquet")
    assert answer.returncode == 2
    assert "unknown rule 'longest'" in answer.stderr
    assert "all-tests, near-miss, speed, max-pass, dstc" in answer.stderr
    assert "shortest" in answer.stderr


@pytest.mark.parametrize(
    ("rule", "message"), [("not-a-rule", "PairingRule"), ("absent", "No module named 'codepref_example.absent'")]
)
def test_a_rule_that_cannot_be_used_is_refused_without_a_traceback(
    installed: Path, verdicts: Path, tmp_path: Path, rule: str, message: str
) -> None:
    answer = pair(installed, verdicts, rule, tmp_path / "pairs.parquet")
    assert answer.returncode == 2
    assert f"rule '{rule}'" in answer.stderr
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_recipe_takes_a_rule_of_an_installed_package(installed: Path) -> None:
    recipe = '{"pairing": {"rule": "shortest"}, "sampling": {"tests": 5}}'
    code = f"from codepref.runs.recipes import parse_recipe\nparse_recipe({recipe})"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)])}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    # The rule is known. It needs true tests, so the recipe is refused because of its self-written tests.
    assert "pairing.rule = 'shortest'" in answer.stderr
    assert "sampling.tests" in answer.stderr
    assert "unknown rule" not in answer.stderr
