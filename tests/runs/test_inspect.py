"""`codepref status` and `codepref show` on unfinished runs, runs with rounds, with a pool, and with GRPO."""

import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from codepref.errors import UserError
from codepref.runs.directory import RunDirectory
from codepref.runs.inspect import status_lines
from codepref.runs.recipes import load_recipe, parse_recipe, recipes_folder
from codepref.runs.show import show_lines
from codepref.runs.stages.grading import grading_summary
from codepref.storage.progress_file import ProgressFile

POOL = {
    "instructions": {"source": "instructions.jsonl"},
    "judge": {"model": "judge", "base_url": "http://localhost:1/v1"},
    "pairing": {"rule": "rated"},
    "pool": [{"model": "writer-a", "base_url": "http://localhost:1/v1"}],
}
RESPONSES = {
    "task_id": "instruction/7",
    "instruction": "Write a program that adds.",
    "preference": "readability",
    "models": ["writer-a", "writer-b"],
    "responses": [{"model": "writer-a", "response": "print(1 + 1)"}, {"model": "writer-b", "response": "sum"}],
    "response_ids": [0, 1],
}
JUDGMENTS = RESPONSES | {
    "annotations": [
        {"model": "writer-a", "rating": "4", "rationale": "Short\nand clear."},
        {"model": "writer-b", "rating": "N/A", "rationale": ""},
    ],
    "unjudged": ["", "no rating in the answer"],
}


