"""Two processes train the same model as one does, up to rounding. The launcher raises the errors of a worker."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from training_script import pairs, train_on

from codepref import load_problems
from codepref.chat import TemplateError
from codepref.config.sections import OnlineSection, TrainingSection
from codepref.errors import CodeprefError, GateError, MachineError, UserError
from codepref.starter import SOLUTION_TEMPLATE
from codepref.training.job import TrainingJob, ValidationSettings
from codepref.training.launch import command, error_file, last_lines, launch, raise_reported_error, report_error
from codepref.training.methods.base import OnlineProblems

SETTINGS = TrainingSection(
    chosen_weight=0.0, learning_rate=1e-4, batch_size=8, micro_batch_size=4, epochs=2.0, max_length=256
)


def test_two_processes_have_the_curve_of_one(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    problems = load_problems("starter:validation", limit=6)
    validation = ValidationSettings(
        problems, max_new_tokens=60, every=4, patience=0, template=SOLUTION_TEMPLATE, jobs=1
    )
    one = train_on(pairs(32), "starter", tmp_path / "one", SETTINGS, seed=3)
    two = train_on(
        pairs(32),
        "starter",
        tmp_path / "two",
        replace(SETTINGS, processes=2),
        seed=3,
        validation=validation,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert len(one.curve) == len(two.curve) == 8
    assert one.curve[-1]["loss"] < 0.5  # the loss falls from 0.69, so the curves compare a model that learns
    for row, other in zip(one.curve, two.curve, strict=True):
        assert row["loss"] == pytest.approx(other["loss"], abs=1e-3)
        assert row["margin"] == pytest.approx(other["margin"], abs=1e-2)
    assert steps[-1] == (8, 8)
    assert [probe["step"] for probe in two.probes] == [0, 4, 8]
    assert two.expected_first_loss == one.expected_first_loss == pytest.approx(0.6931, abs=1e-4)
    assert not list(tmp_path.glob(".*"))
    if two.kept_step == two.steps:
        first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
        assert max(float((first[key] - second[key]).abs().max()) for key in first) < 1e-3


def test_online_methods_train_in_two_processes(tmp_path: Path) -> None:
    problems = load_problems("starter:train", limit=4)
    data = OnlineProblems(problems, OnlineSection(generations=4, max_new_tokens=40), SOLUTION_TEMPLATE, jobs=2)
    settings = TrainingSection(method="grpo", learning_rate=1e-4, batch_size=8, processes=2)
    result = train_on(data, "starter", tmp_path / "model", settings)
    assert json.loads((tmp_path / "model" / "training.json").read_text())["processes"] == 2
    assert (result.steps, result.sampled, result.pairs) == (
        2,
        16,
        4,
    )  # 4 answers to each of 4 problems, and 8 answers a step
    assert all(0 <= row["reward"] <= 1 for row in result.curve)


def test_online_methods_refuse_sharded_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    data = OnlineProblems(load_problems("starter:train", limit=4), OnlineSection(generations=4))
    with pytest.raises(UserError, match="method rloo samples from the whole model in every process"):
        train_on(data, "starter", tmp_path / "m", TrainingSection(method="rloo", batch_size=8))


def test_mistakes_and_divergence_of_a_worker_are_raised_by_the_launcher(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"2 processes cannot share training\.micro_batch_size = 1"):
        train_on(pairs(4), "starter", tmp_path / "a", replace(SETTINGS, processes=2, micro_batch_size=1))
    with pytest.raises(UserError, match=r"2 processes cannot share training\.batch_size = 5 evenly"):
        train_on(pairs(4), "starter", tmp_path / "a", replace(SETTINGS, processes=2, batch_size=5, micro_batch_size=0))
    diverging = replace(SETTINGS, processes=2, learning_rate=1e30, warmup_ratio=0.0, max_grad_norm=1e30)
    with pytest.raises(GateError, match="diverged"):
        train_on(pairs(16), "starter", tmp_path / "b", diverging)
    assert not list(tmp_path.iterdir())


class EndsTheSecond:
    """Stands for the device name of a job. When a worker reads the job, `end_the_second` is called in the worker."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return end_the_second, (self.how,)


