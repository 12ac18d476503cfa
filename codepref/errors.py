"""Exceptions by whose fault they are: the user's input, this machine, or codepref itself.

A model's failure is never an exception. A solution that crashes gets a verdict, and an answer without code is dropped
and counted. Exceptions are for what stops the work. Each class holds the exit status of the command line.
"""

from __future__ import annotations


class CodeprefError(Exception):
    """Base class of the exceptions that codepref raises on purpose. `exit_status` is that of the command line."""

    exit_status = 1


class UserError(CodeprefError):
    """The user's input is wrong. The message says what is wrong, where it is, and how to mend it.

    `problems` holds one line per mistake, such as three unknown keys of a recipe.
    """

    exit_status = 2

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class MachineError(CodeprefError):
    """This machine lacks something: Landlock, disk space, memory, an optional package."""

    exit_status = 3


class InfrastructureError(CodeprefError):
    """A part of codepref failed: a worker died, or the sandbox gave an invalid answer. No model is blamed for it."""


class GateError(CodeprefError):
    """The work was done and its result was refused, for example an aligned model that is worse than its base."""
