"""Old names of options, keys and arguments still work, with a warning."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

import codepref
from codepref.cli.options import read_limits
from codepref.cli.parser import build_parser
from codepref.config.sections import ValidationSection
from codepref.errors import UserError
from codepref.records import Problem, Test

EXECUTE = ["execute", "--problems", "p", "--solutions", "s", "--out", "o"]


def test_the_command_line_prints_a_warning_as_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "codepref", "demo", "--out", str(tmp_path / "run"), "--set", "watch.limit=0.5"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2
    warning, mistake = ended.stderr.splitlines()
    assert warning.startswith("warning: --set watch.limit=0.5: ")
    assert warning.endswith("[watch] is now called [validation]")
    assert mistake.startswith("codepref: --set: `validation.limit` = 0.5: ")


def test_the_option_patience_is_an_old_name_of_timeout_factor() -> None:
    with pytest.warns(FutureWarning, match="--patience is now called --timeout-factor"):
        old = build_parser().parse_args([*EXECUTE, "--patience", "7"])
    new = build_parser().parse_args([*EXECUTE, "--timeout-factor", "7"])
    assert read_limits(old) == read_limits(new) != read_limits(build_parser().parse_args(EXECUTE))


def test_help_does_not_show_old_names() -> None:
    (commands,) = [one for one in build_parser()._actions if isinstance(one, argparse._SubParsersAction)]
    text = commands.choices["execute"].format_help()
    assert "--timeout-factor" in text
    assert "--patience" not in text


@pytest.mark.parametrize(("limit", "message"), [(1, r"\bdata\b"), (2, "every validation problem needs tests")])
def test_the_argument_watch_of_train_is_an_old_name_of_validation_settings(limit: int, message: str) -> None:
    tested = Problem("a/0", "Add one.", "f", (Test("a/0", "0", "assert f(1) == 2"),))
    arguments = {"data": [], "validation": [tested, Problem("a/1", "Add two.", "f")]}
    settings = ValidationSection(limit=limit)
    with pytest.raises(UserError, match=message):
        codepref.train(None, "starter", "model", validation_settings=settings, **arguments)
    with pytest.raises(UserError, match=message), pytest.warns(FutureWarning, match="`watch` is now called"):
        codepref.train(None, "starter", "model", watch=settings, **arguments)


def test_the_argument_say_of_demo_is_an_old_name_of_log() -> None:
    with (
        pytest.warns(FutureWarning, match="`say` is now called `log`"),
        pytest.raises(UserError, match="no demo recipe"),
    ):
        codepref.demo("none", say=print)