def end_the_second(how: str) -> str:
    """Make the second process fail, and return a device name.

    how: "mistake" raises MachineError in the second process, "abort" ends it by a signal, and "divergence" raises
    GateError in it while the first process sleeps.
    """
    if os.environ["RANK"] == "1":
        print("Segmentation of the moon", flush=True)
        if how == "mistake":
            from codepref.training.methods import dpo

            def out_of_memory(job: Any, data: Any) -> None:
                raise MachineError("the second process ran out of memory")

            dpo.DPO = replace(dpo.DPO, train=out_of_memory)  # type: ignore[arg-type]
        elif how == "abort":
            os.abort()
    if how == "divergence":
        from codepref.training import trainer

        def diverge_in_the_second(*args: object) -> None:
            if os.environ["RANK"] == "1":
                raise GateError("the loss of the second process is not a number")
            time.sleep(60)

        trainer.restore_adapter_dropout = diverge_in_the_second
    return "cpu"


def test_the_reason_why_the_second_process_ended_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))

    def run(out: Path, how: str) -> None:
        device: Any = EndsTheSecond(how)
        launch(TrainingJob("starter", out, replace(SETTINGS, processes=2), device=device), pairs(8))

    with pytest.raises(MachineError, match="the second process ran out of memory"):
        run(tmp_path / "a", "mistake")
    with pytest.raises(MachineError, match=r"Segmentation of the moon \| Signal 6 \(SIGABRT\)") as caught:
        run(tmp_path / "b", "abort")
    assert "=====" not in str(caught.value)
    out = tmp_path / "empty" / "c"
    with pytest.raises(GateError, match="the loss of the second process is not a number"):
        run(out, "divergence")
    assert not list(
        out.parent.iterdir()
    )  # the launcher ended the first process in its sleep, so only the second one can have removed the folder


def test_the_error_of_the_lowest_rank_is_raised(tmp_path: Path) -> None:
    for rank in (11, 10, 2):
        report = {"kind": "UserError", "problems": [f"mistake of rank {rank}"]}
        error_file(tmp_path, rank).write_text(json.dumps(report))
    with pytest.raises(UserError, match="mistake of rank 2"):
        raise_reported_error(tmp_path)


@pytest.mark.parametrize(
    ("error", "kind"),
    [(TemplateError("the template fails"), UserError), (MachineError("no disk"), MachineError)],
)
def test_an_error_of_a_worker_is_raised_as_its_class_or_the_class_above(
    error: CodeprefError, kind: type[CodeprefError], tmp_path: Path
) -> None:
    report_error(tmp_path, 0, error)
    with pytest.raises(kind, match=f"^{error}$"):
        raise_reported_error(tmp_path)


def test_the_last_lines_are_those_of_the_workers_and_not_of_the_launcher() -> None:
    report = """E1127 23:58:24.577000 35 torch/distributed/elastic/multiprocessing/api.py:1002] failed (exitcode: 1)
Traceback (most recent call last):
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
Root Cause (first observed failure):
  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html
"""
    assert last_lines(f"one\ntwo\n\nthree\nValueError: four\n{report}") == "two | three | ValueError: four"
    assert last_lines(report) == last_lines("") == "no output"
    start = "W1127 23:58:20.100000 35 torch/distributed/run.py:874] Setting OMP_NUM_THREADS for each process to 1\n"
    assert last_lines(f"{start}{start}one\n{report}") == "one"
    assert last_lines(f"{start}{report}") == "no output"
    assert last_lines("no launcher\nwrote") == "no launcher | wrote"


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


def test_a_process_ends_without_pythons_shutdown(tmp_path: Path) -> None:
    """Without `own_end` some runs of this script end with SIGABRT after all their work."""
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
def test_accelerate_reads_the_shipped_configurations(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    assert load_config_from_file(str(path)).num_processes == 8
