"""Samples raw answers of a model to problems.

With an output file, each finished batch is saved. If the same call is made again after a kill, it samples at most one
batch a second time.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from codepref.chat import about
from codepref.config.templates import SOLUTION_TEMPLATE, TEST_TEMPLATE, check_template
from codepref.errors import UserError
from codepref.records import Problem
from codepref.sampling.engines import Answer, Ask, Decoding, Engine, open_engine
from codepref.sampling.prompts import request_messages
from codepref.storage.files import check_target, content_hash, read_jsonl, write_jsonl, write_text

Row = dict[str, Any]
Progress = Callable[[int, int], None]


def sample(
    problems: Sequence[Problem],
    model: str | Engine,
    *,
    kind: str = "solutions",
    n: int = 10,
    decoding: Decoding | None = None,
    template: str | None = None,
    seed: int = 0,
    batch_size: int = 128,
    out: Path | None = None,
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
) -> list[Row]:
    """Ask `model` for `n` answers of one kind to each problem.

    kind: "solutions" or "tests". model: a folder, a hub name, `starter`, `ENGINE:MODEL` such as `scripted:FILE`, or an
    Engine. template: the user message, or None for codepref's own. out: a file of JSON lines for the rows. Batches that
    an interrupted call with the same arguments finished are read from `OUT.parts/` and are not sampled again. If an
    earlier call with the same arguments is finished, its rows are read from `out`.
    Returns rows {"task_id", "sample", "completion", "finished"}, ordered by problem and sample. Rows of solutions also
    have "solution", the program in the completion ("" if there is none).
    Raises UserError for an unknown kind, n or batch_size below 1, a malformed template, an unknown model, problems
    that share a task_id, and an `out` that is a folder. Raises the errors of the engine.
    """
    _check_arguments(problems, kind, n, batch_size)
    if out:
        check_target(out)
    decoding = decoding or Decoding()
    template = template or (SOLUTION_TEMPLATE if kind == "solutions" else TEST_TEMPLATE)
    check_template(template)
    engine = open_engine(model, dtype=dtype, device=device) if isinstance(model, str) else model
    batches = plan_batches(problems, engine, kind=kind, n=n, template=template, batch_size=batch_size)
    keys = [_batch_key(batch, decoding, seed) for batch in batches]
    whole = content_hash(engine.fingerprint, keys, n)
    if out and (kept := _finished(out, whole)) is not None:
        return kept
    parts = out.with_name(out.name + ".parts") if out else None
    answers: dict[tuple[str, int], Answer] = {}
    total = n * len(problems)
    for number, (batch, key) in enumerate(zip(batches, keys, strict=True)):
        part = parts / f"{number:05d}-{_file_name(engine.fingerprint)}-{key}.jsonl" if parts else None
        answers.update(_answer_batch(engine, batch, decoding, key, part))
        if progress:
            progress(len(answers), total)
    rows = [_row(problem, kind, place, answers[problem.task_id, place]) for problem in problems for place in range(n)]
    if out and parts:
        write_jsonl(out, rows)
        write_text(_key_file(out), whole)
        shutil.rmtree(parts, ignore_errors=True)
    return rows


def _check_arguments(problems: Sequence[Problem], kind: str, n: int, batch_size: int) -> None:
    if kind not in ("solutions", "tests"):
        raise UserError(f"kind must be solutions or tests, not {kind!r}")
    for name, value in (("n", n), ("batch_size", batch_size)):
        if value < 1:
            raise UserError(f"{name} must be at least 1, not {value}")
    if len({problem.task_id for problem in problems}) < len(problems):
        raise UserError("two problems share a task_id. Give each problem a different task_id")


def plan_batches(
    problems: Sequence[Problem], engine: Engine, *, kind: str, n: int, template: str, batch_size: int
) -> list[list[Ask]]:
    """Return the requests for all answers, divided into batches of prompts with similar length.

    The longest prompts come first, so that a machine with too little memory usually fails at the start and not at the
    end.
    """
    prompts = []
    for problem in problems:
        messages = request_messages(problem, template)
        with about(f"problem {problem.task_id}"):
            length = engine.prompt_length(messages)
        prompts.append((length, problem.task_id, messages))
    prompts.sort(key=lambda item: (-item[0], item[1]))
    asks = [Ask(task_id, kind, place, messages) for _, task_id, messages in prompts for place in range(n)]
    return [asks[start : start + batch_size] for start in range(0, len(asks), batch_size)]


def _batch_key(batch: Sequence[Ask], decoding: Decoding, seed: int) -> str:
    """Return a hash of the requests, the decoding and the seed.

    The hash does not depend on the model. Two models whose batches are equal therefore draw their answers with the
    same seeds, which makes a comparison of them more precise.
    """
    return content_hash(
        [[ask.task_id, ask.kind, ask.sample, list(ask.messages)] for ask in batch], vars(decoding), seed
    )


def _file_name(fingerprint: str) -> str:
    """Return the fingerprint, or a hash of it if it is too long or has characters that do not suit a file name."""
    return fingerprint if re.fullmatch(r"[\w.-]{1,64}", fingerprint) else content_hash(fingerprint)


def _key_file(out: Path) -> Path:
    return out.with_name(f".{out.name}.key")


def _finished(out: Path, whole: str) -> list[Row] | None:
    """Return the rows of an earlier finished call with the same requests to the same model, or None."""
    key = _key_file(out)
    if not out.exists() or not key.exists() or key.read_text(encoding="utf-8") != whole:
        return None
    return [row for _, row in read_jsonl(out)]


def _answer_batch(
    engine: Engine, batch: Sequence[Ask], decoding: Decoding, key: str, part: Path | None
) -> dict[tuple[str, int], Answer]:
    if part and part.exists():
        return {(row["task_id"], row["sample"]): Answer(row["text"], row["finished"]) for _, row in read_jsonl(part)}
    # the seed does not depend on earlier batches, so an interrupted run draws the same answers as an uninterrupted run
    texts = engine.answer(batch, decoding, int(key[:8], 16))
    answers = {(ask.task_id, ask.sample): answer for ask, answer in zip(batch, texts, strict=True)}
    if part:
        write_jsonl(
            part,
            (
                {"task_id": task_id, "sample": place, "text": answer.text, "finished": answer.finished}
                for (task_id, place), answer in answers.items()
            ),
        )
    return answers


def _row(problem: Problem, kind: str, place: int, answer: Answer) -> Row:
    row: Row = {"task_id": problem.task_id, "sample": place}
    if kind == "solutions":
        from codepref.sampling.extract import extract_program

        row["solution"] = extract_program(answer.text, problem)
    return row | {"completion": answer.text, "finished": answer.finished}
