"""The user messages that ask a model for a solution or for tests. Recipes and models can bring their own templates.

A template is filled in by `str.format` with {prompt}, the problem's text, and {entry_point}, the name that the tests
call.
"""

from __future__ import annotations

from codepref.errors import UserError
from codepref.storage.resources import packaged_text

SOLUTION_TEMPLATE = packaged_text("codepref.config", "prompts/solution.txt")

PROGRAM_TEMPLATE = packaged_text("codepref.config", "prompts/program.txt")
"""Replaces SOLUTION_TEMPLATE for problems of style "program". A recipe's or model's own template is not replaced."""

TEST_TEMPLATE = packaged_text("codepref.config", "prompts/tests.txt")

REPAIR_TEMPLATE = packaged_text("codepref.config", "prompts/repair.txt")
"""Asks for the correction of a program, with {request}, {program} and {failure}."""

FAILURES = dict(line.split(": ", 1) for line in packaged_text("codepref.config", "prompts/failures.txt").splitlines())
"""What the prompt of a repair says of a failed test, by verdict code."""


def check_template(template: str, name: str = "template") -> None:
    """Raise UserError if `template` lacks {prompt}, or if filling it in needs more than {prompt} and {entry_point}.

    A brace that belongs to no placeholder must be doubled. name: the template's name in the message.
    """
    try:
        shown = template.format(prompt="<the problem>", entry_point="f")
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise UserError(
            f"{name}: only {{prompt}} and {{entry_point}} can be filled in; double every other brace ({error!r})"
        ) from None
    if "<the problem>" not in shown:
        raise UserError(f"{name}: holds no {{prompt}}, so the model would never see the problem")


def check_repair_template(template: str, name: str = "repair_template") -> None:
    """Raise UserError if a template for repairs lacks {request} or {program}, or needs another name than {failure}.

    A brace that belongs to no placeholder must be doubled. name: the template's name in the message.
    """
    try:
        shown = template.format(request="<the request>", program="<the program>", failure="<the failure>")
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise UserError(
            f"{name}: only {{request}}, {{program}} and {{failure}} can be filled in; double every other brace "
            f"({error!r})"
        ) from None
    if missing := [word for word in ("request", "program") if f"<the {word}>" not in shown]:
        raise UserError(f"{name}: holds no {{{missing[0]}}}")
