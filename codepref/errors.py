"""Whose fault it is: the user's input, this machine, or our own machinery.

A model's failure is never an exception here. A solution that crashes is a verdict, an answer without code is a
counted drop; both are data. Exceptions are for what stops the work, and each class knows the exit status that the
command line gives it.
"""

from __future__ import annotations


class CodeprefError(Exception):
    """Anything that codepref raises on purpose. `exit_status` is what the command line exits with."""

    exit_status = 1


class UserError(CodeprefError):
    """The user's input is wrong. The message says what, where, and how to mend it.

    `problems` holds one line each when several mistakes were found together (a recipe with three unknown keys).
    """

    exit_status = 2

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class MachineError(CodeprefError):
    """This machine lacks something: Landlock, disk space, memory, an optional package."""

    exit_status = 3


class InfrastructureError(CodeprefError):
    """Our own machinery failed: a worker died, a sandbox answered nonsense. Never counted against a model."""


class GateError(CodeprefError):
    """The work was done and its result was refused, for example an aligned model that is worse than its base."""
