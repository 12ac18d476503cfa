"""A training that is killed in the middle goes on, and ends in the weights of one that was left in peace."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from codepref.training.staging import claim, newest_checkpoint

SCRIPT = Path(__file__).with_name("training_script.py")
EVERY_STEP = "0.000001"


def command(method: str, out: Path, minutes: str) -> list[str]:
    return [sys.executable, str(SCRIPT), method, str(out), minutes]


@pytest.mark.parametrize("method", ["dpo", "kto", "watched"])
def test_sigkill_in_the_middle_changes_no_weight(method: str, tmp_path: Path) -> None:
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    subprocess.run(command(method, calm, "0"), check=True)
    staging = tmp_path / ".killed.partial"
    process = subprocess.Popen(command(method, killed, EVERY_STEP))
    # killed once step 5 or a later one is kept: in the next one, or while its checkpoint is written
    while not any(int(path.parent.name.rpartition("-")[2]) >= 5 for path in staging.glob("checkpoint-*/whole")):
        assert process.poll() is None, "ended before it was killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = newest_checkpoint(staging)
    assert kept is not None
    assert 5 <= json.loads((kept / "trainer_state.json").read_text())["global_step"] < 16
    subprocess.run(command(method, killed, EVERY_STEP), check=True)
    assert not staging.exists()
    names = ["model.safetensors"] if method != "watched" else ["adapter_model.safetensors"]
    for name in names:
        one, other = load_file(calm / name), load_file(killed / name)
        assert one.keys() == other.keys()
        for key in one:
            assert abs(one[key] - other[key]).max() <= 1e-6, key
    told = [json.loads((folder / "training.json").read_text()) for folder in (calm, killed)]
    assert told[0]["steps"] == told[1]["steps"] >= 16
    assert [row["step"] for row in told[1]["curve"]] == [row["step"] for row in told[0]["curve"]]
    for mine, theirs in zip(told[1]["curve"], told[0]["curve"], strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], abs=1e-6)
    assert told[0]["probes"] == told[1]["probes"]
    assert len(told[0]["probes"]) == (7 if method == "watched" else 0)
    assert sorted(path.name for path in killed.iterdir()) == sorted(path.name for path in calm.iterdir())


def test_another_training_does_not_go_on_from_this_one(tmp_path: Path) -> None:
    staging = tmp_path / ".model.partial"
    assert not claim(staging, "one")
    (staging / "checkpoint-7").mkdir()
    (staging / "checkpoint-7" / "whole").touch()
    assert claim(staging, "one")
    assert newest_checkpoint(staging) == staging / "checkpoint-7"
    assert not claim(staging, "another")
    assert newest_checkpoint(staging) is None


def test_half_a_checkpoint_is_none(tmp_path: Path) -> None:
    for step in (9, 10, 11):
        (tmp_path / f"checkpoint-{step}").mkdir()
    for step in (9, 10):
        (tmp_path / f"checkpoint-{step}" / "whole").touch()
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert not (tmp_path / "checkpoint-11").exists()
