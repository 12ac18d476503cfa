"""Tests that several processes with the same model give the answers of one process, in the same order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from codepref.config.scale import ScaleSection
from codepref.errors import UserError
from codepref.problems import load_problems
from codepref.sampling.engines import replicas
from codepref.sampling.engines.base import Decoding
from codepref.sampling.engines.transformers import TransformersEngine
from codepref.sampling.sample import sample, sample_to_file

PROBLEMS = load_problems("starter:heldout")[:12]
DECODING = Decoding(temperature=0.8, top_p=0.95, max_new_tokens=60)


def answers(out: Path, scale: ScaleSection | None, **settings: Any) -> bytes:
    sample_to_file(PROBLEMS, "starter", out, n=6, decoding=DECODING, seed=3, scale=scale, **settings)
    return out.read_bytes()


def test_two_processes_write_the_file_of_one(tmp_path: Path) -> None:
    one = answers(tmp_path / "one.jsonl", None)
    assert answers(tmp_path / "two.jsonl", ScaleSection(replicas=2)) == one
    assert one.count(b"\n") == 72


def test_a_process_that_is_killed_costs_no_answer(tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        if not killed:
            child = next(c for c in psutil.Process().children() if "codepref.scale.child" in " ".join(c.cmdline()))
            killed.append(child.pid)
            child.kill()

    one = answers(tmp_path / "one.jsonl", None)
    assert answers(tmp_path / "two.jsonl", ScaleSection(replicas=2), progress=kill_one) == one
    assert killed


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_the_nodes_of_a_cluster_write_the_file_of_one_machine(
    cluster: Any, add_node: Callable[..., Any], tmp_path: Path
) -> None:
    add_node()
    one = answers(tmp_path / "one.jsonl", None)
    assert answers(tmp_path / "ray.jsonl", ScaleSection("ray", wait_seconds=120)) == one
    assert answers(tmp_path / "ray2.jsonl", ScaleSection("ray", replicas=2, wait_seconds=120)) == one


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_one_replica_on_a_cluster_answers_there_and_not_in_the_driver(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = answers(tmp_path / "one.jsonl", None)
    monkeypatch.setattr(TransformersEngine, "answers", lambda *arguments: pytest.fail("the driver answered"))
    assert answers(tmp_path / "ray.jsonl", ScaleSection("ray", replicas=1, wait_seconds=120)) == one


def test_a_model_that_is_missing_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        sample(PROBLEMS, str(tmp_path / "nowhere"), scale=ScaleSection(replicas=2))


def test_copies_of_this_process_write_the_file_of_one_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "MIN_ASKS", 20)
    monkeypatch.setattr(replicas, "cores", lambda: 3)
    before = {child.pid for child in psutil.Process().children()}
    seen: set[int] = set()

    def note_children(done: int, total: int) -> None:
        seen.update({child.pid for child in psutil.Process().children()} - before)

    one = answers(tmp_path / "one.jsonl", ScaleSection(replicas=1), progress=note_children)
    assert not seen
    assert answers(tmp_path / "copies.jsonl", ScaleSection(), progress=note_children) == one
    assert len(seen) == 3
    assert not [pid for pid in seen if psutil.pid_exists(pid)]


def test_a_copy_holds_no_file_of_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "MIN_ASKS", 20)
    monkeypatch.setattr(replicas, "cores", lambda: 2)
    before = {child.pid for child in psutil.Process().children()}
    held: list[list[str]] = []

    def note_files(done: int, total: int) -> None:
        copies = [child for child in psutil.Process().children() if child.pid not in before]
        held.extend([file.path for file in copy.open_files()] for copy in copies)

    with (tmp_path / "lock").open("w"):
        assert str(tmp_path / "lock") in [file.path for file in psutil.Process().open_files()]
        answers(tmp_path / "copies.jsonl", ScaleSection(), progress=note_files)
    assert held
    assert not any(held)


def test_a_copy_that_is_killed_costs_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "MIN_ASKS", 20)
    monkeypatch.setattr(replicas, "cores", lambda: 2)
    before = {child.pid for child in psutil.Process().children()}
    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        if not killed:
            child = next(child for child in psutil.Process().children() if child.pid not in before)
            killed.append(child.pid)
            child.kill()

    one = answers(tmp_path / "one.jsonl", None)
    assert answers(tmp_path / "copies.jsonl", ScaleSection(), progress=kill_one) == one
    assert killed


@pytest.mark.parametrize(
    ("visible", "devices"),
    [(None, ["0", "1", "0"]), ("5,3", ["5", "3", "5"]), ("", [None] * 3), ("-1", [None] * 3)],
)
def test_a_process_gets_a_gpu_that_the_user_has_not_hidden(
    visible: str | None, devices: list[str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(replicas, "GPUS", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    environments = [replicas.environment_of(place, 3) for place in range(3)]
    assert [environment.get("CUDA_VISIBLE_DEVICES") for environment in environments] == devices
    assert all("OMP_NUM_THREADS" in environment for environment in environments if visible in ("", "-1"))
