"""Exceptions, one class for each cause: wrong input, the machine, a part of codepref, or a refused result.

A single failure of a model raises no exception. A solution that crashes gets a verdict, an answer without code passes
no test, and tests that cannot be used are dropped and counted. An exception stops the work. Each class holds the status
with which the command line exits.
"""

from __future__ import annotations


class CodeprefError(Exception):
    """Base class of UserError, MachineError, InfrastructureError and GateError.

    The command line exits with the status `exit_status`.
    """

    exit_status = 1


class UserError(CodeprefError):
    """The user's input is wrong.

    `problems` holds the lines of the message, usually one per mistake, such as three lines for three unknown keys of a
    recipe.
    """

    exit_status = 2

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class MachineError(CodeprefError):
    """The machine lacks something, such as Landlock, disk space, memory or an optional package.

    It is also raised if a service cannot be reached or used, such as the hub, a Ray cluster or `codepref serve`.
    """

    exit_status = 3


class InfrastructureError(CodeprefError):
    """A part of codepref, or a program or a server that it uses, failed, such as the sandbox or ruff.

    This never counts as a failure of a model.
    """


class GateError(CodeprefError):
    """codepref refuses to go on with a result, for example a model that is not promoted.

    A training that diverges and a budget that is spent raise this exception too.
    """
