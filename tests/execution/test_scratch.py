"""Tests of the scratch folder, in which a solution writes files, and of the clock of processes that sleep."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from codepref.execution import scratch
from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.sandbox.confinement import folders
from codepref.execution.sandbox.processes import watch
from codepref.execution.sandbox.processes.watch import SleepClock
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test

pytestmark = pytest.mark.xdist_group("execution")

LIMITS = Limits(cpu_seconds=5, memory_mb=1024)

_, *_BLOCKS = re.split(r"(?m)^### (.+)\n", (Path(__file__).parent / "file_programs.txt").read_text())
PROGRAMS = dict(zip(_BLOCKS[::2], _BLOCKS[1::2], strict=True))
"""Programs by name, from the file `file_programs.txt`. The function `f` of each returns 1."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_solution_can_use_files(verdict_on, name):
    if name in ("numpy", "pandas", "matplotlib"):
        pytest.importorskip(name)
    verdict = verdict_on(PROGRAMS[name], "assert f() == 1", limits=LIMITS)
    assert verdict.codes == "P", verdict.detail
    assert verdict.isolation == "separate"


def test_a_suite_can_write_files_and_a_later_suite_does_not_find_them(verdict_on):
    suite = (
        "import os, tempfile, unittest\nclass TestCases(unittest.TestCase):\n    def setUp(self):\n"
        "        self.assertEqual(os.listdir('.'), [])\n        self.folder = tempfile.mkdtemp()\n"
        "    def test_it(self):\n        self.assertEqual(save(self.folder + '/a'), 1)\n"
        "        self.assertTrue(os.path.exists(self.folder + '/a'))\n"
    )
    solution = "def save(path):\n    return open(path, 'w').write('x')\n"
    tests = [Test("t", str(at), suite, "unittest") for at in range(2)]
    first = verdict_on(solution, tests[0], limits=LIMITS)
    assert (first.codes, first.isolation) == ("P", "shared"), first.detail
    assert verdict_on(f"{solution}\n# another\n", tests[1], limits=LIMITS).codes == "P"


def run(engine: Engine, *sources: str, tests: tuple[str, ...] = ("assert f() == 1",)) -> list[str]:
    records = [Test("t", str(at), test) for at, test in enumerate(tests)]
    solutions = [Solution("t", at, source) for at, source in enumerate(sources)]
    (matrix,) = engine.run([Task(Problem("t", "", "f", tuple(records)), solutions, records)], limits=LIMITS)
    return [verdict.codes for verdict in matrix.verdicts]


def test_files_stay_between_the_tests_of_a_solution_and_are_gone_for_the_next_one(engine):
    count = "import os\ndef f():\n    open(f'x{len(os.listdir())}', 'w').close()\n    return len(os.listdir())\n"
    sources = [f"{count}# {at}\n" for at in range(3)]
    assert run(engine, *sources, tests=("assert f() == 1", "assert f() == 2")) == ["PP"] * 3


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("for at in range(2000):\n        open(str(at), 'w').close()\n    while True:\n        pass\n", "M"),
        (
            "for at in range(6):\n        open(str(at), 'wb').write(bytes(60 << 20))\n    while True:\n        pass\n",
            "M",
        ),
        ("open('a', 'wb').write(bytes(70 << 20))\n    return 1\n", "E"),
    ],
)
def test_a_scratch_folder_is_bounded(engine, body, code):
    assert run(engine, f"def f():\n    {body}") == [code]


def left() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{scratch.PREFIX}*"))


@pytest.fixture
def own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_an_engine_removes_its_folders_when_it_closes(own_temporary_folder):
    with Engine(jobs=2) as engine:
        deep = "import os\ndef f():\n    os.makedirs('a/b/c', 0o300)\n    open('a/b/c/d', 'w').close()\n    return 1\n"
        assert run(engine, deep) == ["P"]
        assert left()
        (folder,) = {path.stat().st_mode & 0o777 for path in left()}
        assert folder == 0o700
    assert left() == []


ENDLESS = """
import sys
from codepref.execution.engine import Engine
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test

with Engine(jobs=1) as engine:
    test = Test("t", "0", "assert f() == 1")
    source = "open('a', 'w').close()\\nimport time\\ndef f():\\n    time.sleep(60)\\n"
    list(engine.run([Task(Problem("t", "", "f", (test,)), [Solution("t", 0, source)], [test])]))
"""


def test_the_folder_of_an_engine_that_was_killed_is_removed_by_the_next_one(own_temporary_folder):
    process = subprocess.Popen([sys.executable, "-c", ENDLESS])
    end = time.monotonic() + 60
    while not left() and time.monotonic() < end:
        time.sleep(0.05)
    (old,) = left()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    scratch._remove_old.cache_clear()
    with Engine(jobs=1) as engine:
        assert run(engine, "def f():\n    return 1\n") == ["P"]
        assert old not in left()
        assert len(left()) == 1


def test_the_folder_of_an_engine_that_lives_is_not_removed(own_temporary_folder):
    first = scratch.Scratch()
    scratch._remove_old.cache_clear()
    second = scratch.Scratch()
    assert Path(first.path).is_dir()
    first.remove()
    second.remove()
    second.remove()
    assert left() == []


