"""The entry point of a problem is the function whose result its tests check."""

from __future__ import annotations

import pytest

from codepref.errors import UserError
from codepref.problems.entry_points import infer_entry_point

GOLD = """
class Coin:
    def __init__(self, value):
        self.value = value

def rectangle(a, b):
    return a * b

def worth(coins, factor=1):
    return factor * sum(coin.value for coin in coins)
"""


@pytest.mark.parametrize(
    "tests",
    [
        ["assert worth([Coin(5)]) == 5", "assert worth([Coin(1), Coin(2)]) == 3"],
        ["assert worth(coins=[Coin(5)]) == 5", "assert worth([Coin(1)]) == 1"],
        ["assert 5 == worth([Coin(5)])"],
        ["assert not worth([Coin(0)])"],
        ["assert sorted([worth([Coin(5)])]) == [5]"],
        ["assert worth([Coin(5)]) == 5 and worth([Coin(6)]) == 6"],
        ["assert [worth([Coin(n)]) for n in (1, 2)] == [1, 2]"],
        ["assert abs(worth([Coin(5)], rectangle(1, 2)) - 10) < 1e-6"],
        ["coins = [Coin(5)]\nassert worth(coins) == 5"],
        ["result = worth([Coin(5)])\nassert result == 5"],
        ["for n in (1, 2):\n    assert worth([Coin(n)]) == n"],
        ["def check(candidate):\n    assert worth([Coin(1)]) == 1"],
        ["assert worth([Coin(5)]) == Coin(5).value"],
        ["assert worth([Coin(rectangle(1, 5))]) == 5"],
        ["assert worth([]) == 0", "assert worth([Coin(5)]) == 5"],
        ["assert Coin(5).value == 5", "assert worth([Coin(5)]) == 5", "assert worth([]) == 0"],
    ],
)
def test_the_function_whose_result_is_checked_is_the_entry_point(tests: list[str]) -> None:
    assert infer_entry_point(tests, GOLD, "here") == "worth"


@pytest.mark.parametrize(
    ("gold", "test", "entry_point"),
    [
        (GOLD, "assert Coin(5).value == 5", "Coin"),
        ("double = lambda x: 2 * x\n", "assert double(2) == 4", "double"),
        ("from functools import partial\nten = partial(max, 10)\n", "assert ten(2) == 10", "ten"),
        (
            "from collections import namedtuple\nP = namedtuple('P', 'x')\ndef f(p): return p.x\n",
            "assert f(P(1)) == 1",
            "f",
        ),
        ("async def f(): return 1\n", "import asyncio\nassert asyncio.run(f()) == 1", "f"),
        ("def sum(a): return 0\n", "assert sum([1]) == 0", "sum"),
    ],
)
def test_the_entry_point_is_what_the_gold_solution_defines(gold: str, test: str, entry_point: str) -> None:
    assert infer_entry_point([test], gold, "here") == entry_point


def test_equal_rivals_are_an_error() -> None:
    with pytest.raises(UserError, match=r"several functions fit \(f, g\)"):
        infer_entry_point(["assert f(1) == g(1)"], "def f(x): ...\ndef g(x): ...\n", "here")
    with pytest.raises(UserError, match=r"several functions fit \(f, g\)"):
        infer_entry_point(["assert f(g(1)) == 1"], None, "here")
    with pytest.raises(UserError, match="no function fits"):
        infer_entry_point(["assert h(1) == 1"], "def f(x): ...\n", "here")
