"""Verdicts -> score files: how many solutions of each problem are correct, the figures drawn from that, comparisons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from codepref.errors import UserError
from codepref.evaluation.comparison import Comparison, compare_values
from codepref.evaluation.estimators import pass_at_k, score
from codepref.records import INFRASTRUCTURE, PASS, SKIPPED, Score, VerdictMatrix
from codepref.storage.files import read_json, write_json

Kind = Literal["greedy", "sampled"]
KS = (1, 10)
FORMAT = "codepref scores 1"
FILE = "scores.json"
LINES = (".jsonl", ".gz", ".parquet")
"""Endings of files of samples, problems and verdicts, which are no scores."""


@dataclass(frozen=True, slots=True)
class ProblemScore:
    """One problem: `correct` of `n` judged solutions, and `left_out` solutions that could not be judged, by reason."""

    task_id: str
    kind: Kind
    n: int
    correct: int
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a score file holds: `label` says whose scores these are, `ks` which pass@k are drawn from sampled rows.

    conditions: how the answers were asked for (template, temperature, ...), where that is known.
    """

    label: str
    problems: tuple[ProblemScore, ...]
    ks: tuple[int, ...] = KS
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def of_kind(self, kind: Kind) -> dict[str, ProblemScore]:
        """The rows of one kind, by task_id."""
        return {row.task_id: row for row in self.problems if row.kind == kind}

    def left_out(self) -> dict[str, int]:
        """Solutions that were not counted, by reason."""
        counts: Counter[str] = Counter()
        for row in self.problems:
            counts.update(row.left_out)
        return dict(counts)


def scores_from_verdicts(
    matrices: Sequence[VerdictMatrix], *, kind: Kind, label: str = "", ks: Sequence[int] = KS
) -> Scores:
    """Count the correct solutions of each problem.

    A solution is correct when the task has tests and every code is P. It is wrong when a test says so (F, E, T, M,
    X), or when tests were skipped (S) without any infrastructure failure. A solution with an I and no such word
    against it cannot be judged: it is left out of n and counted, as is every solution of a task without tests.

    Raises:
        UserError: a task that occurs twice.
    """
    rows = tuple(_problem_score(matrix, kind) for matrix in matrices)
    _refuse_twice(rows, "the verdicts")
    return Scores(label, rows, tuple(ks))


def _problem_score(matrix: VerdictMatrix, kind: Kind) -> ProblemScore:
    outcomes = Counter(outcome(verdict.codes) for verdict in matrix.verdicts)
    correct, wrong = outcomes.pop("correct", 0), outcomes.pop("wrong", 0)
    return ProblemScore(matrix.task_id, kind, correct + wrong, correct, dict(outcomes))


def outcome(codes: str) -> str:
    """What a solution's codes say: "correct", "wrong", or why it cannot be judged."""
    if not codes:
        return "no tests"
    if set(codes) == {PASS}:
        return "correct"
    if INFRASTRUCTURE in codes and set(codes) <= {PASS, SKIPPED, INFRASTRUCTURE}:
        return "infrastructure"
    return "wrong"


def merge(label: str, *parts: Scores) -> Scores:
    """Put greedy and sampled scores of one model together. Raises UserError when a (task, kind) occurs twice."""
    rows = tuple(row for part in parts for row in part.problems)
    _refuse_twice(rows, label or "the scores")
    return Scores(label, rows, tuple(sorted({k for part in parts for k in part.ks})))


def _refuse_twice(rows: Iterable[ProblemScore], where: str) -> None:
    counts = Counter((row.task_id, row.kind) for row in rows)
    if twice := [f"{task} ({kind})" for (task, kind), count in counts.items() if count > 1]:
        raise UserError(f"{where}: more than one row for {_some(twice)}; give each problem one row of a kind")


def _figures(scores: Scores, ks: Sequence[int]) -> list[tuple[str, Kind, int]]:
    """(name, kind, k) of every figure that some problem has samples enough for."""
    wanted: list[tuple[str, Kind, int]] = [("pass@1 greedy", "greedy", 1)]
    wanted += [(f"pass@{k}", "sampled", k) for k in sorted(set(ks))]
    return [(name, kind, k) for name, kind, k in wanted if any(r.n >= k for r in scores.of_kind(kind).values())]


def summarise(scores: Scores, ks: Sequence[int] | None = None, seed: int = 0) -> list[Score]:
    """The figures "pass@1 greedy", "pass@1", "pass@10", ...: means over problems with 95% intervals.

    Problems with fewer than k judged solutions have no unbiased pass@k: they are left out of that figure, whose `n`
    says how many problems it rests on. A figure that no problem has samples enough for is absent.
    """
    found = []
    for name, kind, k in _figures(scores, scores.ks if ks is None else ks):
        rows = [row for row in scores.of_kind(kind).values() if row.n >= k]
        samples = [row.n for row in rows]
        found.append(score(name, pass_at_k(samples, [row.correct for row in rows], k), samples, seed=seed))
    return found


