"""Samples raw answers of a model to problems.

With an output file, each answer is written as soon as it is finished. After an interruption, the same call samples only
the answers that were not finished. `sample_to_file` does not keep the rows in memory.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.config.scale import ScaleSection
from codepref.config.templates import SOLUTION_TEMPLATE, TEST_TEMPLATE, check_template
from codepref.errors import UserError
from codepref.records import Problem
from codepref.sampling.asks import Asks
from codepref.sampling.engines import Answer, Decoding, Engine, as_engine, open_engine
from codepref.sampling.engines.base import BatchEngine, DecodingAware, OnNodes, Preparable, Summarising
from codepref.sampling.prompts import extraction_parts, request_messages
from codepref.sampling.spool import Spool
from codepref.servers.artifacts import calls_folder, summary_file
from codepref.storage.files import (
    check_target,
    content_hash,
    read_json,
    read_jsonl,
    write_json,
    write_lines,
    write_text,
)
from codepref.storage.progress import ProgressLine
from codepref.storage.progress_file import ProgressFile

_REFUSED = b'{"refusal": '
"""The beginning of the line that stands for an answer that a server refused to give."""

Row = dict[str, Any]
Progress = Callable[[int, int], None]


def sample(
    problems: Sequence[Problem],
    model: str | Engine | BatchEngine,
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
    scale: ScaleSection | None = None,
    log: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Ask `model` for `n` answers of one kind to each problem.

    kind: "solutions" or "tests". model: a folder, a GGUF file, a hub name, `starter`, `ENGINE:MODEL` such as
    `scripted:FILE`, or an Engine. template: the user message, or None for codepref's own. batch_size: the largest
    number of answers that one process computes at once; it has no effect on servers. out: a file of JSON lines for the
    rows; see `sample_to_file`.
    progress: called with the number of finished answers and the number of all answers. A ProgressLine also shows the
    tokens a second, if the engine counts them. scale: the processes that answer, if `model` is a name. None means this
    process.
    log: called with messages about processes and nodes.
    Returns rows {"task_id", "sample", "completion", "finished"}, ordered by problem and sample. Rows of solutions also
    have "solution", the program in the completion ("" if there is none). Rows of models that think also have
    "reasoning", if the engine knows the thoughts apart from the answer. Answers that a server refuses to give are left
    out; see `codepref.sampling.engines.server`.
    Raises UserError for an unknown kind, n or batch_size below 1, a malformed template, an unknown model, problems
    that share a task_id, and an `out` that is a folder. Raises the errors of the engine, and with `out` those of
    `sample_to_file`.
    """
    _check_arguments(problems, kind, n, batch_size)
    engine = open_replicas(model, scale, dtype, device, log)
    call = _Call(problems, engine, kind, n, decoding or Decoding(), _template(template, kind), seed, batch_size)
    if out:
        _to_file(call, out, progress)
        return [row for _, row in read_jsonl(out)]
    rows = dict(call.rows(range(n * len(problems)), None, progress))
    return [rows[place] for place in range(len(rows)) if "refusal" not in rows[place]]


def sample_to_file(
    problems: Sequence[Problem],
    model: str | Engine | BatchEngine,
    out: Path,
    *,
    kind: str = "solutions",
    n: int = 10,
    decoding: Decoding | None = None,
    template: str | None = None,
    seed: int = 0,
    batch_size: int = 128,
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
    scale: ScaleSection | None = None,
    log: Callable[[str], None] = lambda text: None,
) -> None:
    """Write the rows that `sample` returns to `out` as JSON lines, without keeping them in memory.

    An interrupted call keeps its finished answers in `OUT.parts/`, and a call with the same arguments does not sample
    them again. `batch_size` may differ. If an earlier call with the same arguments is finished, `out` stays as it is.
    An engine that asks servers keeps the servers' answers in `OUT.calls/`. If the engine states facts about its
    answers, such as their costs, a file with the ending .summary.json holds them.
    Raises what `sample` raises, UserError if another process with the same arguments writes to `OUT.parts/`, and
    MachineError if a file cannot be written.
    """
    _check_arguments(problems, kind, n, batch_size)
    engine = open_replicas(model, scale, dtype, device, log)
    call = _Call(problems, engine, kind, n, decoding or Decoding(), _template(template, kind), seed, batch_size)
    _to_file(call, out, progress)


def engine_facts(engine: Engine, out: Path | None) -> dict[str, Any]:
    """Return the facts that an engine stated about its answers, or {} if it states none.

    out: the file of the answers, beside which `sample_to_file` writes the facts, or None if there is none.
    """
    if out and summary_file(out).exists():
        facts: dict[str, Any] = read_json(summary_file(out))
        return facts
    return engine.summary() if isinstance(engine, Summarising) else {}


