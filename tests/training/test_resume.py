"""A killed training resumes from its checkpoint and ends with the weights of an uninterrupted one (to 1e-6)."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from codepref.training.staging import check_out, claim, newest_checkpoint, put_in_place

SCRIPT = Path(__file__).with_name("training_script.py")
EVERY_STEP = "0.000001"


def command(name: str, out: Path, minutes: str) -> list[str]:
    return [sys.executable, str(SCRIPT), name, str(out), minutes]


@pytest.mark.parametrize("name", ["dpo", "kto", "validated"])
def test_a_killed_training_resumes_with_the_same_weights(name: str, tmp_path: Path) -> None:
    uninterrupted, killed = tmp_path / "uninterrupted", tmp_path / "killed"
    subprocess.run(command(name, uninterrupted, "0"), check=True)
    staging = tmp_path / ".killed.partial"
    process = subprocess.Popen(command(name, killed, EVERY_STEP))
    # Kill the training when a checkpoint of step 5 or later is complete. It is then in the next step or writes the next
    # checkpoint.
    while not any(int(path.parent.name.rpartition("-")[2]) >= 5 for path in staging.glob("checkpoint-*/whole")):
        assert process.poll() is None, "the training ended before it was killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    checkpoint = newest_checkpoint(staging)
    assert checkpoint is not None
    assert 5 <= json.loads((checkpoint / "trainer_state.json").read_text())["global_step"] < 16
    subprocess.run(command(name, killed, EVERY_STEP), check=True)
    assert not staging.exists()
    weights = "model.safetensors" if name != "validated" else "adapter_model.safetensors"
    expected, resumed = load_file(uninterrupted / weights), load_file(killed / weights)
    assert expected.keys() == resumed.keys()
    for key in expected:
        assert abs(expected[key] - resumed[key]).max() <= 1e-6, key
    first, second = (json.loads((folder / "training.json").read_text()) for folder in (uninterrupted, killed))
    assert first["steps"] == second["steps"] >= 16
    assert [row["step"] for row in second["curve"]] == [row["step"] for row in first["curve"]]
    for row, other in zip(second["curve"], first["curve"], strict=True):
        assert row["loss"] == pytest.approx(other["loss"], abs=1e-6)
    assert first["probes"] == second["probes"]
    assert len(first["probes"]) == (7 if name == "validated" else 0)
    assert sorted(path.name for path in killed.iterdir()) == sorted(path.name for path in uninterrupted.iterdir())


def test_a_training_does_not_resume_from_another_trainings_checkpoint(tmp_path: Path) -> None:
    staging = tmp_path / ".model.partial"
    assert not claim(staging, "one")
    (staging / "checkpoint-7").mkdir()
    (staging / "checkpoint-7" / "whole").touch()
    assert claim(staging, "one")
    assert newest_checkpoint(staging) == staging / "checkpoint-7"
    assert not claim(staging, "another")
    assert newest_checkpoint(staging) is None


def test_a_kill_between_the_two_renames_loses_neither_the_old_nor_the_new_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, staging = tmp_path / "model", tmp_path / ".model.partial"
    for folder, text in ((out, "old"), (staging, "new")):
        folder.mkdir()
        (folder / "training.json").write_text(text)
    rename = Path.replace

    def killed(path: Path, target: Path) -> Path:
        if path == staging:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        put_in_place(staging, out)
    assert (staging / "training.json").read_text() == "new"
    monkeypatch.undo()
    check_out(out)
    assert (out / "training.json").read_text() == "old"
    put_in_place(staging, out)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (out / "training.json").read_text() == "new"


def test_an_incomplete_checkpoint_is_removed(tmp_path: Path) -> None:
    for step in (9, 10, 11):
        (tmp_path / f"checkpoint-{step}").mkdir()
    for step in (9, 10):
        (tmp_path / f"checkpoint-{step}" / "whole").touch()
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert not (tmp_path / "checkpoint-11").exists()
