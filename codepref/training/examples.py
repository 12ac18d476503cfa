"""Single answers with a label, taken from pairs or verdicts, for KTO and supervised training. Pure."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from codepref.config.templates import SOLUTION_TEMPLATE
from codepref.errors import UserError
from codepref.problems.normalise import normal_form
from codepref.records import Message, Pair, Problem, Verdict, VerdictMatrix
from codepref.sampling.prompts import request_messages


@dataclass(frozen=True)
class Example:
    """One answer to one prompt.

    task_id: the problem. If a row of a data set names no problem, it is a name made from the row's place or prompt.
    wanted: whether the answer is one to learn (KTO's label).
    """

    task_id: str
    prompt: Sequence[Message]
    completion: Sequence[Message]
    wanted: bool


@dataclass(frozen=True)
class Examples:
    """Labelled answers. dropped: the numbers of other answers that were left out, by reason."""

    examples: list[Example] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)


def examples_from_pairs(pairs: Iterable[Pair]) -> Examples:
    """Return the chosen answers of pairs as wanted examples, and the rejected answers as unwanted examples.

    An answer that several pairs of a prompt choose gives one example, and so does one that several pairs reject. An
    answer that is both chosen and rejected in the pairs of a prompt is left out, since training would push it both
    ways.
    """
    by_answer: dict[tuple[str, ...], dict[bool, Example]] = {}
    dropped: Counter[str] = Counter()
    for pair in pairs:
        for wanted, answer in ((True, pair.chosen), (False, pair.rejected)):
            texts = (message["content"] for message in (*pair.prompt, *answer))
            labels = by_answer.setdefault((pair.task_id, *texts), {})
            if wanted in labels:
                dropped["answer left out: it is there already"] += 1
            labels.setdefault(wanted, Example(pair.task_id, pair.prompt, answer, wanted))
    examples: list[Example] = []
    for labels in by_answer.values():
        if len(labels) > 1:
            dropped["answer left out: both chosen and rejected"] += 2
        else:
            examples += labels.values()
    return Examples(examples, dict(sorted(dropped.items())))


def chosen_examples(pairs: Iterable[Pair]) -> Examples:
    """Return the chosen answers of pairs as wanted examples. Equal answers to a task's prompt give one example."""
    distinct = {
        (pair.task_id, *(message["content"] for message in (*pair.prompt, *pair.chosen))): Example(
            pair.task_id, pair.prompt, pair.chosen, True
        )
        for pair in pairs
    }
    return Examples(list(distinct.values()))


def examples_from_verdicts(
    matrices: Iterable[VerdictMatrix],
    problems: Iterable[Problem],
    *,
    most: int = 4,
    template: str = SOLUTION_TEMPLATE,
    fence: bool = True,
    allow_shared: bool = False,
    seed: int = 0,
) -> Examples:
    """Return correct solutions as wanted examples and wrong ones as unwanted, at most `most` of each for a problem.

    The verdicts should be those of true tests. `Verdict.correct` decides which solutions are correct. Solutions without
    code, without tests or of unknown correctness are left out. Solutions with the same normal form count as one
    solution. They are left out when one of them is correct and another one is wrong. most: the largest number of
    answers for each problem and label; the seed decides which answers are drawn. fence: put the answer into a ```python
    block. allow_shared: also use verdicts of tests that shared a process with the solution. Raises UserError for a task
    that is not in `problems`.
    """
    problem_of = {problem.task_id: problem for problem in problems}
    dropped: Counter[str] = Counter()
    examples: list[Example] = []
    for matrix in matrices:
        if matrix.task_id not in problem_of:
            raise UserError(
                f"the verdicts hold task {matrix.task_id}, which is none of the problems: give the problems with "
                "which the verdicts were made"
            )
        prompt = request_messages(problem_of[matrix.task_id], template)
        forms: dict[str, dict[bool, str]] = {}
        for verdict in matrix.verdicts:
            if reason := _why_unusable(verdict, allow_shared=allow_shared):
                dropped[reason] += 1
                continue
            labels = forms.setdefault(normal_form(verdict.solution), {})
            if labels:
                dropped["solution left out: the same as another after normalisation"] += 1
            labels.setdefault(verdict.correct is True, verdict.solution)
        for label in (True, False):
            texts = [labels[label] for labels in forms.values() if set(labels) == {label}]
            random.Random(f"{seed}:{matrix.task_id}:{label}").shuffle(texts)
            examples += [Example(matrix.task_id, prompt, _answer(text, fence), label) for text in texts[:most]]
    return Examples(examples, dict(sorted(dropped.items())))


def _why_unusable(verdict: Verdict, *, allow_shared: bool) -> str:
    """Return why a verdict gives no label, or "" when it gives one."""
    if not verdict.codes or not verdict.solution.strip():
        return "solution left out: it has no tests or no code"
    if verdict.isolation == "shared" and not allow_shared:
        return "solution left out: it shared a process with its tests"
    if verdict.correct is None:
        return "solution left out: it is unknown whether it is correct"
    return ""


def _answer(solution: str, fence: bool) -> list[Message]:
    program = solution.strip("\n")
    return [{"role": "assistant", "content": f"```python\n{program}\n```" if fence else program}]
