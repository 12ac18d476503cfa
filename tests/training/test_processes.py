"""Two processes train what one trains, and what goes wrong in them is told as if it were one."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file
from training_script import pairs

from codepref import load_problems
from codepref.config.sections import TrainingSection
from codepref.errors import GateError, MachineError, UserError
from codepref.sampling.engines import Decoding
from codepref.starter import SOLUTION_TEMPLATE
from codepref.training.launch import command, last_words, launched
from codepref.training.train import train_on
from codepref.training.validation_callback import Probing

SETTINGS = TrainingSection(
    chosen_weight=0.0, learning_rate=1e-4, batch_size=8, micro_batch_size=4, epochs=2.0, max_length=256
)


def test_two_processes_have_the_curve_of_one(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    problems = load_problems("starter:validation", limit=6)
    watch = Probing(problems, Decoding(max_new_tokens=60), every=4, patience=0, template=SOLUTION_TEMPLATE, jobs=1)
    one = train_on(pairs(32), "starter", tmp_path / "one", SETTINGS, seed=3)
    two = train_on(
        pairs(32),
        "starter",
        tmp_path / "two",
        replace(SETTINGS, processes=2),
        seed=3,
        watch=watch,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert len(one.curve) == len(two.curve) == 8
    assert one.curve[-1]["loss"] < 0.5  # it learnt, so that equal curves are no curves of a model at rest
    for mine, other in zip(one.curve, two.curve, strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], abs=1e-3)
        assert mine["margin"] == pytest.approx(other["margin"], abs=1e-2)
    assert steps[-1] == (8, 8)
    assert [probe["step"] for probe in two.probes] == [0, 4, 8]
    assert not list(tmp_path.glob(".*"))
    if two.kept_step == two.steps:
        first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
        assert max(float((first[key] - second[key]).abs().max()) for key in first) < 1e-3


def test_a_mistake_and_a_divergence_are_raised_here(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"2 processes cannot share training\.micro_batch_size = 1"):
        train_on(pairs(4), "starter", tmp_path / "a", replace(SETTINGS, processes=2, micro_batch_size=1))
    wrecking = replace(SETTINGS, processes=2, learning_rate=1e30, warmup_ratio=0.0, max_grad_norm=1e30)
    with pytest.raises(GateError, match="diverged"):
        train_on(pairs(16), "starter", tmp_path / "b", wrecking)
    assert not list(tmp_path.iterdir())


class EndsTheSecond:
    """A device which, when the job is read, does away with the second process; the first would wait for it."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return end_the_second, (self.how,)


def end_the_second(how: str) -> str:
    if os.environ["RANK"] == "1":
        print("Segmentation of the moon", flush=True)
        if how == "mistake":
            from codepref.training import train

            def out_of_memory(*what: object, **how: object) -> None:
                raise MachineError("the second one's memory ran out")

            train.train_dpo = out_of_memory  # type: ignore[assignment]
        elif how == "abort":
            os.abort()
    if how == "divergence":
        from codepref.training import trainer

        def diverge_first(*what: object) -> None:
            if os.environ["RANK"] == "1":
                raise GateError("the second one's loss is no number")
            time.sleep(60)

        trainer.restore_adapter_dropout = diverge_first
    return "cpu"


def test_what_ends_the_second_process_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    job = {"given": pairs(8), "model": "starter", "settings": replace(SETTINGS, processes=2)}
    with pytest.raises(MachineError, match="the second one's memory ran out"):
        launched(
            job | {"out": tmp_path / "a", "device": EndsTheSecond("mistake")}, processes=2, accelerate="", progress=None
        )
    with pytest.raises(MachineError, match=r"Segmentation of the moon \| Signal 6 \(SIGABRT\)") as caught:
        launched(
            job | {"out": tmp_path / "b", "device": EndsTheSecond("abort")}, processes=2, accelerate="", progress=None
        )
    assert "=====" not in str(caught.value)
    out = tmp_path / "empty" / "c"
    with pytest.raises(GateError, match="the second one's loss is no number"):
        launched(job | {"out": out, "device": EndsTheSecond("divergence")}, processes=2, accelerate="", progress=None)
    assert not list(out.parent.iterdir())  # the first was ended while it slept, and could remove nothing


def test_the_last_words_are_the_workers_and_not_the_launchers() -> None:
    report = """E1127 23:58:24.577000 35 torch/distributed/elastic/multiprocessing/api.py:1002] failed (exitcode: 1)
Traceback (most recent call last):
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
Root Cause (first observed failure):
  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html
"""
    assert last_words(f"one\ntwo\n\nthree\nValueError: four\n{report}") == "two | three | ValueError: four"
    assert last_words(report) == last_words("") == "they wrote nothing"
    assert last_words("no launcher\nspoke") == "no launcher | spoke"


SCRIPT = """
import atexit
import sys
import torch
from accelerate import Accelerator
from codepref.training.processes import first_alone, own_end

with own_end():
    atexit.register(print, "reported")
    model = Accelerator(cpu=True).prepare(torch.nn.Linear(8, 8))
    model(torch.randn(4, 8)).sum().backward()
    assert [first_alone(lambda: k, cpu=True) for k in range(20)] == list(range(20))
    if sys.argv[1:]:
        raise ValueError("a mistake")
"""


def test_a_process_ends_before_python_is_shut_down(tmp_path: Path) -> None:
    """Without `own_end` about one of four such runs ends with SIGABRT, long after its work."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.count("reported")) == (0, 2), done.stderr
    wrong = subprocess.run([*run, "wrong"], capture_output=True, text=True, timeout=300)
    assert wrong.returncode == 1
    assert "ValueError: a mistake" in wrong.stderr


def test_an_accelerate_configuration_starts_the_same_worker(tmp_path: Path) -> None:
    assert command(tmp_path, 1, "fsdp.yaml")[1:] == [
        "-m",
        "accelerate.commands.launch",
        "--config_file",
        "fsdp.yaml",
        "-m",
        "codepref.training.worker",
        str(tmp_path),
    ]


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "recipes" / "accelerate").glob("*.yaml")))
def test_the_shipped_configurations_are_read_by_accelerate(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    assert load_config_from_file(str(path)).num_processes == 8
