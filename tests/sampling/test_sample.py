"""Tests of sampling: the order of requests, resuming after an interruption, and the choice of an engine."""

import io
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import codepref
from codepref.errors import UserError
from codepref.records import Message, Problem
from codepref.registry import Registry
from codepref.sampling.engines import ENGINES, Answer, Ask, Decoding, ask_seed, model_fingerprint, open_engine
from codepref.sampling.engines.scripted import ScriptedEngine
from codepref.sampling.sample import sample, sample_to_file
from codepref.sampling.spool import Spool
from codepref.storage.files import read_jsonl
from codepref.storage.progress import ProgressLine

PROBLEMS = [Problem(task_id=f"t{i}", prompt="word " * (i + 1), entry_point="f") for i in range(5)]


class Counting:
    """An engine that writes into each answer the seed of this answer, and records what it is asked.

    It raises KeyboardInterrupt before answer number `stop_at`, counted from 0. It answers each pair of asks in reverse.
    """

    fingerprint = "counting"

    def __init__(self, stop_at: int = -1) -> None:
        self.asked: list[tuple[str, int]] = []
        self.stop_at = stop_at
        self.batch_size = 0

    def prompt_length(self, messages: Sequence[Message]) -> int:
        return len(messages[0]["content"].split())

    def prepare(self, *, batch_size: int, folder: Path | None, on_tokens: Callable[[int], None]) -> None:
        self.batch_size, self.on_tokens = batch_size, on_tokens

    def answers(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> Iterator[tuple[int, Answer]]:
        for place in sorted(range(len(asks)), key=lambda at: at ^ 1):
            if len(self.asked) == self.stop_at:
                raise KeyboardInterrupt
            ask = asks[place]
            self.asked.append((ask.task_id, ask.sample))
            self.on_tokens(10)
            yield place, Answer(f"def f(): return {ask_seed(ask, seed)}", finished=ask.sample != 1)


class Batched:
    """An engine as other packages wrote it before engines yielded their answers. It records its batches."""

    fingerprint = "batched"

    def __init__(self) -> None:
        self.batches: list[list[Ask]] = []

    def prompt_length(self, messages: Sequence[Message]) -> int:
        return len(messages[0]["content"].split())

    def answer(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> list[Answer]:
        self.batches.append(list(asks))
        return [Answer(f"def f(): return {seed}, {ask.task_id!r}, {ask.sample}") for ask in asks]


def test_rows_are_ordered_by_problem_and_sample_and_hold_the_program() -> None:
    rows = sample(PROBLEMS, Counting(), n=3)
    assert [(row["task_id"], row["sample"]) for row in rows] == [(f"t{i}", j) for i in range(5) for j in range(3)]
    assert rows[0]["solution"].startswith("def f()")
    assert [row["finished"] for row in rows[:3]] == [True, False, True]
    assert len({row["completion"] for row in rows}) == 15  # the answers have different seeds


def test_the_longest_prompts_are_asked_first_and_the_answers_to_one_problem_together() -> None:
    engine = Counting()
    sample(PROBLEMS, engine, n=2, batch_size=4)
    assert [task for task, _ in engine.asked] == ["t4", "t4", "t3", "t3", "t2", "t2", "t1", "t1", "t0", "t0"]
    assert engine.batch_size == 4


def test_an_engine_that_answers_in_batches_still_works(tmp_path: Path) -> None:
    engine = Batched()
    rows = sample(PROBLEMS, engine, n=2, batch_size=4, out=tmp_path / "solutions.jsonl")
    assert [[ask.task_id for ask in batch] for batch in engine.batches] == [
        ["t4", "t4", "t3", "t3"],
        ["t2", "t2", "t1", "t1"],
        ["t0", "t0"],
    ]
    assert all(f"{row['task_id']!r}, {row['sample']}" in row["completion"] for row in rows)


def test_an_interrupted_sampling_continues_and_writes_the_same_file(tmp_path: Path) -> None:
    uninterrupted = sample(PROBLEMS, Counting(), n=2, seed=5)
    out = tmp_path / "solutions.jsonl"
    with pytest.raises(KeyboardInterrupt):
        sample(PROBLEMS, Counting(stop_at=6), n=2, seed=5, out=out)
    assert not out.exists()
    second = Counting()
    rows = sample(PROBLEMS, second, n=2, seed=5, out=out)
    assert [task for task, _ in second.asked] == ["t1", "t1", "t0", "t0"]  # the first six answers were saved
    assert rows == uninterrupted == [row for _, row in read_jsonl(out)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".solutions.jsonl.key", "solutions.jsonl"]
    third = Counting()
    assert sample(PROBLEMS, third, n=2, seed=5, out=out, batch_size=1) == rows
    assert third.asked == []  # a finished call is not repeated
    sample(PROBLEMS, third, n=2, seed=6, out=out)
    assert len(third.asked) == 10  # another seed needs new answers


def test_the_rows_of_a_large_call_are_not_kept_in_memory(tmp_path: Path) -> None:
    class Long(Counting):
        def answers(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> Iterator[tuple[int, Answer]]:
            yield from ((place, Answer(f"{place:04096}")) for place in range(len(asks)))

    tracemalloc.start()
    sample_to_file(PROBLEMS, Long(), tmp_path / "tests.jsonl", kind="tests", n=2000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "tests.jsonl").stat().st_size > 40_000_000
    assert peak < 8_000_000


def test_two_models_get_the_same_seeds() -> None:
    class Other(Counting):
        fingerprint = "other"

    assert sample(PROBLEMS, Counting(), n=2, seed=5) == sample(PROBLEMS, Other(), n=2, seed=5)


def test_another_seed_or_temperature_uses_no_answer_of_an_interrupted_call(tmp_path: Path) -> None:
    out = tmp_path / "solutions.jsonl"
    with pytest.raises(KeyboardInterrupt):
        sample(PROBLEMS, Counting(stop_at=9), n=2, seed=5, out=out)
    for seed, decoding in ((6, Decoding()), (5, Decoding(temperature=0.1))):
        engine = Counting()
        sample(PROBLEMS, engine, n=2, seed=seed, decoding=decoding, out=out)
        assert len(engine.asked) == 10


def test_a_problem_with_another_entry_point_style_or_preamble_is_answered_again(tmp_path: Path) -> None:
    first = Problem("t", "Write it.", "f", preamble="import math\n")
    engine, out = Counting(), tmp_path / "out.jsonl"
    sample_to_file([first], engine, out, n=1)
    sample_to_file([replace(first)], engine, out, n=1)
    assert len(engine.asked) == 1
    for changed in (replace(first, entry_point="g"), replace(first, style="complete"), replace(first, preamble="")):
        before = len(engine.asked)
        sample_to_file([changed], engine, out, n=1, template="{prompt}")
        assert len(engine.asked) == before + 1


def test_the_rest_of_a_line_that_a_crash_left_is_asked_again(tmp_path: Path) -> None:
    out = tmp_path / "solutions.jsonl"
    with pytest.raises(KeyboardInterrupt):
        sample(PROBLEMS, Counting(stop_at=6), n=2, out=out)
    (spool,) = (tmp_path / "solutions.jsonl.parts").glob("*.rows")
    spool.write_bytes(spool.read_bytes()[:-9])
    second = Counting()
    assert sample(PROBLEMS, second, n=2, out=out) == sample(PROBLEMS, Counting(), n=2)
    assert len(second.asked) == 5


def test_two_processes_cannot_write_the_same_file(tmp_path: Path) -> None:
    with (
        Spool(tmp_path / "x.rows", 3),
        pytest.raises(UserError, match="another codepref process"),
        Spool(tmp_path / "x.rows", 3),
    ):
        pass


def test_the_progress_shows_answers_and_tokens_a_second() -> None:
    stream = io.StringIO()
    times = iter(range(0, 10_000, 20))
    line = ProgressLine("sample", stream=stream, clock=lambda: float(next(times)))
    sample(PROBLEMS, Counting(), n=2, progress=line)
    first, *_, last = stream.getvalue().splitlines()
    assert first.startswith("sample: 0/10")  # tokens come before the first answer
    assert last.startswith("sample: 10/10")
    assert "tokens/s" in first


def test_the_scripted_engine_answers_in_order_and_starts_again(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(
        '{"task_id": "t0", "completion": "def f(): return 1"}\n{"task_id": "t0", "completion": "def f(): return 2"}\n'
        '{"task_id": "t0", "kind": "tests", "completion": "assert f() == 1"}\n'
    )
    rows = sample(PROBLEMS[:1], f"scripted:{script}", n=3)
    assert [row["completion"][-1] for row in rows] == ["1", "2", "1"]
    assert sample(PROBLEMS[:1], f"scripted:{script}", kind="tests", n=1)[0]["completion"] == "assert f() == 1"
    with pytest.raises(UserError, match="no answer of kind 'solutions' for task 't1'"):
        sample(PROBLEMS[1:2], ScriptedEngine.from_file(script), n=1)


@pytest.mark.parametrize(
    ("problems", "kind", "n", "message"),
    [
        (PROBLEMS, "answers", 1, "solutions or tests"),
        (PROBLEMS, "tests", 0, "at least 1"),
        (PROBLEMS[:1] * 2, "tests", 1, "share"),
    ],
)
def test_wrong_input_is_refused(problems: list[Problem], kind: str, n: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        sample(problems, Counting(), kind=kind, n=n)


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    message = r"script:x: unknown engine 'script' \(did you mean 'scripted'\?\); known: transformers, scripted"
    with pytest.raises(UserError, match=message):
        open_engine("script:x")
    with pytest.raises(UserError, match=message):
        model_fingerprint("script:x")


def test_a_folder_with_a_colon_is_a_model_and_not_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b").mkdir()
    with pytest.raises(UserError, match=r"a:b: holds no config\.json"):
        open_engine("a:b")


def test_the_default_engine_can_be_named() -> None:
    assert model_fingerprint("transformers:starter") == model_fingerprint("starter")
    assert open_engine("transformers:starter").fingerprint == open_engine("starter").fingerprint


def test_an_engine_of_another_package_is_chosen_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "acme_engine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-engine\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[codepref.engines]\nacme = acme_engine:Echo\n")
    (tmp_path / "acme_engine.py").write_text(
        "from codepref.sampling.engines import Answer\n"
        "class Echo:\n"
        "    def __init__(self, model, *, dtype, device):\n"
        "        self.fingerprint = f'echo/{model}'\n"
        "    def prompt_length(self, messages):\n"
        "        return 1\n"
        "    def answer(self, asks, decoding, seed):\n"
        "        return [Answer(f'def f(): return {self.fingerprint!r}') for ask in asks]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    table = Registry("engine", "codepref.engines", ENGINES.builtin)
    monkeypatch.setattr("codepref.sampling.engines.ENGINES", table)
    rows = sample(PROBLEMS[:1], "acme:v1", n=1, out=tmp_path / "solutions.jsonl")
    assert rows[0]["completion"] == "def f(): return 'echo/v1'"
    assert model_fingerprint("acme:v1") == "echo/v1"
    assert (
        codepref.sample(PROBLEMS[:1], "acme:/models/own/v1", n=1)[0]["completion"]
        == "def f(): return 'echo//models/own/v1'"
    )
