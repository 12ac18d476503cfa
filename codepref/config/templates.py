"""The words in which a model is asked for a solution and for tests. Recipes and models may bring their own. Pure."""

from __future__ import annotations

from codepref.errors import UserError

SOLUTION_TEMPLATE = (
    "Solve the following programming problem in Python. Answer with one code block that holds the whole program; "
    "it must define `{entry_point}`.\n\n{prompt}"
)

PROGRAM_TEMPLATE = (
    "Solve the following programming problem in Python. Answer with one code block that holds the whole program; "
    "it reads its input from standard input and prints what is asked for.\n\n{prompt}"
)
"""In place of SOLUTION_TEMPLATE for problems of style "program"; a template of a recipe's or model's own stays."""

TEST_TEMPLATE = (
    "Write tests for the following Python programming problem. Do not solve it. Answer with one code block of "
    "assert statements, one a line, each of which calls `{entry_point}` with literal arguments and compares the "
    "result with the value that a right solution returns.\n\n{prompt}"
)


def check_template(template: str, name: str = "template") -> None:
    """Raise UserError unless `template` holds {prompt} and nothing else but {entry_point} to fill in."""
    try:
        shown = template.format(prompt="<the problem>", entry_point="f")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UserError(
            f"{name}: only {{prompt}} and {{entry_point}} can stand in it, other braces doubled ({error!r})"
        ) from None
    if "<the problem>" not in shown:
        raise UserError(f"{name}: holds no {{prompt}}, so the model would never see the problem")
