"""Tests of the real-model benchmark: the split, the plan of stages, the journal, and tables of hand-made figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.real_model.__main__ import build_parser, command_of
from benchmarks.real_model.bench import gold_examples
from benchmarks.real_model.claims import question_lines, verdict
from benchmarks.real_model.figures import BOTH, GREEDY, SAMPLED, Figures, pooled
from benchmarks.real_model.journal import Journal
from benchmarks.real_model.measure import blocked, check_same, measure, row_settings
from benchmarks.real_model.pilot import best_rates
from benchmarks.real_model.plan import Stage, expected_seconds, pending, plan, samplers, stages_of
from benchmarks.real_model.results import counts, read_counts
from benchmarks.real_model.settings import BASE, BASELINE, HELDOUT, ROWS, VALIDATION, Sizes, with_rates
from benchmarks.real_model.split import split
from benchmarks.real_model.table import table
from codepref.errors import GateError, UserError
from codepref.evaluation.comparison import Comparison
from codepref.evaluation.scores import ProblemScore, Scores
from codepref.records import Problem


def problems(start: str, count: int) -> list[Problem]:
    return [Problem(f"{start}/{number}", f"Write the function f{number}.", f"f{number}") for number in range(count)]


MBPP, HUMANEVAL = problems("Mbpp", 200), problems("HumanEval", 20)


def ids(part: list[Problem]) -> list[str]:
    return [problem.task_id for problem in part]


def test_the_parts_of_the_split_share_no_problem_and_hold_all_of_them() -> None:
    found = split(MBPP, HUMANEVAL, Sizes())
    mbpp = [*ids(found.train), *ids(found.validation), *ids(found.heldout)]
    assert sorted(mbpp) == sorted(ids([*MBPP, *HUMANEVAL]))
    assert len(found.validation) == VALIDATION
    assert len(found.heldout) == HELDOUT + len(HUMANEVAL)


def test_the_seed_and_the_ids_alone_decide_the_split() -> None:
    first, again = split(MBPP, HUMANEVAL, Sizes()), split(MBPP[::-1], HUMANEVAL[::-1], Sizes())
    assert first == again
    assert ids(split(MBPP, HUMANEVAL, Sizes(), seed=1).train) != ids(first.train)


def test_a_limit_moves_no_problem_to_another_part() -> None:
    whole, small = split(MBPP, HUMANEVAL, Sizes()), split(MBPP, HUMANEVAL, Sizes(train=5, validation=4, heldout=3))
    assert ids(small.train) == ids(whole.train)[:5]
    assert ids(small.validation) == ids(whole.validation)[:4]
    assert ids(small.heldout) == [*ids(whole.heldout)[:3], *ids(whole.heldout)[HELDOUT:][:3]]


def test_a_training_problem_that_contains_a_heldout_problem_is_left_out() -> None:
    copied = split(MBPP, HUMANEVAL, Sizes()).train[0]
    statement = "Return the number of words in a text that begin with the letter that is most frequent in it."
    mbpp = [replace(one, prompt=statement) if one is copied else one for one in MBPP]
    found = split(mbpp, [*HUMANEVAL, Problem("HumanEval/99", f"{statement} Blanks do not count.", "f")], Sizes())
    assert found.contaminated == [copied.task_id]
    assert copied.task_id not in ids(found.train)


def test_problems_that_leave_none_for_training_are_refused() -> None:
    with pytest.raises(UserError, match="must hold more than"):
        split(MBPP[: VALIDATION + HELDOUT], HUMANEVAL, Sizes())


def test_the_stages_of_a_row_begin_with_those_that_it_needs() -> None:
    shared = ["base/sample", "base/execute"]
    assert stages_of(ROWS["sft-gold"], ROWS) == ["sft-gold/train", "sft-gold/score"]
    assert stages_of(ROWS["dpo"], ROWS) == [*shared, "dpo/pairs", "dpo/train", "dpo/score"]
    own = ["base/tests", "base/own", "agreement-dpo/pairs", "agreement-dpo/train", "agreement-dpo/score"]
    assert stages_of(ROWS["agreement-dpo"], ROWS) == [*shared, *own]
    first = ["dpo-likelihood/pairs", "dpo-likelihood/train", "dpo-likelihood/sample", "dpo-likelihood/execute"]
    second = ["two-rounds/pairs", "two-rounds/train", "two-rounds/score"]
    assert stages_of(ROWS["two-rounds"], ROWS) == [*shared, *first, *second]


def test_a_row_counts_the_answers_of_all_models_from_which_it_learns() -> None:
    assert samplers(ROWS["sft-gold"], ROWS) == []
    assert samplers(ROWS["dstc-kto"], ROWS) == ["base/sample", "base/tests"]
    assert samplers(ROWS["two-rounds"], ROWS) == ["base/sample", "dpo-likelihood/sample"]


def test_the_plan_names_each_stage_once_and_each_row_with_its_own_seeds() -> None:
    stages = plan(ROWS, ["cpo", "dpo", BASE], [1, 0])
    names = ["base/score", "base/sample", "base/execute", "dpo/pairs", "dpo/train", "dpo/score"]
    one_seed = ["cpo/pairs", "cpo/train", "cpo/score"]
    assert stages == [*(Stage(0, name) for name in [*names, *one_seed]), *(Stage(1, name) for name in names)]


def test_what_is_done_is_not_pending() -> None:
    stages = plan(ROWS, ["dpo"], [0])
    assert pending(stages, {Stage(0, "base/sample"), Stage(1, "dpo/pairs")}) == stages[1:]


def test_a_pending_stage_is_expected_to_take_the_mean_of_its_step() -> None:
    seconds = {Stage(0, "dpo/train"): 100.0, Stage(0, "cpo/train"): 300.0}
    assert expected_seconds([Stage(1, "dpo/train"), Stage(1, "dpo/score")], seconds) == (200.0, 1)


def test_a_finished_stage_is_not_done_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def work() -> dict[str, Any]:
        calls.append("called")
        return {"pairs": 3}

    journal, stage = Journal(tmp_path), Stage(0, "dpo/pairs")
    assert journal.result(stage) is None
    assert journal.run(stage, work)["pairs"] == journal.run(stage, work)["pairs"] == 3
    assert calls == ["called"]
    assert journal.done().keys() == {stage}


def test_the_seconds_of_an_interrupted_try_are_added(tmp_path: Path) -> None:
    journal, stage = Journal(tmp_path), Stage(0, "dpo/train")

    def killed() -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.run(stage, killed)
    assert journal.result(stage) is None
    clock = journal.file(stage).with_suffix(".clock")
    clock.write_text('{"seconds": 500.0, "cpu_seconds": 900.0}')
    result = journal.run(stage, dict)
    assert 500.0 <= result["seconds"] < 510.0
    assert 900.0 <= result["cpu_seconds"] < 910.0
    assert not clock.exists()


def test_two_processes_cannot_work_in_one_folder(tmp_path: Path) -> None:
    with Journal(tmp_path).alone(), pytest.raises(UserError, match="another process"), Journal(tmp_path).alone():
        pass


def test_other_settings_are_refused_in_the_same_folder(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    check_same(file, row_settings(ROWS["dpo"]), "folder")
    check_same(file, row_settings(ROWS["dpo"]), "folder")
    other = replace(ROWS["dpo"], training=replace(ROWS["dpo"].training, learning_rate=1.0))
    with pytest.raises(UserError, match="training"):
        check_same(file, row_settings(other), "folder")


class FakeBench:
    """Stands for a bench. It lists the names of the stages in `did`, and raises GateError in the stage `refused`."""

    def __init__(self, folder: Path, refused: str = "") -> None:
        self.folder, self.rows, self.refused = folder, ROWS, refused
        self.did: list[str] = []

    def place(self, seed: int, owner: str) -> Path:
        return self.folder / f"seed-{seed}" / owner

    def do(self, stage: Stage) -> dict[str, Any]:
        self.did.append(stage.name)
        if stage.name == self.refused:
            raise GateError("the loss is not a number")
        return {}


def test_a_second_call_does_nothing_again(tmp_path: Path) -> None:
    bench: Any = FakeBench(tmp_path)
    assert measure(bench, ["dpo"], [0]) == 0
    assert measure(bench, ["dpo", "cpo"], [0]) == 0
    assert bench.did == [*stages_of(ROWS["dpo"], ROWS), "cpo/pairs", "cpo/train", "cpo/score"]


def test_a_row_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    bench: Any = FakeBench(tmp_path, "dpo-likelihood/train")
    assert measure(bench, ["dpo-likelihood", "two-rounds", "cpo"], [0]) == 7
    assert bench.did[2:] == ["dpo-likelihood/pairs", "dpo-likelihood/train", "cpo/pairs", "cpo/train", "cpo/score"]
    assert blocked(Journal(tmp_path), ROWS, Stage(0, "two-rounds/pairs"))
    assert not blocked(Journal(tmp_path), ROWS, Stage(1, "two-rounds/pairs"))


def test_gold_solutions_are_taught_in_a_block_of_code() -> None:
    gold = replace(MBPP[0], gold="\ndef f0():\n    return 0\n")
    (example,) = gold_examples([gold, MBPP[1]]).examples
    assert example.completion == [{"role": "assistant", "content": "```python\ndef f0():\n    return 0\n```"}]
    assert "Write the function f0." in example.prompt[-1]["content"]


def test_the_pilot_takes_the_best_rate_and_of_equal_rates_the_lowest() -> None:
    passed = {"sft-chosen-1e-05": 0.05, "sft-chosen-3e-05": 0.08, "sft-chosen-1e-04": 0.08, "dpo-likelihood-1e-05": 0.1}
    assert best_rates(passed) == {"sft-chosen": 3e-5, "dpo-likelihood": 1e-5}


def test_rates_of_the_command_line_reach_their_rows() -> None:
    rows = with_rates(ROWS, 1.0, 2.0)
    assert {name: rows[name].training.learning_rate for name in ("sft-gold", "rft", "dpo", "kto", "simpo")} == {
        "sft-gold": 1.0,
        "rft": 1.0,
        "dpo": 2.0,
        "kto": 2.0,
        "simpo": 2.0,
    }


def test_the_published_command_measures_all_rows_and_names_no_path() -> None:
    words = ["measure", "--data", "/data", "--model", "/model", "--rows", "dpo", "--seeds", "0", "--train", "40"]
    options = build_parser().parse_args([*words, "--engine", "vllm", "--engine-python", "/vllm"])
    command = "python -m benchmarks.real_model measure --data DATA --model MODEL --train 40 --engine vllm"
    assert command_of(options) == f"{command} --engine-python PYTHON"


HELD = ["Mbpp/1", "Mbpp/2", "HumanEval/1", "HumanEval/2"]


def row(name: str, seed: int, greedy: str, sampled: str) -> dict[str, Any]:
    """Return a row of the document. greedy, sampled: the numbers of correct answers to each problem of HELD."""
    trained = {"pairs": 40, "steps": 15, "kept_step": 10, "tokens_read": 9000, "share_right": 1.0}
    return {
        "row": name,
        "seed": seed,
        "tokens_written": 5000,
        **({} if name == BASE else trained),
        "seconds": {part: {"seconds": 60.0, "cpu_seconds": 120.0} for part in ("answers", "training", "scores")},
        "greedy": {"correct": greedy, "n": "1 1 1 1"},
        "sampled": {"correct": sampled, "n": "5 5 5 5"},
    }


def document(*rows: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "command": "python -m benchmarks.real_model measure",
        "machine": {"cores": 2, "cpu": "a processor"},
        "date": "2026-11-29",
        "model": "a model",
        "engine": "codepref's own engine",
        "sizes": {"solutions": 16, "max_new_tokens": 256},
        "problems": {"train": 3, "validation": 2, "MBPP+": 2, "HumanEval+": 2, "contaminated": []},
        "heldout": " ".join(HELD),
        "rows": list(rows),
        "failed": [{"row": "orpo", "seed": 0, "step": "train", "reason": "it diverged"}],
    }


SMALL = document(
    row(BASE, 0, "1 0 0 0", "2 0 0 0"),
    row(BASE, 1, "1 0 0 0", "4 0 0 0"),
    row(BASELINE, 0, "1 0 1 0", "3 1 0 0"),
    row("dpo", 0, "1 1 1 0", "5 2 0 1"),
    row("dpo", 1, "0 1 1 0", "5 2 0 1"),
)


def test_a_row_has_the_mean_of_its_seeds() -> None:
    figures = Figures.of(SMALL)
    sampled, greedy = figures.score("dpo", SAMPLED), figures.score("dpo", GREEDY)
    assert sampled is not None
    assert greedy is not None
    assert sampled.value == pytest.approx((1 + 0.4 + 0 + 0.2) / 4)
    assert greedy.value == pytest.approx((0.5 + 1 + 1 + 0) / 4)
    mbpp = figures.score(BASE, SAMPLED, "MBPP+")
    assert mbpp is not None
    assert mbpp.value == pytest.approx(0.3)  # 6 of 10 answers to the first problem, and none to the second


def test_rows_are_compared_on_the_seeds_that_both_have() -> None:
    figures = Figures.of(SMALL)
    over_base, over_sft = (figures.comparison(one, "dpo", SAMPLED) for one in (BASE, BASELINE))
    assert over_base is not None
    assert over_sft is not None
    assert over_base.difference == pytest.approx((0.4 + 0.4 + 0 + 0.2) / 4)
    assert over_sft.difference == pytest.approx((0.4 + 0.2 + 0 + 0.2) / 4)
    assert figures.by_seed(BASE, "dpo", SAMPLED) == pytest.approx([0.3, 0.2])
    assert figures.comparison(BASE, "kto", SAMPLED) is None


def test_the_counts_of_problems_are_summed_over_seeds() -> None:
    parts = [Scores("dpo", (ProblemScore("a", "sampled", 5, correct),), (1,)) for correct in (1, 4)]
    assert pooled("dpo", parts).problems == (ProblemScore("a", "sampled", 10, 5),)


def test_counts_are_read_back() -> None:
    scores = read_counts(SMALL["rows"][0], HELD)
    assert counts(scores, HELD) == {kind: SMALL["rows"][0][kind] for kind in ("greedy", "sampled")}


def test_the_table_shows_the_figures_of_measured_rows_only() -> None:
    text = table(SMALL)
    both = text[text.index("## Both sets") : text.index("## MBPP+")]
    line = next(line for line in both.splitlines() if line.startswith("| dpo |"))
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[:3] == ["dpo", "pairs by true tests", "2"]
    assert cells[3].startswith("62.5 [")
    assert cells[4].startswith("40.0 [")
    assert cells[6].startswith("+25.0 [")
    assert cells[8].startswith("+20.0 [")
    assert cells[9] == "+20.0"
    assert "| kto |" not in text
    assert "| dpo | 1 | 40 | 100% | 5,000 | 9,000 | 10 of 15 | 2 | 2 | 2 |" in text
    assert "| orpo | 0 | train | it diverged |" in text


def compared(low: float, high: float) -> Comparison:
    return Comparison(SAMPLED, 0.1, 0.2, 0.1, low, high, 0.01, "sign-flip", 10, 3, 1, 6)


def test_the_interval_decides_what_is_said_of_a_claim() -> None:
    cases = [(compared(0.01, 0.2), "supported"), (compared(-0.2, -0.01), "contradicted"), (compared(-0.1, 0.1), "open")]
    assert [verdict(one) for one, _ in cases] == [expected for _, expected in cases]
    assert verdict(None) == "not measured"


def test_the_share_of_the_gain_without_true_tests_is_worked_out() -> None:
    rows = [row(BASE, 0, "0 0 0 0", "0 0 0 0"), row("dpo-likelihood", 0, "0 0 0 0", "4 4 0 0")]
    lines = list(question_lines(Figures.of(document(*rows, row("agreement-dpo", 0, "0 0 0 0", "2 4 0 0")))))
    assert "`agreement-dpo` gains +30.0 points over the base model and `dpo-likelihood` +40.0: 0.75." in lines[-1]
    assert BOTH in lines[0]
