"""Makes tiny problems, and generators of tiny solutions."""

from __future__ import annotations

from collections.abc import Iterator

from codepref.records import Problem, Solution, Test


def problems(count: int, tests: int) -> list[Problem]:
    """Return `count` problems with `tests` tests each."""
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
    """Yield `count` different solutions, `per_problem` for each problem in turn.

    Every third one of a problem is wrong for x >= 5.
    """
    for number in range(count):
        at, sample = divmod(number, per_problem)
        wrong = " - (x >= 5)" if sample % 3 == 2 else ""
        yield Solution(f"tiny/{at}", sample, f"def f(x):\n    return x + {at}{wrong}  # {sample}\n")


def sleepers(count: int, seconds: float, tasks: int) -> Iterator[Solution]:
    """Yield `count` different right solutions, each of which waits for `seconds` when it is loaded.

    tasks: the number of problems, which take turns.
    """
    for number in range(count):
        at, sample = number % tasks, number // tasks
        text = f"import time\ntime.sleep({seconds})\ndef f(x):\n    return x + {at}  # {sample}\n"
        yield Solution(f"tiny/{at}", sample, text)
