"""Tests that expected outputs are kept between runs, and that damaged or missing cache files change no verdict."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codepref.execution import expected_cache
from codepref.execution.engine import Engine
from codepref.execution.expected_cache import ExpectedCache, key_of, user_cache
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task, expected_keys
from codepref.records import Problem, Solution, Test

pytestmark = pytest.mark.xdist_group("execution")

DOUBLE = "def f(x):\n    return 2 * x\n"
WRONG = "def f(x):\n    return 2 * x if x < 3 else 0\n"


def task(reference: str = DOUBLE, oracle: str = "") -> Task:
    fields = {"entry_point": "f", "inputs": "[[1], [2], [3.5]]", "reference": reference, "atol": 0, "compare": "equal"}
    fields |= {"compare": "oracle:lenient", "oracle": oracle} if oracle else {}
    source = json.dumps(fields)
    problem = Problem("t", "", "f", (Test("t", "plus", source, "inputs"),))
    return Task(problem, [Solution("t", 0, DOUBLE), Solution("t", 1, WRONG)], problem.tests)


def codes(cache: ExpectedCache, *tasks: Task, limits: Limits | None = None) -> list[str]:
    with Engine(jobs=1, cache=cache) as engine:
        return ["".join(v.codes for v in matrix.verdicts) for matrix in engine.run(tasks, limits=limits)]


def kept(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def test_a_cache_that_this_user_can_only_read_is_read(tmp_path, monkeypatch):
    cache = ExpectedCache(tmp_path)
    cache.write("key", b"body")

    def refuse(path):
        raise PermissionError

    monkeypatch.setattr(os, "utime", refuse)
    assert cache.read("key") == b"body"


def test_a_second_run_reads_what_the_first_one_kept(tmp_path):
    cache = ExpectedCache(tmp_path / "kept")
    assert codes(cache, task()) == ["PF"]
    (file,) = kept(tmp_path / "kept")
    before = file.stat().st_ino
    assert codes(cache, task()) == ["PF"]
    assert [path.stat().st_ino for path in kept(tmp_path / "kept")] == [before]  # not written again by the second run
    assert file.stat().st_mode & 0o077 == 0


def test_solutions_are_compared_with_the_kept_outputs(tmp_path):
    """The file with the outputs of another reference is renamed to the key of this reference."""
    cache = ExpectedCache(tmp_path / "kept")
    triple = task("def f(x):\n    return 3 * x\n")
    assert codes(cache, triple) == ["FF"]
    (file,) = kept(tmp_path / "kept")
    file.rename(file.with_name(expected_keys(task(), Limits())[0]))
    assert codes(cache, task()) == ["FF"]


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 500])
def test_a_damaged_file_is_replaced(tmp_path, damage):
    cache = ExpectedCache(tmp_path / "kept")
    codes(cache, task())
    (file,) = kept(tmp_path / "kept")
    whole = file.read_bytes()
    file.write_bytes(damage)
    assert codes(cache, task()) == ["PF"]
    assert len(file.read_bytes()) == len(whole)


def test_bytes_that_are_no_expected_outputs_are_replaced(tmp_path):
    cache = ExpectedCache(tmp_path / "kept")
    cache.write(expected_keys(task(), Limits())[0], b"no encoding of anything")
    assert codes(cache, task()) == ["PF"]


def test_the_key_depends_on_the_test_and_on_the_limits_of_its_reference():
    limits = Limits().resolved()
    fields = ("f", "[[1]]", DOUBLE, 0.0, "equal", "")
    other = Limits(memory_mb=512).resolved()
    assert key_of(fields, limits) == key_of(fields, limits | {"cpu_seconds": 9.0})
    assert len({key_of(fields, limits), key_of(fields, other), key_of(("g", *fields[1:]), limits)}) == 3


def test_the_key_depends_on_the_packages_that_a_reference_imports(monkeypatch):
    limits = Limits().resolved()
    plain = ("f", "[[1]]", DOUBLE, 0.0, "equal", "")
    numeric = ("f", "[[1]]", "import numpy as np\n" + DOUBLE, 0.0, "equal", "")
    before = key_of(plain, limits), key_of(numeric, limits)
    monkeypatch.setattr(expected_cache, "version", lambda name: "another")
    expected_cache._versions.cache_clear()
    after = key_of(plain, limits), key_of(numeric, limits)
    expected_cache._versions.cache_clear()
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)


def test_without_confinement_nothing_is_kept_or_read(tmp_path):
    cache = ExpectedCache(tmp_path / "kept")
    codes(cache, task("def f(x):\n    return 3 * x\n"))
    (file,) = kept(tmp_path / "kept")
    planted = file.rename(file.with_name(expected_keys(task(), Limits())[0]))
    assert codes(cache, task()) == ["FF"]  # a confined run reads the file that was renamed to its key
    other = task("def f(x):\n    return x + x\n")
    with Engine(jobs=1, cache=cache, unconfined=True) as engine:
        assert ["".join(v.codes for v in matrix.verdicts) for matrix in engine.run([task(), other])] == ["PF", "PF"]
    assert kept(tmp_path / "kept") == [planted]


def test_a_reference_that_fails_is_not_kept(tmp_path):
    assert codes(ExpectedCache(tmp_path / "kept"), task("def f(x):\n    raise ValueError\n")) == ["II"]
    assert kept(tmp_path / "kept") == []


def test_an_oracle_gets_its_arguments_from_the_cache_too(tmp_path):
    cache = ExpectedCache(tmp_path / "kept")
    lenient = task(oracle="def accept(arguments, output, expected, atol):\n    return arguments == [3.5]\n")
    assert codes(cache, lenient) == codes(cache, lenient) == ["PP"]


def test_the_files_used_longest_ago_are_deleted_first(tmp_path):
    cache = ExpectedCache(tmp_path, max_bytes=1000)
    for at, name in enumerate("abc"):
        cache.write(name, bytes(200))
        os.utime(tmp_path / name, (at, at))
    cache.read("a")  # reading makes this file the one used last
    for name in "de":
        cache.write(name, bytes(200))
    assert {path.name for path in tmp_path.iterdir()} == {"a", "c", "d", "e"}
    cache.write("large", bytes(251))
    assert not (tmp_path / "large").exists()


def test_the_number_of_small_files_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(expected_cache, "MAX_FILES", 10)
    cache = ExpectedCache(tmp_path, max_bytes=1 << 20)
    for at in range(30):
        cache.write(f"{at:02}", b"x")
        os.utime(tmp_path / f"{at:02}", (at, at))
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) <= 11
    assert left[-1] == "29"


@pytest.mark.parametrize("blocked", ["file", "below a file"])
def test_a_folder_that_cannot_be_created_changes_no_verdict(tmp_path, blocked):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" if blocked == "file" else tmp_path / "file" / "below"
    assert codes(ExpectedCache(folder), task(), task()) == ["PF", "PF"]


def test_the_environment_variable_names_the_folder_or_switches_the_cache_off(tmp_path, monkeypatch):
    monkeypatch.setenv("CODEPREF_CACHE", str(tmp_path / "mine"))
    assert codes(user_cache(), task()) == ["PF"]
    assert len(kept(tmp_path / "mine")) == 1
    monkeypatch.setenv("CODEPREF_CACHE", "off")
    assert not user_cache().on
    monkeypatch.delenv("CODEPREF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert codes(user_cache(), task()) == ["PF"]
    assert len(kept(tmp_path / "xdg" / "codepref" / "expected")) == 1
