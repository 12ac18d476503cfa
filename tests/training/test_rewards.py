"""Tests of rewards: from verdict codes, by execution, and for programs that try to be rewarded without a solution."""

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
def test_verdict_codes_to_rewards(codes: str, share: float | None, coarse: float | None) -> None:
    assert reward_of(codes, True, "share") == share
    assert reward_of(codes, True, "coarse") == coarse
    # "pass" and "coarse" give a reward for the same codes: those from which it is known whether the solution is correct
    assert reward_of(codes, True, "pass") == (None if coarse is None else float(coarse == 1.0))


def test_a_program_that_does_not_compile_gets_the_lowest_reward_whatever_its_codes() -> None:
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


def test_each_kind_of_program_gets_its_coarse_reward(coarse: ExecutionReward) -> None:
    looping, broken = "def f(x):\n    while True: pass", "def f(x)\n    return x + 1"
    texts = [RIGHT, WRONG, looping, broken, "I cannot do that.", f"Sure:\n```python\n{RIGHT}\n```"]
    rewards = coarse(completions=texts, task_id=["add"] * len(texts))
    assert rewards == [COARSE[3], COARSE[2], COARSE[1], COARSE[0], COARSE[0], COARSE[3]]


def test_forgeries_get_a_negative_reward(coarse: ExecutionReward) -> None:
    rewards = coarse(completions=FORGERIES, task_id=["add"] * len(FORGERIES))
    assert None not in rewards
    assert max(reward for reward in rewards if reward is not None) < 0


def test_completions_may_be_message_lists_with_repeated_programs(coarse: ExecutionReward) -> None:
    before = coarse.judged
    turns = [[{"role": "assistant", "content": text}] for text in (RIGHT, WRONG, RIGHT)]
    assert coarse(prompts=None, completions=turns, task_id=["add"] * 3, trainer_state=None) == [1.0, -0.3, 1.0]
    assert coarse.judged == before + 3


def test_the_share_rule_gives_the_share_of_passing_tests() -> None:
    with ExecutionReward([ADD], rule="share", jobs=1) as reward:
        assert reward(completions=[WRONG], task_id=["add"]) == [0.5]
        assert reward.__name__ == "execution_share"


def test_unknown_tasks_problems_without_tests_and_wrong_values_are_refused(coarse: ExecutionReward) -> None:
    with pytest.raises(UserError, match="there is no problem for task 'other'"):
        coarse(completions=[RIGHT], task_id=["other"])
    with pytest.raises(UserError, match="1 of 1 problems have none, such as bare"):
        ExecutionReward([Problem("bare", "Add.", "f")])
    with pytest.raises(UserError, match="four values"):
        ExecutionReward([ADD], rule="coarse", coarse=(0.0, 1.0))


def test_the_data_set_has_the_columns_that_trl_reads(coarse: ExecutionReward) -> None:
    (row,) = coarse.dataset().to_list()
    assert row["task_id"] == "add"
    assert row["prompt"][0]["role"] == "user"
    assert "Add one to x." in row["prompt"][0]["content"]
