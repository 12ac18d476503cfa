"""The judge named "rubric": static analysis by ruff, radon and the syntax tree. No model has an opinion here.

It sees how a program is written and not whether it is right, runs nothing, and answers the same every time. What it
can say differs by preference: much of style and complexity, a good part of readability; of instruction-following only
whether the entry point is there with its arguments and what stands beside it unasked; of explanation only whether there
are docstrings, comments and words around the code, not whether they are true.
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
    """Rate answers as they were written, each by every one of `preferences`; one ruff run for all of them.

    A text without code, or whose code does not parse, gets 1 by every preference with its reason: left out, it would
    leave a model that breaks more of its programs with the better mean. The same goes for a program nested so deeply
    that the analysers give it up.
    Raises UserError for an unknown preference, MachineError when ruff is missing.
    """
    check_preferences(preferences)
    read: dict[tuple[str, str], Facts | str] = {}
    for problem, text in answers:
        if (problem.task_id, text) not in read:
            read[problem.task_id, text] = read_facts(text, problem)
    codes = list(dict.fromkeys(facts.code for facts in read.values() if isinstance(facts, Facts)))
    lints = dict(zip(codes, lint(codes), strict=True))
    made: dict[tuple[str, str], dict[str, Opinion]] = {}
    for key, facts in read.items():
        metrics = measure(facts.code) if isinstance(facts, Facts) else None
        if isinstance(facts, str) or metrics is None:
            words = facts if isinstance(facts, str) else TOO_DEEP
            made[key] = {name: Opinion(LOW, words) for name in preferences}
        else:
            made[key] = {name: opinion(name, facts, lints[facts.code], metrics) for name in preferences}
    return [made[problem.task_id, text] for problem, text in answers]


def judge_responses(
    problems: Sequence[Problem], responses: Mapping[str, Sequence[Response]], preferences: Sequence[str]
) -> list[Judgment]:
    """One judgment a problem that has responses; problem i is judged by preference i mod len(preferences).

    The turn is the problem's place in `problems`, as in the published data set, whether it has responses or not.
    Raises what `opinions` raises.
    """
    check_preferences(preferences)
    turn = {problem.task_id: preferences[place % len(preferences)] for place, problem in enumerate(problems)}
    asked = [(problem, response) for problem in problems for response in responses.get(problem.task_id, ())]
    found = opinions([(problem, response.text) for problem, response in asked], list(dict.fromkeys(turn.values())))
    ratings: dict[str, list[Rating]] = {}
    for (problem, response), by_preference in zip(asked, found, strict=True):
        said = by_preference[turn[problem.task_id]]
        ratings.setdefault(problem.task_id, []).append(
            Rating(response.response_id, said.rating, PREFACE + said.rationale, score=said.score)
        )
    return [
        Judgment(
            task_id=problem.task_id,
            instruction=problem.prompt,
            preference=turn[problem.task_id],
            responses=tuple(responses[problem.task_id]),
            ratings=tuple(ratings[problem.task_id]),
            judge=JUDGE,
            order=tuple(response.response_id for response in responses[problem.task_id]),
        )
        for problem in problems
        if problem.task_id in ratings
    ]


def check_preferences(preferences: Sequence[str]) -> None:
    """Raises UserError for an unknown preference, or none at all."""
    unknown = [name for name in preferences if name not in RUBRICS]
    if unknown or not preferences:
        what = f"unknown preference {unknown[0]!r}" if unknown else "no preference to judge by"
        raise UserError(f"{what}; known: {', '.join(PREFERENCES)}")
