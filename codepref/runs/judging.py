"""The judge's part of a run: ratings of the policy's own samples, and of its answers to held-out problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from codepref.config.sections import JudgeSection
from codepref.evaluation.ratings import ratings_from_scores, write_ratings
from codepref.judging.artifact import iter_judgments, write_judgments
from codepref.judging.rubric import judge_responses, opinions
from codepref.records import Problem, Response
from codepref.runs.directory import Result
from codepref.storage.files import read_jsonl


def judge_samples(problems: Sequence[Problem], samples: Path, judge: JudgeSection, model: str, out: Path) -> Result:
    """Rate the solutions of a samples file, as they were written, into the judgments file `out`.

    A response's id is its place among its task's lines, which is the solution's id in the verdicts.
    """
    responses: dict[str, list[Response]] = {}
    for _, row in read_jsonl(samples):
        mine = responses.setdefault(row["task_id"], [])
        mine.append(Response(row["task_id"], len(mine), model, row["completion"], row["finished"]))
    return _rubric(problems, responses, judge, out)


def judge_file(problems: Sequence[Problem], responses: Path, judge: JudgeSection, out: Path) -> Result:
    """Rate a pool's responses file into the judgments file `out`."""
    found = {task.task_id: task.responses for task in iter_judgments(responses)}
    return _rubric(problems, found, judge, out)


def _rubric(
    problems: Sequence[Problem], responses: Mapping[str, Sequence[Response]], judge: JudgeSection, out: Path
) -> Result:
    judgments = judge_responses(problems, responses, judge.preferences)
    write_judgments(out, judgments)
    values = Counter(str(rating.value or "unjudged") for judgment in judgments for rating in judgment.ratings)
    return {"judge": judge.model, "ratings": sum(values.values()), "values": dict(sorted(values.items()))}


def rate_evaluation(problems: Sequence[Problem], folder: Path, judge: JudgeSection, label: str, seed: int) -> None:
    """Rate the sampled answers in an evaluation's folder by every preference of the recipe: folder/ratings.json."""
    by_id = {problem.task_id: problem for problem in problems}
    answers = [(by_id[row["task_id"]], row["completion"]) for _, row in read_jsonl(folder / "sampled.jsonl")]
    said = opinions(answers, judge.preferences)
    scored = [
        (problem.task_id, {name: found.score for name, found in by_preference.items()})
        for (problem, _), by_preference in zip(answers, said, strict=True)
    ]
    write_ratings(ratings_from_scores(scored, judge=judge.model, label=label), folder, seed=seed)
