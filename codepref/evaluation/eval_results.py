"""Writes verdicts as result files of EvalPlus (`*_eval_results.json`), and reads such files as scores.

The format is that of EvalPlus 0.3.1 (`evalplus/evaluate.py`). A file has the keys `date`, `hash` (the MD5 of the
uncompressed data set) and `eval`, which maps each task to a list with one object for each sample. codepref also writes
the key `pass_at_k`, as later versions of EvalPlus do. Version 0.3.1 ignores it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeGuard

from codepref.errors import UserError
from codepref.evaluation.estimators import pass_at_k
from codepref.evaluation.scores import ProblemScore, Scores
from codepref.records import PASS, TIMEOUT, Test, VerdictMatrix
from codepref.storage.files import atomic_open

KS = (1, 10, 100)
"""The values of k for which EvalPlus computes pass@k. EvalPlus uses a k if every problem has at least k samples."""
PASSED = "pass"
FOLDER_FILE = "eval_results.json"
"""The name of the result file that EvalPlus writes into an evaluated folder of programs."""
_PARTS = ("base", "plus")

Figures = dict[str, dict[str, float]]
"""pass@k by tests: {"base": {"pass@1": ...}, "plus": {...}}. "plus" is absent if `plus_status` is null for all
problems."""


def write_eval_results(path: Path, matrices: Iterable[VerdictMatrix], problems: Path | None = None) -> Figures:
    """Write verdicts in the format of `evalplus.evaluate`, and return pass@k.

    Tasks are written one at a time. An error leaves no incomplete file at `path`.

    matrices: verdicts of tests with the ids "base" and "plus", as HumanEval+ and MBPP+ with inputs have them. A problem
    with only the test "base" has a plus status that equals its base status. For a problem with any other set of test
    ids, all tests together are the base tests, and `plus_status` is null. A status is "pass" if all codes are P,
    "timeout" if the first code other than P is T, else "fail". The lists of failed inputs are empty. A solution whose
    correctness is unknown is left out, since EvalPlus counts every status other than "pass" as wrong. A problem without
    a solution of known correctness is left out too.
    problems: the problem file. The MD5 of its content becomes `hash`. The content of a file whose name ends in .gz is
    uncompressed first. Without a file, `hash` is null.

    Raises UserError if no solution has a known correctness, if `plus_status` is null for only some problems, and if
    `path` is a folder or lies below a file. Raises MachineError if the file cannot be written for another reason, such
    as a full disk.
    """
    counts: dict[str, list[tuple[int, int]]] = {part: [] for part in _PARTS}
    has_plus: dict[bool, str] = {}
    date = datetime.now().strftime("%Y-%m-%d %H:%M")
    with atomic_open(path) as stream:
        stream.write(f'{{"date": {json.dumps(date)}, "hash": {json.dumps(_hash(problems))}, "eval": {{')
        for matrix in matrices:
            rows = _rows(matrix)
            if not rows:
                continue
            has_plus[rows[0]["plus_status"] is not None] = matrix.task_id
            stream.write(f"{', ' if counts['base'] else ''}{json.dumps(matrix.task_id)}: {json.dumps(rows)}")
            for part, passed in zip(_PARTS, _passed(rows), strict=True):
                counts[part].append((len(rows), passed))
        if len(has_plus) != 1:
            reason = (
                f"{has_plus[True]} has a plus_status and {has_plus[False]} has none"
                if has_plus
                else "no solution has a known correctness"
            )
            raise UserError(f"{path} cannot be written as EvalPlus's results, because {reason}")
        figures = {part: _figures(counts[part]) for part in _PARTS if part == "base" or True in has_plus}
        stream.write(f'}}, "pass_at_k": {json.dumps(figures)}}}\n')
    return figures


def _rows(matrix: VerdictMatrix) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for verdict in matrix.verdicts:
        if verdict.correct is not None:
            base, plus = _statuses(verdict.codes, matrix.tests)
            row = {"task_id": matrix.task_id, "solution": verdict.solution, "base_status": base, "plus_status": plus}
            rows.append({**row, "base_fail_tests": [], "plus_fail_tests": []})
    return rows


def _statuses(codes: str, tests: Sequence[Test]) -> tuple[str, str | None]:
    named = {test.test_id: code for test, code in zip(tests, codes, strict=True)}
    if "base" not in named or not named.keys() <= set(_PARTS):
        return _status(codes), None
    return _status(named["base"]), _status(named.get("plus", named["base"]))


def _status(codes: str) -> str:
    failed = codes.replace(PASS, "")
    if not failed:
        return PASSED
    return "timeout" if failed[0] == TIMEOUT else "fail"


def _passed(rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return the number of samples that pass the base tests, and of those that pass both base and plus tests."""
    base = [row["base_status"] == PASSED for row in rows]
    both = (row["plus_status"] == PASSED and passes for row, passes in zip(rows, base, strict=True))
    return sum(base), sum(both)


def _figures(counts: Sequence[tuple[int, int]]) -> dict[str, float]:
    samples, passed = zip(*counts, strict=True)
    return {f"pass@{k}": float(pass_at_k(samples, passed, k).mean()) for k in KS if min(samples) >= k}


def _hash(problems: Path | None) -> str | None:
    if problems is None or not problems.is_file():
        return None
    digest = hashlib.md5(usedforsecurity=False)
    with gzip.open(problems, "rb") if problems.suffix == ".gz" else open(problems, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def is_eval_results(document: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether a JSON document has an object under "eval" and no "format", as EvalPlus's results do."""
    return isinstance(document, dict) and isinstance(document.get("eval"), dict) and "format" not in document


def scores_from_eval_results(document: Mapping[str, Any], path: Path) -> Scores:
    """Return the scores in a document for which `is_eval_results` is True.

    A sample is correct if it passes the base and the plus tests. Without plus results, it is correct if it passes the
    base tests. `Scores.conditions` holds the tests that were used, and the hash of the data set if the document has
    one. path: the file of the document, for messages and for the label.
    Raises UserError if the samples of a task do not have the format of EvalPlus 0.3 (the message names the first such
    task), if only some samples have plus results, and if the document holds no sample.
    """
    rows: list[tuple[str, int, int, int]] = []
    plus: dict[bool, str] = {}
    for task, samples in document["eval"].items():
        if not isinstance(samples, list) or not all(map(_is_sample, samples)):
            raise UserError(
                f"{path}: {task} does not have results of EvalPlus 0.3, which have a base_status for each sample"
            )
        plus |= {sample.get("plus_status") is not None: task for sample in samples}
        base, both = _passed([{"plus_status": None, **sample} for sample in samples])
        rows.append((str(task), len(samples), base, both))
    if len(plus) != 1:
        reason = (
            f"samples of {plus[True]} have a plus_status and samples of {plus[False]} have none"
            if plus
            else "the file holds no sample"
        )
        raise UserError(f"{path}: {reason}")
    has_plus = True in plus
    conditions: dict[str, Any] = {"tests": "base and plus" if has_plus else "base"}
    if document.get("hash"):
        conditions["data set"] = document["hash"]
    label = path.name.removesuffix(".json").removesuffix("eval_results").rstrip("_") or path.parent.name
    scored = (ProblemScore(task, "sampled", n, both if has_plus else base) for task, n, base, both in rows)
    return Scores(label, tuple(scored), KS, conditions)


def _is_sample(sample: Any) -> bool:
    return isinstance(sample, dict) and isinstance(sample.get("base_status"), str)
