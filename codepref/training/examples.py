"""Pairs or verdicts -> single answers with a label, for KTO and supervised training. Pure."""

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
    """One answer to one problem. wanted: KTO's label."""

    task_id: str
    prompt: Sequence[Message]
    completion: Sequence[Message]
    wanted: bool


@dataclass(frozen=True)
class Examples:
    """Answers, and reason -> how many others were left out."""

    examples: list[Example] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)


def examples_from_pairs(pairs: Iterable[Pair]) -> Examples:
    """The chosen answers of pairs as wanted examples and the rejected ones as unwanted; each answer once.

    An answer that is chosen in one pair and rejected in another pair of the same problem is left out, since it would be
    pushed both ways.
    """
    by_answer: dict[tuple[str, str], dict[bool, Example]] = {}
    dropped: Counter[str] = Counter()
    for pair in pairs:
        for wanted, answer in ((True, pair.chosen), (False, pair.rejected)):
            text = "".join(message["content"] for message in answer)
            labels = by_answer.setdefault((pair.task_id, text), {})
            if wanted in labels:
                dropped["answer left out: it is there already"] += 1
            labels.setdefault(wanted, Example(pair.task_id, pair.prompt, answer, wanted))
    examples: list[Example] = []
    for labels in by_answer.values():
        if len(labels) > 1:
            dropped["answer left out: chosen in one pair, rejected in another"] += 2
        else:
            examples += labels.values()
    return Examples(examples, dict(sorted(dropped.items())))


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
    """Solutions that pass all (true) tests of a problem as wanted examples, and solutions that fail one as unwanted.

    most: at most so many answers for each problem and label, drawn with the seed. Solutions with one normal form count
    as one; they are left out when one of them passes and another fails. Solutions whose correctness is
    unknown (`Verdict.correct`) are left out. fence: put the answer into a ```python block. allow_shared: use
    verdicts of tests that share a process with the solution. Raises UserError for a task that is not in `problems`.
    """
    problem_of = {problem.task_id: problem for problem in problems}
    dropped: Counter[str] = Counter()
    examples: list[Example] = []
    for matrix in matrices:
        if matrix.task_id not in problem_of:
            raise UserError(
                f"the verdicts hold {matrix.task_id}, which is none of the problems: give their problem file"
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
    """Why a verdict gives no label, or ""."""
    if not verdict.codes or not verdict.solution.strip():
        return "solution left out: no tests or no code"
    if verdict.isolation == "shared" and not allow_shared:
        return "solution left out: shared a process with its tests"
    if verdict.correct is None:
        return "solution left out: not all its tests were run"
    return ""


def _answer(solution: str, fence: bool) -> list[Message]:
    program = solution.strip("\n")
    return [{"role": "assistant", "content": f"```python\n{program}\n```" if fence else program}]