@dataclass(frozen=True)
class _Call:
    """A checked call of the sampler. The attributes are the arguments of `sample`."""

    problems: Sequence[Problem]
    engine: Engine
    kind: str
    n: int
    decoding: Decoding
    template: str
    seed: int
    batch_size: int

    def key(self) -> str:
        """Return a hash of what the rows depend on. It is noted beside the file of a finished call.

        The rows depend on the engine's fingerprint, the settings, the prompts, and the parts of a problem that decide
        which program is extracted from an answer.
        """
        digest = hashlib.sha256(
            content_hash(self.engine.fingerprint, self.kind, self.n, vars(self.decoding), self.seed).encode()
        )
        for problem in self.problems:
            parts = extraction_parts(problem) if self.kind == "solutions" else ()
            digest.update(content_hash(problem.task_id, request_messages(problem, self.template), *parts).encode())
        return digest.hexdigest()[:16]

    def rows(
        self, missing: Sequence[int], folder: Path | None, progress: Progress | None, file: ProgressFile | None = None
    ) -> Iterator[tuple[int, Row]]:
        """Yield (place, row) for each place in `missing`, in the order in which the answers are finished.

        The answer number `sample` to the problem number `index`, both from 0, has the place `index * n + sample`. file:
        gets the progress too.
        """
        shown = _Shown(progress, file, self.n * len(self.problems) - len(missing), self.n * len(self.problems))
        if isinstance(self.engine, Preparable):
            self.engine.prepare(batch_size=self.batch_size, folder=folder, on_tokens=shown.tokens)
        if isinstance(self.engine, DecodingAware):
            self.engine.take_decoding(self.decoding)
        if not missing:
            return
        asks = Asks(self.problems, self.engine, kind=self.kind, n=self.n, template=self.template, missing=missing)
        for at, answer in self.engine.answers(asks, self.decoding, self.seed):
            place = asks.places[at]
            yield place, _row(self.problems[place // self.n], self.kind, place % self.n, answer)
            shown.answer()


class _Shown:
    """Shows the number of finished answers, and the tokens a second if the engine counts its tokens."""

    def __init__(self, progress: Progress | None, file: ProgressFile | None, done: int, total: int) -> None:
        self._progress, self._file, self._done, self._total = progress, file, done, total
        self._tokens, self._begun = 0, time.monotonic()
        if file:
            file(done, total)

    def answer(self) -> None:
        self._done += 1
        self._show()

    def tokens(self, number: int) -> None:
        self._tokens += number
        rate = self._tokens / max(time.monotonic() - self._begun, 1e-9)
        if isinstance(self._progress, ProgressLine):
            self._progress.note = f"{rate:,.0f} tokens/s"
        self._show()

    def _show(self) -> None:
        if self._file:
            self._file(self._done, self._total)
        if self._progress:
            self._progress(self._done, self._total)


def open_replicas(
    model: str | Engine | BatchEngine,
    scale: ScaleSection | None,
    dtype: str,
    device: str,
    log: Callable[[str], None] = lambda text: None,
) -> Engine:
    """Return the engine for a model's name. An Engine is returned as it is, and a BatchEngine with an adapter.

    scale: None for one process. Otherwise the engine uses the processes that `scale` asks for, and if it leaves the
    number open, those that suit the model.
    """
    if not isinstance(model, str):
        return as_engine(model)
    engine = open_engine(model, dtype=dtype, device=device)
    if scale is None or (scale.executor == "local" and scale.replicas == 1):
        return engine
    from codepref.sampling.engines.replicas import ReplicatedEngine
    from codepref.sampling.engines.transformers import TransformersEngine

    if scale.executor == "local" and not scale.replicas and not isinstance(engine, TransformersEngine):
        return engine
    return ReplicatedEngine(engine, model, scale, dtype=dtype, device=device, log=log)


def _template(template: str | None, kind: str) -> str:
    template = template or (SOLUTION_TEMPLATE if kind == "solutions" else TEST_TEMPLATE)
    check_template(template)
    return template


def _to_file(call: _Call, out: Path, progress: Progress | None) -> None:
    check_target(out)
    key = call.key()
    if _is_finished(out, key):
        return
    parts = parts_folder(out)
    total = call.n * len(call.problems)
    with Spool(parts / f"{_file_name(call.engine.fingerprint)}-{key}.rows", total) as spool:
        nodes = call.engine.nodes if isinstance(call.engine, OnNodes) else dict
        file = ProgressFile(parts, "answers", nodes=nodes)
        for place, row in call.rows(spool.missing(), calls_folder(out), progress, file):
            spool.add(place, row)
        refused = total - write_lines(out, (line for line in spool.lines() if not line.startswith(_REFUSED)))
    if isinstance(call.engine, Summarising):
        write_json(summary_file(out), {"answers": total - refused, "refused": refused, **call.engine.summary()})
    write_text(_key_file(out), key)
    shutil.rmtree(parts, ignore_errors=True)


def _check_arguments(problems: Sequence[Problem], kind: str, n: int, batch_size: int) -> None:
    if kind not in ("solutions", "tests"):
        raise UserError(f"kind must be solutions or tests, not {kind!r}")
    for name, value in (("n", n), ("batch_size", batch_size)):
        if value < 1:
            raise UserError(f"{name} must be at least 1, not {value}")
    if len({problem.task_id for problem in problems}) < len(problems):
        raise UserError("two problems share a task_id. Give each problem a different task_id")


def _file_name(fingerprint: str) -> str:
    """Return the fingerprint, or a hash of it if it is too long or has characters that do not suit a file name."""
    return fingerprint if re.fullmatch(r"[\w.-]{1,64}", fingerprint) else content_hash(fingerprint)


def parts_folder(out: Path) -> Path:
    """Return the folder in which an unfinished call keeps the rows of the file `out`."""
    return out.with_name(f"{out.name}.parts")


def _key_file(out: Path) -> Path:
    return out.with_name(f".{out.name}.key")


def _is_finished(out: Path, key: str) -> bool:
    """Return whether `out` holds the rows of an earlier finished call with this key."""
    file = _key_file(out)
    return out.exists() and file.exists() and file.read_text(encoding="utf-8") == key


def _row(problem: Problem, kind: str, place: int, answer: Answer) -> Row:
    row: Row = {"task_id": problem.task_id, "sample": place}
    if answer.refusal:
        return {"refusal": answer.refusal, **row}
    if kind == "solutions":
        from codepref.sampling.extract import extract_program

        row["solution"] = extract_program(answer.text, problem)
    thoughts = {"reasoning": answer.reasoning} if answer.reasoning else {}
    return row | {"completion": answer.text, "finished": answer.finished} | thoughts
