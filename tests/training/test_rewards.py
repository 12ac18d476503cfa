"""Execution as a reward: codes to numbers by hand, and real programs that try to be paid for nothing."""

from collections.abc import Iterator

import pytest

from codepref.errors import UserError
from codepref.records import Problem, Test
from codepref.training.rewards import COARSE, ExecutionReward, reward_of

ADD = Problem(
    "add",
    "Add one to x.",
    "f",
    tests=tuple(Test("add", str(n), f"assert f({n}) == {n + 1}") for n in range(4)),
)
RIGHT, WRONG = "def f(x):\n    return x + 1", "def f(x):\n    return x if x > 1 else x + 1"


@pytest.mark.parametrize(
    ("codes", "share", "coarse"),
    [
        ("PPPP", 1.0, 1.0),
        ("PPFF", 0.5, -0.3),
        ("FFFF", 0.0, -0.3),
        ("PPPE", 0.75, -0.6),
        ("FTSS", 0.0, -0.6),
        ("M", 0.0, -0.6),
        ("PX", 0.5, -0.6),
        ("PPSS", 0.5, None),
        ("PI", None, None),
        ("FI", None, -0.3),
        ("EI", None, -0.6),
        ("S", None, None),
        ("", None, None),
    ],
)
def test_codes_to_rewards(codes: str, share: float | None, coarse: float | None) -> None:
    assert reward_of(codes, True, "share") == share
    assert reward_of(codes, True, "coarse") == coarse
    assert reward_of(codes, True, "pass") == (None if coarse is None else float(coarse == 1.0))


def test_what_does_not_compile_is_paid_least_whatever_its_codes() -> None:
    assert [reward_of("E", False, rule) for rule in ("share", "pass", "coarse")] == [0.0, 0.0, -1.0]
    assert reward_of("EEEE", False, "coarse", (0.0, 0.1, 0.2, 3.0)) == 0.0


@pytest.fixture(scope="module")
def coarse() -> Iterator[ExecutionReward]:
    with ExecutionReward([ADD], rule="coarse", jobs=1) as reward:
        yield reward


FORGERIES = [
    "class A:\n    __eq__ = lambda s, o: True\n    __hash__ = None\ndef f(x):\n    return A()",
    "import os\ndef f(x):\n    os._exit(0)",
    "import sys\nsys.exit(0)",
    "def f(x):\n    raise SystemExit(0)",
]


def test_programs_are_paid_by_what_they_do(coarse: ExecutionReward) -> None:
    looping, broken = "def f(x):\n    while True: pass", "def f(x)\n    return x + 1"
    texts = [RIGHT, WRONG, looping, broken, "I cannot do that.", f"Sure:\n```python\n{RIGHT}\n```"]
    found = coarse(completions=texts, task_id=["add"] * len(texts))
    assert found == [COARSE[3], COARSE[2], COARSE[1], COARSE[0], COARSE[0], COARSE[3]]


def test_forgeries_earn_nothing(coarse: ExecutionReward) -> None:
    found = coarse(completions=FORGERIES, task_id=["add"] * len(FORGERIES))
    assert max(reward for reward in found if reward is not None) < 0
    assert None not in found


def test_messages_are_read_and_equal_programs_run_once(coarse: ExecutionReward) -> None:
    before = coarse.judged
    turns = [[{"role": "assistant", "content": text}] for text in (RIGHT, WRONG, RIGHT)]
    assert coarse(prompts=None, completions=turns, task_id=["add"] * 3, trainer_state=None) == [1.0, -0.3, 1.0]
    assert coarse.judged == before + 3


def test_the_share_is_of_tests() -> None:
    with ExecutionReward([ADD], rule="share", jobs=1) as reward:
        assert reward(completions=[WRONG], task_id=["add"]) == [0.5]
        assert reward.__name__ == "execution_share"


def test_mistakes_are_told(coarse: ExecutionReward) -> None:
    with pytest.raises(UserError, match="no problem for task 'other'"):
        coarse(completions=[RIGHT], task_id=["other"])
    with pytest.raises(UserError, match="1 problems have no tests"):
        ExecutionReward([Problem("bare", "Add.", "f")])
    with pytest.raises(UserError, match="four values"):
        ExecutionReward([ADD], rule="coarse", coarse=(0.0, 1.0))


def test_the_data_set_is_what_trl_reads(coarse: ExecutionReward) -> None:
    (row,) = coarse.dataset().to_list()
    assert row["task_id"] == "add"
    assert row["prompt"][0]["role"] == "user"
    assert "Add one to x." in row["prompt"][0]["content"]
