"""Tiny problems and solutions that are made as they are read."""

from __future__ import annotations

from collections.abc import Iterator

from codepref.records import Problem, Solution, Test


def problems(count: int, tests: int) -> list[Problem]:
    """Return problems with this number of tests each."""
    return [
        Problem(
            f"tiny/{at}",
            f"Add {at}.",
            "f",
            tuple(Test(f"tiny/{at}", str(x), f"assert f({x}) == {x + at}") for x in range(1, tests + 1)),
        )
        for at in range(count)
    ]


def solutions(count: int, per_problem: int) -> Iterator[Solution]:
    """Yield different solutions, `per_problem` for each problem in turn. Every third one is wrong from x = 5 on."""
    for number in range(count):
        at, sample = divmod(number, per_problem)
        wrong = " - (x >= 5)" if sample % 3 == 2 else ""
        yield Solution(f"tiny/{at}", sample, f"def f(x):\n    return x + {at}{wrong}  # {sample}\n")


def sleepers(count: int, seconds: float, tasks: int) -> Iterator[Solution]:
    """Yield different right solutions, which first wait for `seconds`.

    tasks: the number of problems, which take turns.
    """
    for number in range(count):
        at, sample = number % tasks, number // tasks
        text = f"import time\ntime.sleep({seconds})\ndef f(x):\n    return x + {at}  # {sample}\n"
        yield Solution(f"tiny/{at}", sample, text)