def compare(scores_a: Scores | Path | str, scores_b: Scores | Path | str, *, seed: int = 0) -> list[Comparison]:
    """Compare b (aligned) with a (base), figure by figure, paired by problem.

    Takes `Scores`, or paths of score files. A problem with fewer than k judged solutions on either side is left out
    of that figure, whose `n` says how many pairs it rests on.

    Raises:
        UserError: files that are missing or malformed, that score different problems (the message names them), or
            that share no figure.
    """
    a, b = (s if isinstance(s, Scores) else read_scores(Path(s)) for s in (scores_a, scores_b))
    found = []
    ks = sorted(set(a.ks) & set(b.ks))
    for name, kind, k in _figures(a, ks):
        rows_a, rows_b = a.of_kind(kind), b.of_kind(kind)
        if not rows_b:
            continue
        _refuse_different(a, b, kind)
        tasks = [task for task, row in rows_a.items() if row.n >= k and rows_b[task].n >= k]
        if not tasks:
            continue
        values = [
            pass_at_k([rows[task].n for task in tasks], [rows[task].correct for task in tasks], k)
            for rows in (rows_a, rows_b)
        ]
        found.append(compare_values(name, *values, seed=seed))
    if not found:
        first, second = _names(a, b)
        raise UserError(
            f"{first} and {second} share no figure: one has {_kinds(a)}, the other {_kinds(b)}. "
            "Evaluate both in the same way."
        )
    return found


def differing_conditions(a: Scores, b: Scores) -> list[str]:
    """The conditions that both sides tell and that differ: then a difference may be theirs and not the models'."""
    return sorted(key for key in a.conditions.keys() & b.conditions.keys() if a.conditions[key] != b.conditions[key])


def _kinds(scores: Scores) -> str:
    return ", ".join(name for name, _, _ in _figures(scores, scores.ks)) or "no judged solution"


def _names(a: Scores, b: Scores) -> tuple[str, str]:
    """What a message calls the two: their labels, or their places where both have one, as two runs' bases have."""
    places = ("the first file", "the second file")
    return places if a.label == b.label else (a.label or places[0], b.label or places[1])


def _refuse_different(a: Scores, b: Scores, kind: Kind) -> None:
    tasks_a, tasks_b = set(a.of_kind(kind)), set(b.of_kind(kind))
    lines = [
        f"{name} lacks {len(missing)} problems ({kind}): {_some(sorted(missing))}"
        for name, missing in zip(_names(a, b), (tasks_b - tasks_a, tasks_a - tasks_b), strict=True)
        if missing
    ]
    if lines:
        raise UserError(*lines, "A paired comparison needs the same problems: evaluate both models on one file.")


def _some(names: Sequence[str], limit: int = 5) -> str:
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")


def write_scores(scores: Scores, directory: Path, *, seed: int = 0) -> Path:
    """Write `directory`/scores.json: every figure, and one row a problem and kind. Returns its path."""
    path = directory / FILE
    document = {
        "format": FORMAT,
        "label": scores.label,
        "ks": list(scores.ks),
        "seed": seed,
        "conditions": dict(scores.conditions),
        "scores": [asdict(figure) for figure in summarise(scores, seed=seed)],
        "left_out": scores.left_out(),
        "problems": [asdict(row) for row in scores.problems],
    }
    write_json(path, document)
    return path


def read_scores(path: Path) -> Scores:
    """Read a score file or EvalPlus's results; of a folder its scores.json, or else eval_results.json.

    Raises UserError when it is missing or malformed.
    """
    from codepref.evaluation import eval_results as evalplus  # here, since it imports this module

    if path.is_dir():
        path = path / next((name for name in (FILE, evalplus.FOLDER_FILE) if (path / name).exists()), FILE)
    document = None if path.suffix in LINES and path.exists() else read_json(path)
    if evalplus.is_eval_results(document):
        return evalplus.scores_from_eval_results(document, path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UserError(
            f'{path}: not a score file: "format" must be "{FORMAT}", as `codepref evaluate` writes it, or there must '
            'be samples under "eval", as EvalPlus has them in *_eval_results.json'
        )
    try:
        rows = tuple(_row(row) for row in document["problems"])
        ks = tuple(int(k) for k in document["ks"])
        conditions = dict(document.get("conditions") or {})
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: malformed score file ({type(error).__name__}: {error})") from None
    _refuse_twice(rows, str(path))
    return Scores(str(document.get("label") or path), rows, ks, conditions)


def _row(row: Mapping[str, Any]) -> ProblemScore:
    kind, n, correct = row["kind"], row["n"], row["correct"]
    if kind not in get_args(Kind) or not 0 <= correct <= n:
        raise ValueError(f"a row of kind {kind!r} with {correct} correct of {n}")
    return ProblemScore(str(row["task_id"]), kind, int(n), int(correct), dict(row.get("left_out", {})))