def write_lines(path: Path, *rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_table(path: Path, *rows: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)


def keep_verdicts(folder: Path, *tasks: int) -> None:
    """Write a file like the one that an interrupted `execute` keeps. It ends with a line that is cut off.

    tasks: for each task, the number of verdicts in its line.
    """
    folder.mkdir(parents=True)
    lines = []
    for number, solutions in enumerate(tasks):
        rows = [[f"{place:032x}", "P", "separate", 1.0, "", ""] for place in range(solutions)]
        body = json.dumps([f"key-{number}", rows]).encode()
        lines.append(b"%08x %s\n" % (zlib.crc32(body), body))
    (folder / "verdicts.jsonl").write_bytes(b"".join(lines) + b"cut of")


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes the directory of a run in which only the stage `problems` is finished."""

    def make(recipe: str | dict[str, Any], overrides: Sequence[str] = ()) -> Path:
        if isinstance(recipe, str):
            loaded = load_recipe(recipes_folder() / "starter" / f"{recipe}.toml", overrides)
        else:
            loaded = parse_recipe(recipe, name="pool")
        with RunDirectory(tmp_path / "run", loaded) as run:
            run.claim({}, dict)
            run.stage("problems", dict)
        return tmp_path / "run"

    return make


def states(folder: Path) -> dict[str, str]:
    """Return the state of each stage as `codepref status` prints it, by stage name and without its duration."""
    lines = [line.split(maxsplit=1) for line in status_lines(folder) if line.startswith("  ")]
    return {stage: state.split(" in ")[0] for stage, state in lines}


def test_stages_that_have_not_begun_are_pending(start: Callable[..., Path]) -> None:
    state_of = states(start("dstc-dpo"))
    assert state_of.pop("problems") == "done"
    assert set(state_of.values()) == {"pending"}


def test_status_says_what_each_unfinished_stage_keeps(start: Callable[..., Path]) -> None:
    folder = start("dstc-dpo")
    write_lines(folder / "samples" / "solutions.jsonl.parts" / "a.rows", {}, {}, {})
    write_lines(folder / "samples" / "tests.jsonl.parts" / "a.rows", {})
    keep_verdicts(folder / "verdicts" / "parts", 2, 3)
    keep_verdicts(folder / "audit" / "parts", 1)
    for step in (20, 100, 140):
        (folder / ".checkpoint.partial" / f"checkpoint-{step}").mkdir(parents=True)
    for step in (20, 100):
        (folder / ".checkpoint.partial" / f"checkpoint-{step}" / "whole").write_text("")
    write_lines(folder / "evaluation" / "base" / "greedy.jsonl", {})
    keep_verdicts(folder / "evaluation" / "base" / "greedy-verdicts" / "parts", 4)
    write_lines(folder / "evaluation" / "base" / "sampled.jsonl.parts" / "a.rows", {})
    assert states(folder) == {
        "problems": "done",
        "sample-solutions": "begun, keeps 3 answers",
        "sample-tests": "begun, keeps 1 answer",
        "execute": "begun, keeps 5 judged solutions",
        "pair": "pending",
        "audit": "begun, keeps 1 judged solution",
        "train": "begun, keeps the checkpoint of step 100",
        "evaluate-base": "begun, keeps all greedy answers, 4 judged solutions, 1 sampled answer",
        "evaluate-aligned": "pending",
    }


def test_status_shows_the_rate_of_the_stages_that_have_stated_it(start: Callable[..., Path]) -> None:
    folder = start("dstc-dpo")
    parts = folder / "samples" / "solutions.jsonl.parts"
    write_lines(parts / "a.rows", {}, {}, {})
    times = iter((0.0, 10.0))
    show = ProgressFile(parts, "answers", clock=lambda: next(times))
    show(1, 9)
    show(3, 9)
    lines = status_lines(folder)
    place = next(number for number, line in enumerate(lines) if "sample-solutions" in line)
    assert lines[place].endswith("begun, keeps 3 answers")
    assert lines[place + 1].startswith("    3 of 9 answers, 0.2/s, about 30 s left; last change ")
    assert "sample-tests" in lines[place + 2]


def test_status_reads_the_folder_of_an_execution_and_the_file_of_a_sampling(tmp_path: Path) -> None:
    verdicts, answers = tmp_path / "verdicts", tmp_path / "answers.jsonl"
    keep_verdicts(verdicts / "parts", 2, 3)
    assert status_lines(verdicts) == [f"{verdicts}: 5 judged solutions"]
    write_lines(tmp_path / "answers.jsonl.parts" / "a.rows", {}, {})
    assert status_lines(answers) == [f"{answers}: 2 answers"]
    write_lines(answers, {})
    (tmp_path / "answers.jsonl.parts" / "a.rows").unlink()
    (tmp_path / "answers.jsonl.parts").rmdir()
    assert status_lines(answers) == [f"{answers}: finished"]


@pytest.mark.parametrize(("name", "message"), [("nothing", "no such file or folder"), ("empty", "is neither a run")])
def test_status_refuses_what_no_command_wrote(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        status_lines(tmp_path / name)


def test_status_says_that_a_training_has_no_checkpoint_yet(start: Callable[..., Path]) -> None:
    folder = start("grpo")
    (folder / ".checkpoint.partial").mkdir()
    assert states(folder)["train"] == "begun, keeps no checkpoint yet"


def test_status_finds_the_work_of_earlier_rounds(start: Callable[..., Path]) -> None:
    folder = start("tests-dpo", ["training.rounds=3"])
    write_lines(folder / "rounds" / "2" / "samples" / "solutions.jsonl.parts" / "a.rows", {})
    keep_verdicts(folder / "rounds" / "1" / "verdicts" / "parts", 6)
    (folder / "rounds" / "1" / ".checkpoint.partial" / "checkpoint-8").mkdir(parents=True)
    (folder / "rounds" / "1" / ".checkpoint.partial" / "checkpoint-8" / "whole").write_text("")
    begun = {stage: state for stage, state in states(folder).items() if state.startswith("begun")}
    assert begun == {
        "round-1-execute": "begun, keeps 6 judged solutions",
        "round-1-train": "begun, keeps the checkpoint of step 8",
        "round-2-sample-solutions": "begun, keeps 1 answer",
    }


def test_status_counts_the_answered_calls_of_a_pool_and_a_judge(start: Callable[..., Path]) -> None:
    folder = start(POOL)
    answer = {"text": "x", "finish": "stop", "tokens_in": 1, "tokens_out": 1, "estimated": False}
    calls = [{"k": f"call {place}", "e": "writer-a", "s": 0.0, "c": 0.0, "a": answer} for place in range(3)]
    write_lines(folder / "responses.jsonl.calls" / "calls.jsonl", *calls)
    write_lines(folder / "judgments.jsonl.calls" / "calls.jsonl", calls[0])
    assert states(folder)["respond"] == "begun, keeps 3 answered calls"
    assert states(folder)["judge"] == "begun, keeps 1 answered call"


def test_a_summary_leaves_out_an_unfinished_grading(tmp_path: Path) -> None:
    write_lines(tmp_path / "grading" / "base" / "responses.jsonl", RESPONSES)
    assert grading_summary(tmp_path, ("base", "aligned"), seed=0) == {}


def test_show_prints_a_pools_responses_with_their_ratings_and_the_pair(start: Callable[..., Path]) -> None:
    folder = start(POOL)
    write_lines(folder / "responses.jsonl", RESPONSES)
    text = "\n".join(show_lines(folder, "instruction/7"))
    assert "instruction/7: 2 responses, preference readability" in text
    assert "response 0 by writer-a  (not rated)\n    print(1 + 1)" in text
    write_lines(folder / "judgments.jsonl", JUDGMENTS)
    pair = {"task_id": "instruction/7", "rule": "rated", "chosen_id": 0, "rejected_id": 1, "confidence": 0.5}
    write_table(folder / "pairs.parquet", pair)
    text = "\n".join(show_lines(folder, "instruction/7"))
    assert "    Write a program that adds." in text
    assert "response 0 by writer-a  rating 4\n    print(1 + 1)\n    rationale: Short and clear." in text
    assert "response 1 by writer-b  rating N/A (no rating in the answer)" in text
    assert "pair by rated: response 0 over 1, confidence 0.50" in text
    with pytest.raises(UserError, match=r"holds no answers to task 'none'.*a task of this run is instruction/7"):
        show_lines(folder, "none")


def test_show_prints_ratings_beside_the_policys_own_solutions(start: Callable[..., Path]) -> None:
    folder = start("rubric-dpo")
    rows = [{"task_id": "instruction/7", "solution": text, "completion": text} for text in ("x = 1\ny = 2", "")]
    write_lines(folder / "samples" / "solutions.jsonl", *rows)
    write_lines(folder / "judgments.jsonl", JUDGMENTS)
    write_table(
        folder / "verdicts" / "verdicts.parquet", {"task_id": "instruction/7", "solution_id": 0, "verdicts": "PF"}
    )
    write_table(folder / "verdicts" / "tests.parquet", {"task_id": "instruction/7", "test_id": "0", "test": "assert x"})
    assert show_lines(folder, "instruction/7") == [
        "instruction/7: 2 solutions sampled",
        "  test 0: assert x",
        "",
        "solution 0  PF  rating 4",
        "    x = 1",
        "    y = 2",
        "",
        "solution 1  (not run)  rating N/A (no rating in the answer)",
        "    (no code)",
    ]


def test_show_prints_every_round(start: Callable[..., Path]) -> None:
    folder = start("tests-dpo", ["training.rounds=2"])
    for place, source in ((folder / "rounds" / "1", "first"), (folder, "second")):
        write_lines(place / "samples" / "solutions.jsonl", {"task_id": "a/0", "solution": source, "completion": source})
    lines = show_lines(folder, "a/0")
    assert [line for line in lines if line in ("round 1", "round 2", "    first", "    second")] == [
        "round 1",
        "    first",
        "round 2",
        "    second",
    ]


def test_show_prints_the_answers_of_the_evaluations_of_an_online_run(start: Callable[..., Path]) -> None:
    folder = start("grpo")
    with pytest.raises(UserError, match="Method grpo samples answers while it trains and does not keep them"):
        show_lines(folder, "starter/1")
    for label in ("base", "aligned"):
        for kind, count in (("greedy", 1), ("sampled", 2)):
            rows = [{"task_id": "starter/900", "solution": f"{label} {place}"} for place in range(count)]
            write_lines(folder / "evaluation" / label / f"{kind}.jsonl", *rows)
    verdicts = {"task_id": "starter/900", "solution_id": 1, "verdicts": "PPF"}
    write_table(folder / "evaluation" / "aligned" / "sampled-verdicts" / "verdicts.parquet", verdicts)
    text = "\n".join(show_lines(folder, "starter/900"))
    assert "starter/900: answers of the base model in its evaluation\n\ngreedy answer  (not run)\n    base 0" in text
    assert "sampled answer 1  PPF\n    aligned 1" in text
    with pytest.raises(UserError, match=r"keeps answers to held-out problems, such as starter/900"):
        show_lines(folder, "starter/1")
