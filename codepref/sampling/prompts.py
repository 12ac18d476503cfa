"""Writes the messages that ask a model for a solution to a problem, or for tests. Pure."""

from __future__ import annotations

from typing import Any

from codepref.config.templates import PROGRAM_TEMPLATE, SOLUTION_TEMPLATE
from codepref.problems.calls import OTHER_ENTRY_POINT
from codepref.records import Message, Problem


def request_messages(problem: Problem, template: str) -> list[Message]:
    """Return the chat prompt for one problem: `template` with {prompt} and {entry_point} filled in.

    template: see `codepref.config.templates`. A problem of style "program" gets PROGRAM_TEMPLATE in place of the
    default template for solutions.
    """
    if problem.style == "program" and template == SOLUTION_TEMPLATE:
        template = PROGRAM_TEMPLATE
    return [
        {"role": "user", "content": template.format(prompt=problem.prompt.strip(), entry_point=problem.entry_point)}
    ]


def extraction_parts(problem: Problem) -> tuple[Any, ...]:
    """Return the parts of a problem that decide which program `extract_program` takes from an answer."""
    other = problem.meta.get(OTHER_ENTRY_POINT)
    return problem.prompt, problem.entry_point, problem.style, problem.preamble, other if isinstance(other, str) else ""