def test_a_folder_is_emptied_whatever_it_holds_and_links_are_not_followed(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(kept)
    (folder / "-rf").write_text("x")
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff\n"))).mkdir()
    before = Path.cwd()
    try:
        os.chdir(folder)
        for _ in range(1500):
            os.mkdir("deep")  # noqa: PTH102
            os.chdir("deep")
    finally:
        os.chdir(before)
    for name, mode in (("closed", 0), ("unreadable", 0o300), ("read only", 0o500)):
        (folder / name / "inner").mkdir(parents=True)
        (folder / name / "inner" / "file").write_text("x")
        (folder / name).chmod(mode)
    folders.clear(str(folder))
    assert list(folder.iterdir()) == []
    assert (kept / "file").read_text() == "x"


def test_a_process_asleep_is_distinguished_from_one_that_works():
    code = "import sys, time\nprint(1, flush=True)\nif len(sys.argv) > 1:\n    while True: pass\ntime.sleep(100)\n"
    asleep = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    works = subprocess.Popen([sys.executable, "-c", code, "work"], stdout=subprocess.PIPE)
    try:
        for process in (asleep, works):
            assert process.stdout is not None
            process.stdout.readline()
        alone, both = SleepClock(asleep.pid), SleepClock(asleep.pid, works.pid)
        slept = waited = 0.0
        end = time.monotonic() + 60
        while slept < 0.3 and time.monotonic() < end:
            time.sleep(0.05)
            slept += alone.advance()
            waited += both.advance()
        assert slept >= 0.3
        assert waited == 0.0
    finally:
        for process in (asleep, works):
            process.kill()
            process.wait()
    assert alone.advance() == 0.0


def test_a_process_that_runs_at_each_look_and_sleeps_between_looks_is_blocked(monkeypatch):
    """The process sleeps. Its state in /proc is replaced, so that each look finds it running."""
    code = "import time\nprint(1, flush=True)\ntime.sleep(100)\n"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        true_read = watch._read
        awake = {"stat": "1 (name) R 1"}
        monkeypatch.setattr(watch, "_read", lambda pid, thread, name: awake.get(name) or true_read(pid, thread, name))
        clock, slept = SleepClock(process.pid), 0.0
        end = time.monotonic() + 60
        while clock.blocked < 0.3 and time.monotonic() < end:
            time.sleep(0.05)
            slept += clock.advance()
        assert slept == 0.0
        assert clock.blocked >= 0.3
    finally:
        process.kill()
        process.wait()


def test_a_disk_that_is_full_of_deleted_files_is_noticed(tmp_path, monkeypatch):
    folders.prepare(str(tmp_path))
    handed = folders.Folders(str(tmp_path))
    handed.begin(folders.SOLUTIONS)
    folder = handed.folder(folders.SOLUTIONS)
    no_space = os.statvfs_result((4096, 4096, 100, 0, 0, 100, 50, 50, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: no_space)
    assert folders.excess(folder) == ""
    with open(f"{folder}/file", "w") as file:
        os.unlink(file.name)  # noqa: PTH108
        assert "MiB free" in folders.excess(folder)


def test_a_folder_that_is_moved_while_it_is_emptied_leads_nowhere_else(tmp_path, monkeypatch):
    """While a folder is emptied, its innermost folder is moved up, so that `..` leads to another folder than before."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("x")
    folder = tmp_path / "scratch" / "w"
    (folder / "scratch" / "w" / "inner").mkdir(parents=True)
    (folder / "scratch" / "w" / "inner" / "file").write_text("x")
    (folder / "victim" / "file").mkdir(parents=True)
    true_remove = folders._remove_files

    def remove(descriptor: int) -> list[str]:
        left = true_remove(descriptor)
        inner = folder / "scratch" / "w" / "inner"
        if inner.is_dir() and not any(inner.iterdir()):
            inner.rename(folder / "inner")
            (folder / "scratch" / "w").rmdir()
            (folder / "scratch").rmdir()
        return sorted(left, reverse=True)

    monkeypatch.setattr(folders, "_remove_files", remove)
    with pytest.raises(OSError, match="moved"):
        folders.clear(str(folder))
    assert (victim / "file").read_text() == "x"
    monkeypatch.undo()
    folders.clear(str(folder))
    assert list(folder.iterdir()) == []


def test_a_link_in_the_place_of_a_closed_folder_changes_no_mode(tmp_path, monkeypatch):
    folder, outside = tmp_path / "w", tmp_path / "outside"
    (folder / "closed" / "inner").mkdir(parents=True)
    outside.mkdir(mode=0o750)
    true_open, refused = os.open, []

    def open_(path, *arguments, **options):
        if path == "closed" and not refused:
            refused.append(path)
            (folder / "closed").rename(tmp_path / "away")
            (folder / "closed").symlink_to(outside)
            raise PermissionError(13, "Permission denied")
        return true_open(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_)
    with pytest.raises(NotADirectoryError):
        folders.clear(str(folder))
    assert outside.stat().st_mode & 0o777 == 0o750


def test_a_change_in_the_first_moment_is_noticed(tmp_path):
    folders.prepare(str(tmp_path))
    handed = folders.Folders(str(tmp_path))
    folder = Path(handed.folder(folders.SOLUTIONS))
    for _ in range(200):
        handed.begin(folders.SOLUTIONS)
        (folder / "mark").touch()
        handed.end(folders.SOLUTIONS)
        assert list(folder.iterdir()) == []


def test_a_test_that_sleeps_longer_than_the_limit_is_a_timeout_and_a_short_sleep_is_none(verdict_on):
    limits = Limits(cpu_seconds=1)
    long = verdict_on("import time\ndef f():\n    time.sleep(30)\n", "assert f() is None", limits=limits)
    assert (long.codes, "asleep" in long.detail) == ("T", True)
    short = verdict_on("import time\ndef f():\n    time.sleep(0.2)\n", "assert f() is None", limits=limits)
    assert short.codes == "P"
    in_test = verdict_on("def f():\n    pass\n", "import time\ntime.sleep(30)\nassert f() is None", limits=limits)
    assert in_test.codes == "T"
