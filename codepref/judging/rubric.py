"""The judge named "rubric", which rates by static analysis with ruff, radon and the syntax tree. It uses no model.

The rubric does not run the rated programs. It is deterministic: with the same versions of Python, ruff and radon, it
gives the same rating to the same response to a problem. It sees how a program is written, and not whether the program
is correct. How much it sees depends on the preference. It covers style and complexity well, and readability in part.
For instruction-following, it only checks the entry point, its arguments, and additions that nobody asked for. For
explanation, it only counts docstrings, comments and words around the code. It cannot tell whether they are true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codepref.errors import UserError
from codepref.judging.facts import TOO_DEEP, Facts, read_facts
from codepref.judging.linter import lint
from codepref.judging.metrics import measure
from codepref.judging.scores import LOW, RUBRICS, Opinion, opinion
from codepref.preferences import PREFERENCES
from codepref.records import Judgment, Problem, Rating, Response

JUDGE = "rubric"
PREFACE = "static analysis, no model's opinion: "


def opinions(answers: Sequence[tuple[Problem, str]], preferences: Sequence[str]) -> list[dict[str, Opinion]]:
    """Rate each answer by each of `preferences`. Return one dict from preference to Opinion for each answer, in order.

    ruff examines many programs together, because starting it takes much longer than examining one program.
    An answer gets 1 by every preference if it holds no code, if its code does not parse, or if the code cannot be
    analysed, usually because it is nested too deeply. The rationale of such an answer is this reason. If such answers
    were left out, a model that writes more broken programs could get a better mean.
    Raises UserError for an unknown preference and for an empty list of preferences, MachineError if ruff is missing,
    and InfrastructureError if ruff fails.
    """
    check_preferences(preferences)
    by_answer: dict[tuple[str, str], Facts | str] = {}
    for problem, text in answers:
        if (problem.task_id, text) not in by_answer:
            by_answer[problem.task_id, text] = read_facts(text, problem)
    codes = list(dict.fromkeys(facts.code for facts in by_answer.values() if isinstance(facts, Facts)))
    lints = dict(zip(codes, lint(codes), strict=True))
    rated: dict[tuple[str, str], dict[str, Opinion]] = {}
    for answer, facts in by_answer.items():
        metrics = measure(facts.code) if isinstance(facts, Facts) else None
        if isinstance(facts, str) or metrics is None:
            reason = facts if isinstance(facts, str) else TOO_DEEP
            rated[answer] = {name: Opinion(LOW, reason) for name in preferences}
        else:
            rated[answer] = {name: opinion(name, facts, lints[facts.code], metrics) for name in preferences}
    return [rated[problem.task_id, text] for problem, text in answers]


def judge_responses(
    problems: Sequence[Problem], responses: Mapping[str, Sequence[Response]], preferences: Sequence[str]
) -> list[Judgment]:
    """Return one judgment for each problem with responses. Problem i is judged by preference i mod len(preferences).

    i is the position in `problems`, from 0. Problems without responses have a position too. CodeUltraFeedback assigned
    its preferences in this way, before its rows were shuffled. Raises the errors of `opinions`.
    """
    check_preferences(preferences)
    preference_of = {problem.task_id: preferences[place % len(preferences)] for place, problem in enumerate(problems)}
    answers = [(problem, response) for problem in problems for response in responses.get(problem.task_id, ())]
    texts = [(problem, response.text) for problem, response in answers]
    all_opinions = opinions(texts, list(dict.fromkeys(preference_of.values())))
    ratings: dict[str, list[Rating]] = {}
    for (problem, response), by_preference in zip(answers, all_opinions, strict=True):
        one = by_preference[preference_of[problem.task_id]]
        ratings.setdefault(problem.task_id, []).append(
            Rating(response.response_id, one.rating, PREFACE + one.rationale, score=one.score)
        )
    return [
        Judgment(
            task_id=problem.task_id,
            instruction=problem.prompt,
            preference=preference_of[problem.task_id],
            responses=tuple(responses[problem.task_id]),
            ratings=tuple(ratings[problem.task_id]),
            judge=JUDGE,
            order=tuple(response.response_id for response in responses[problem.task_id]),
        )
        for problem in problems
        if problem.task_id in ratings
    ]


def check_preferences(preferences: Sequence[str]) -> None:
    """Raise UserError for an unknown preference, or if `preferences` is empty."""
    unknown = [name for name in preferences if name not in RUBRICS]
    if unknown:
        raise UserError(f"unknown preference {unknown[0]!r}; known: {', '.join(PREFERENCES)}")
    if not preferences:
        raise UserError(f"there is no preference to judge by. Name at least one of {', '.join(PREFERENCES)}")
