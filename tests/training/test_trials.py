"""Tests of the choice of the weight of the likelihood term by short trainings."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codepref.config.sections import TrainingSection
from codepref.errors import GateError, UserError
from codepref.records import Pair, Problem, Test
from codepref.training import trials as module
from codepref.training.checks import weight_mistakes
from codepref.training.job import TrainingJob, ValidationSettings
from codepref.training.result import TrainingResult
from codepref.training.trials import best_weight, choose_weight, clear_trials, folder_of

PAIR = Pair("t", [], [], [], "rule", 1.0, 0, 1)
VALIDATION = ValidationSettings([Problem("v", "Add.", "f", (Test("v", "0", "assert f(1) == 2"),))])
RATES = {0.0: 0.2, 1.0: 0.5, 5.0: 0.4}


def trial(weight: float, rate: float, logp: float = -1.0, failed: str = "") -> dict[str, Any]:
    return {"chosen_weight": weight, "pass_rate": rate, "chosen_logp": logp, "failed": failed}


def test_the_weight_with_the_best_validation_result_is_taken() -> None:
    assert best_weight([trial(0, 0.2), trial(1, 0.5), trial(5, 0.4)]) == 1
    # of equal pass rates, the one with the likelier chosen answers is taken, and then the larger weight
    assert best_weight([trial(0, 0.5, -0.4), trial(1, 0.5, -0.3), trial(5, 0.5, -0.9)]) == 1
    assert best_weight([trial(0, 0.5), trial(1, 0.5)]) == 1
    assert best_weight([trial(0, 0.9, failed="diverged"), trial(1, 0.1)]) == 1


def test_trials_that_all_fail_end_the_run() -> None:
    with pytest.raises(GateError, match=r"each trial .* failed \(0: diverged; 1: too\)"):
        best_weight([trial(0, 0, failed="diverged"), trial(1, 0, failed="too")])


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[TrainingJob]:
    """Replace the training by a function that returns made-up probes, and return the list of its jobs.

    A job with the weight 7 diverges.
    """
    seen: list[TrainingJob] = []

    def train(job: TrainingJob, data: Any) -> TrainingResult:
        seen.append(job)
        if job.settings.chosen_weight == 7:
            raise GateError("training diverged")
        job.out.mkdir()
        probes = [
            {"step": step, "pass_rate": rate, "difference": rate - 0.1, "low": 0.0, "high": 0.2, "chosen_logp": -1.0}
            for step, rate in ((0, 0.1), (3, RATES[job.settings.chosen_weight]))
        ]
        return TrainingResult(job.out, 1, 3, 0.7, probes=probes)

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "fingerprint", lambda model: model)
    return seen


def job(tmp_path: Path) -> TrainingJob:
    settings = TrainingSection(epochs=2.0, chosen_weight=9.0)
    return TrainingJob("starter", tmp_path / "model", settings, validation=VALIDATION)


def test_each_weight_trains_for_a_part_of_the_epochs(tmp_path: Path, jobs: list[TrainingJob]) -> None:
    messages: list[str] = []
    weight, trials = choose_weight(job(tmp_path), [PAIR], [0.0, 1.0, 7.0, 5.0], 0.25, messages.append)
    assert weight == 1.0
    assert [one.settings.chosen_weight for one in jobs] == [0.0, 1.0, 7.0, 5.0]
    assert {one.settings.epochs for one in jobs} == {0.5}
    assert [one.get("pass_rate") for one in trials] == [0.2, 0.5, None, 0.4]
    assert trials[2] == {"chosen_weight": 7.0, "failed": "training diverged"}
    assert messages[1] == (
        "chosen_weight 1: pass@1 on validation problems 50.0 after 3 steps, difference +40.0 [+0.0, +20.0]"
    )
    assert not [path for path in folder_of(job(tmp_path)).iterdir() if path.is_dir()], "no model of a trial is kept"


def test_trials_that_were_finished_are_not_repeated(tmp_path: Path, jobs: list[TrainingJob]) -> None:
    first = choose_weight(job(tmp_path), [PAIR], [0.0, 1.0], 0.25)
    again = choose_weight(job(tmp_path), [PAIR], [0.0, 1.0, 5.0], 0.25)
    assert again[1][:2] == first[1]
    assert [one.settings.chosen_weight for one in jobs] == [0.0, 1.0, 5.0]
    # other pairs, another seed or another length are other trials
    choose_weight(job(tmp_path), [PAIR, PAIR], [0.0], 0.25)
    choose_weight(replace(job(tmp_path), seed=1), [PAIR], [0.0], 0.25)
    choose_weight(job(tmp_path), [PAIR], [0.0], 0.5)
    assert len(jobs) == 6
    clear_trials(job(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_weights_need_validation_problems(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name validation problems"):
        choose_weight(replace(job(tmp_path), validation=None), [PAIR], [0.0, 1.0], 0.25)


@pytest.mark.parametrize(
    ("settings", "weights", "validated", "message"),
    [
        (TrainingSection(), (0.0, 1.0), False, "needs validation problems"),
        (TrainingSection(), (1.0, 1.0), True, "all of them different"),
        (TrainingSection(), (1.0,), True, "at least two"),
        (TrainingSection(method="grpo"), (0.0, 1.0), True, "has no likelihood term"),
        (TrainingSection(method="sft"), (0.0, 1.0), True, "has no likelihood term"),
        (TrainingSection(method="rpo"), (0.0, 1.0), True, "holds 0: training.method = 'rpo' adds the likelihood"),
    ],
)
def test_weights_that_cannot_be_tried_are_refused(
    settings: TrainingSection, weights: tuple[float, ...], validated: bool, message: str
) -> None:
    assert any(message in mistake for mistake in weight_mistakes(settings, weights, validated=validated))


def test_good_weights_are_accepted() -> None:
    assert weight_mistakes(TrainingSection(), (), validated=False) == []
    assert weight_mistakes(TrainingSection(method="kto"), (0.0, 1.0), validated=True) == []
