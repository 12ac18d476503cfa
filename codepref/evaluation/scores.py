"""Computes scores from verdicts, reads and writes score files, and compares them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from codepref.errors import UserError
from codepref.evaluation.comparison import Comparison, compare_values
from codepref.evaluation.estimators import pass_at_k, score
from codepref.records import INFRASTRUCTURE, Score, VerdictMatrix, is_correct
from codepref.storage.files import read_json, write_json

Kind = Literal["greedy", "sampled"]
KS = (1, 10)
FORMAT = "codepref scores 1"
FILE = "scores.json"
LINES = (".jsonl", ".gz", ".parquet")
"""Endings of files that hold samples, problems or verdicts. A file with such an ending is not read as a score file."""


@dataclass(frozen=True, slots=True)
class ProblemScore:
    """The counts of solutions of one problem.

    kind: whether the solutions are greedy answers or samples. n: the number of solutions whose correctness is known.
    correct: the number of correct solutions. left_out: the number of solutions whose correctness is unknown, by reason;
    see `unknown_reason`.
    """

    task_id: str
    kind: Kind
    n: int
    correct: int
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scores:
    """The content of a score file.

    label: the name of the scored model. problems: one row for each problem and kind. ks: the values of k for pass@k of
    sampled rows. conditions: what is known of how the answers were sampled and tested, such as the template and the
    temperature.
    """

    label: str
    problems: tuple[ProblemScore, ...]
    ks: tuple[int, ...] = KS
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def of_kind(self, kind: Kind) -> dict[str, ProblemScore]:
        """Return the rows of one kind by task_id."""
        return {row.task_id: row for row in self.problems if row.kind == kind}

    def left_out(self) -> dict[str, int]:
        """Return the number of solutions that were left out, by reason."""
        counts: Counter[str] = Counter()
        for row in self.problems:
            counts.update(row.left_out)
        return dict(counts)


def scores_from_verdicts(
    matrices: Sequence[VerdictMatrix], *, kind: Kind, label: str = "", ks: Sequence[int] = KS
) -> Scores:
    """Count the correct solutions of each problem. `codepref.records.is_correct` decides which ones are correct.

    A solution whose correctness is unknown is not counted in `n`. It is counted in `left_out` by its reason.
    Raises UserError if a task occurs twice.
    """
    rows = tuple(_problem_score(matrix, kind) for matrix in matrices)
    _refuse_twice(rows, "the verdicts")
    return Scores(label, rows, tuple(ks))


def _problem_score(matrix: VerdictMatrix, kind: Kind) -> ProblemScore:
    left_out = Counter(unknown_reason(verdict.codes) for verdict in matrix.verdicts)
    known = left_out.pop("", 0)
    correct = sum(verdict.correct is True for verdict in matrix.verdicts)
    return ProblemScore(matrix.task_id, kind, known, correct, dict(left_out))


def unknown_reason(codes: str) -> str:
    """Return why it is unknown whether a solution with these verdict codes is correct, or "" if it is known.

    The reasons are "no tests", "infrastructure" (a code is I) and "skipped" (a code is S, and no code is I).
    """
    if is_correct(codes) is not None:
        return ""
    if not codes:
        return "no tests"
    return "infrastructure" if INFRASTRUCTURE in codes else "skipped"


def merge(label: str, *parts: Scores) -> Scores:
    """Join scores of one model, such as greedy and sampled ones, without their conditions.

    Raises UserError if a (task, kind) occurs twice.
    """
    rows = tuple(row for part in parts for row in part.problems)
    _refuse_twice(rows, label or "the scores")
    return Scores(label, rows, tuple(sorted({k for part in parts for k in part.ks})))


def _refuse_twice(rows: Iterable[ProblemScore], where: str) -> None:
    counts = Counter((row.task_id, row.kind) for row in rows)
    if twice := [f"{task} ({kind})" for (task, kind), count in counts.items() if count > 1]:
        raise UserError(f"{where}: more than one row for {_some(twice)}. A problem has at most one row of each kind")


def _figures(scores: Scores, ks: Sequence[int]) -> list[tuple[str, Kind, int]]:
    """Return (name, kind, k) of every figure for which at least one problem has k solutions of known correctness."""
    wanted: list[tuple[str, Kind, int]] = [("pass@1 greedy", "greedy", 1)]
    wanted += [(f"pass@{k}", "sampled", k) for k in sorted(set(ks))]
    return [(name, kind, k) for name, kind, k in wanted if any(r.n >= k for r in scores.of_kind(kind).values())]


def summarise(scores: Scores, ks: Sequence[int] | None = None, seed: int = 0) -> list[Score]:
    """Return the figures "pass@1 greedy", "pass@1", "pass@10" and so on: means over problems with 95% intervals.

    A problem with fewer than k solutions of known correctness has no unbiased pass@k and is left out of that figure.
    `Score.n` is the number of problems that the figure uses. A figure that would use no problem is absent.
    """
    figures = []
    for name, kind, k in _figures(scores, scores.ks if ks is None else ks):
        rows = [row for row in scores.of_kind(kind).values() if row.n >= k]
        samples = [row.n for row in rows]
        figures.append(score(name, pass_at_k(samples, [row.correct for row in rows], k), samples, seed=seed))
    return figures


def compare(scores_a: Scores | Path | str, scores_b: Scores | Path | str, *, seed: int = 0) -> list[Comparison]:
    """Compare b (aligned) with a (base), figure by figure, paired by problem.

    scores_a, scores_b: `Scores`, or paths of score files. A figure is compared if both sides have it for at least one
    common problem. A problem with fewer than k solutions of known correctness on one side is left out of pass@k.
    `Comparison.n` is the number of problems that the comparison uses.

    Raises UserError if a file is missing or malformed, and if no figure can be compared. Raises UserError also if the
    first side has a figure of greedy or sampled rows, and the second side has such rows for other problems. The message
    names some of these problems.
    """
    a, b = (s if isinstance(s, Scores) else read_scores(Path(s)) for s in (scores_a, scores_b))
    comparisons = []
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
        comparisons.append(compare_values(name, *values, seed=seed))
    if not comparisons:
        first, second = _names(a, b)
        raise UserError(
            f"{first} and {second} share no figure of a common problem. {first} has {_kinds(a)}, and {second} has "
            f"{_kinds(b)}. Evaluate both models in the same way."
        )
    return comparisons


def differing_conditions(a: Scores, b: Scores) -> list[str]:
    """Return the names of the conditions that are known on both sides and differ.

    Such conditions may explain a difference in scores.
    """
    return sorted(key for key in a.conditions.keys() & b.conditions.keys() if a.conditions[key] != b.conditions[key])


def _kinds(scores: Scores) -> str:
    return ", ".join(name for name, _, _ in _figures(scores, scores.ks)) or "too few solutions of known correctness"


def _names(a: Scores, b: Scores) -> tuple[str, str]:
    """Return the names of both scores for messages: labels, or positions if labels are missing or equal."""
    positions = ("the first file", "the second file")
    return positions if a.label == b.label else (a.label or positions[0], b.label or positions[1])


def _refuse_different(a: Scores, b: Scores, kind: Kind) -> None:
    tasks_a, tasks_b = set(a.of_kind(kind)), set(b.of_kind(kind))
    lines = [
        f"{name} lacks {len(missing)} problems ({kind}): {_some(sorted(missing))}"
        for name, missing in zip(_names(a, b), (tasks_b - tasks_a, tasks_a - tasks_b), strict=True)
        if missing
    ]
    if lines:
        raise UserError(
            *lines, "A paired comparison needs the same problems. Evaluate both models on the same file of problems."
        )


def _some(names: Sequence[str], limit: int = 5) -> str:
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")


def write_scores(scores: Scores, directory: Path, *, seed: int = 0) -> Path:
    """Write `directory`/scores.json with every figure and one row for each problem and kind. Return the path."""
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
    """Read a score file or EvalPlus's results.

    path: the file, or a folder. In a folder, scores.json is read if it exists, else eval_results.json.
    Raises UserError if the file is missing or malformed, or has several rows of one kind for a problem.
    """
    from codepref.evaluation import eval_results as evalplus  # that module imports this one

    if path.is_dir():
        path = path / next((name for name in (FILE, evalplus.FOLDER_FILE) if (path / name).exists()), FILE)
    document = None if path.suffix in LINES and path.exists() else read_json(path)
    if evalplus.is_eval_results(document):
        return evalplus.scores_from_eval_results(document, path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UserError(
            f'{path}: not a score file. A score file has "format": "{FORMAT}", as `codepref evaluate` writes it, or an '
            'object under "eval" and no "format", as EvalPlus writes it in *_eval_results.json'
        )
    try:
        rows = tuple(_row(row) for row in document["problems"])
        ks = tuple(int(k) for k in document["ks"])
        conditions = dict(document.get("conditions") or {})
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: this is a malformed score file ({type(error).__name__}: {error})") from None
    _refuse_twice(rows, str(path))
    return Scores(str(document.get("label") or path), rows, ks, conditions)


def _row(row: Mapping[str, Any]) -> ProblemScore:
    kind, n, correct = row["kind"], row["n"], row["correct"]
    if kind not in get_args(Kind) or not 0 <= correct <= n:
        raise ValueError(f"a row has the kind {kind!r} and {correct} correct of {n} solutions")
    return ProblemScore(str(row["task_id"]), kind, int(n), int(correct), dict(row.get("left_out", {})))
