"""Tests of the file in which a command states how far it has come, for `codepref status`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codepref.storage.progress import NodeProgress
from codepref.storage.progress_file import PROGRESS, ProgressFile, read_progress


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_rate_and_remaining_time_count_from_the_start_of_this_command(tmp_path: Path, clock: Clock):
    show = ProgressFile(tmp_path, "solutions", clock=clock)
    show(400, 1000)  # an earlier command finished 400
    clock.now += 10
    show(500, 1000)
    progress = read_progress(tmp_path)
    assert progress is not None
    assert progress.lines(1013.0) == ["500 of 1,000 solutions, 10.0/s, about 50 s left; last change 3 s ago"]


def test_each_node_has_a_line_with_its_rate_or_the_reason_why_it_is_not_used(tmp_path: Path, clock: Clock):
    nodes: dict[str, NodeProgress] = {}
    show = ProgressFile(tmp_path, "answers", nodes=lambda: nodes, clock=clock)
    show(0, 100)
    nodes |= {"b": NodeProgress(30), "a": NodeProgress(10, "lost"), "c": NodeProgress(0, "left out: no Landlock")}
    clock.now += 4
    show(40, 100)
    progress = read_progress(tmp_path)
    assert progress is not None
    assert progress.lines(1004.0)[1:] == [
        "  a: lost; 10 finished, 2.5/s",
        "  b: 30 finished, 7.5/s",
        "  c: left out: no Landlock",
    ]


def test_the_file_is_written_at_most_every_two_seconds(tmp_path: Path, clock: Clock):
    show = ProgressFile(tmp_path, "solutions", clock=clock)
    for done in range(200):
        show(done, 1000)
        clock.now += 0.1  # 20 seconds in all
    progress = read_progress(tmp_path)
    assert progress is not None
    assert 179 <= progress.done < 199
    assert progress.updated - progress.began == pytest.approx(progress.done / 10)


def test_a_command_that_was_killed_is_shown_as_stopped(tmp_path: Path):
    code = "import sys, pathlib, os, signal\n" + (
        "from codepref.storage.progress_file import ProgressFile\n"
        "ProgressFile(pathlib.Path(sys.argv[1]), 'solutions')(7, 10)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    progress = read_progress(tmp_path)
    assert progress is not None
    assert progress.runs is False
    assert progress.lines(0.0) == ["7 of 10 solutions; the command has stopped, and continues if it is started again"]


def test_another_process_with_the_same_id_does_not_count(tmp_path: Path):
    ProgressFile(tmp_path, "solutions")(7, 10)
    progress = read_progress(tmp_path)
    assert progress is not None
    assert progress.runs is True
    content = json.loads((tmp_path / PROGRESS).read_text())
    (tmp_path / PROGRESS).write_text(json.dumps(content | {"process": f"{os.getpid()} 1"}))
    progress = read_progress(tmp_path)
    assert progress is not None
    assert progress.runs is False


def test_of_a_command_on_another_machine_it_is_not_known_whether_it_runs(tmp_path: Path, clock: Clock):
    ProgressFile(tmp_path, "solutions", clock=clock)(7, 10)
    content = json.loads((tmp_path / PROGRESS).read_text())
    (tmp_path / PROGRESS).write_text(json.dumps(content | {"host": "elsewhere.example", "process": "1 1"}))
    progress = read_progress(tmp_path)
    assert progress is not None
    assert progress.runs is None
    assert progress.lines(1060.0) == ["7 of 10 solutions; last change 60 s ago"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"nodes": {"a": {"other": 1}}}', '{"nodes": 3}'])
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: str):
    (tmp_path / PROGRESS).write_text(content)
    assert read_progress(tmp_path) is None


@pytest.mark.parametrize(
    ("key", "value"), [("done", "many"), ("total", None), ("began", []), ("nodes", {"a": {"finished": "x"}})]
)
def test_a_file_with_a_value_of_another_type_counts_as_none(tmp_path: Path, key: str, value: object):
    ProgressFile(tmp_path, "solutions")(7, 10)
    content = json.loads((tmp_path / PROGRESS).read_text())
    (tmp_path / PROGRESS).write_text(json.dumps(content | {key: value}))
    assert read_progress(tmp_path) is None


def test_a_folder_that_is_gone_stops_no_work(tmp_path: Path):
    (tmp_path / "file").write_text("")
    ProgressFile(tmp_path / "file" / "folder", "solutions")(1, 2)
    assert read_progress(tmp_path / "file" / "folder") is None
