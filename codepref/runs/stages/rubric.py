"""Ratings by the rubric in a run: of sampled answers, of a pool's responses, and of answers to held-out problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from codepref.config.sections import JudgeSection
from codepref.evaluation.ratings import ratings_from_scores, write_ratings
from codepref.judging.artifact import write_judgments
from codepref.judging.rubric import judge_responses, opinions
from codepref.records import Problem, Response
from codepref.runs.directory import Result
from codepref.runs.stages.feedback import samples_by_task
from codepref.sampling.responses_file import iter_responses
from codepref.storage.files import read_jsonl


def rate_samples(problems: Sequence[Problem], samples: Path, judge: JudgeSection, model: str, out: Path) -> Result:
    """Rate the answers in a samples file and write the judgments file `out`. Return the stage's figures."""
    return _rate(problems, samples_by_task(samples, model), judge, out)


def rate_responses(problems: Sequence[Problem], responses: Path, judge: JudgeSection, out: Path) -> Result:
    """Rate the responses of a pool and write the judgments file `out`. Return the stage's figures."""
    return _rate(problems, {task.task_id: task.responses for task in iter_responses(responses)}, judge, out)


def _rate(
    problems: Sequence[Problem], responses: Mapping[str, Sequence[Response]], judge: JudgeSection, out: Path
) -> Result:
    judgments = judge_responses(problems, responses, judge.preferences)
    write_judgments(out, judgments)
    values = Counter(str(rating.value or "unjudged") for judgment in judgments for rating in judgment.ratings)
    return {"judge": judge.model, "ratings": sum(values.values()), "values": dict(sorted(values.items()))}


def rate_evaluation(problems: Sequence[Problem], folder: Path, judge: JudgeSection, label: str, seed: int) -> None:
    """Rate the sampled answers in an evaluation's folder by each of the judge's preferences.

    Write the ratings to ratings.json in the same folder.
    """
    by_id = {problem.task_id: problem for problem in problems}
    answers = [(by_id[row["task_id"]], row["completion"]) for _, row in read_jsonl(folder / "sampled.jsonl")]
    scores = [
        (problem.task_id, {name: one.score for name, one in by_preference.items()})
        for (problem, _), by_preference in zip(answers, opinions(answers, judge.preferences), strict=True)
    ]
    write_ratings(ratings_from_scores(scores, judge=judge.model, label=label), folder, seed=seed)
