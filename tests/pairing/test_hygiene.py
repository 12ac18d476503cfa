"""Pairs that teach something other than what is right."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codepref.errors import UserError
from codepref.pairing.hygiene import select_diverse
from codepref.pairing.pair import pair
from codepref.records import Pair, Problem, Test, Verdict, VerdictMatrix

PROBLEM = Problem(task_id="t", prompt="Double x.", entry_point="f")
GOOD, BAD = "def f(x):\n    return 2 * x", "def f(x):\n    return x"  # 26 and 22 characters: 1.18 times as long
MATRIX = VerdictMatrix(
    "t", (Test("t", "0", "assert f(1) == 2"),), (Verdict("t", 0, GOOD, "P"), Verdict("t", 1, BAD, "F"))
)


@pytest.mark.parametrize(("ratio", "kept"), [(0.0, 1), (1.1, 0), (1.2, 1)])
def test_pairs_of_too_unequal_length_are_dropped_and_counted(ratio: float, kept: int) -> None:
    made = pair([MATRIX], [PROBLEM], fence=False, max_length_ratio=ratio)
    assert len(made.pairs) == kept
    assert made.dropped == ({} if kept else {"pair dropped: above max_length_ratio": 1})


@pytest.mark.parametrize("ratio", [0.5, -1.0, float("nan")])
def test_a_ratio_that_no_pair_can_keep_is_refused(ratio: float) -> None:
    with pytest.raises(UserError, match="max_length_ratio"):
        pair([MATRIX], [PROBLEM], max_length_ratio=ratio)


def made(*proposals: tuple[str, str, float]) -> dict[tuple[str, str], Pair]:
    return {
        (chosen, rejected): Pair(
            "t",
            [],
            [{"role": "assistant", "content": chosen}],
            [{"role": "assistant", "content": rejected}],
            "dstc",
            confidence,
            0,
            1,
            {},
        )
        for chosen, rejected, confidence in proposals
    }


def kept(proposals: dict[tuple[str, str], Pair], most: int) -> list[tuple[str, str]]:
    return [(pair.chosen[0]["content"], pair.rejected[0]["content"]) for pair in select_diverse(proposals, most)]


def test_unused_answers_come_before_surer_pairs_of_used_ones() -> None:
    # the surest is a-x; a-y is next by confidence but uses a again, b-x uses x again, b-y nothing
    proposals = made(("a", "x", 0.9), ("a", "y", 0.8), ("b", "x", 0.7), ("b", "y", 0.1))
    assert kept(proposals, 1) == [("a", "x")]
    assert kept(proposals, 2) == [("a", "x"), ("b", "y")]
    assert kept(proposals, 3) == [("a", "x"), ("a", "y"), ("b", "y")]


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz")), st.floats(0, 1), min_size=1, max_size=16
    ),
    st.integers(1, 6),
)
def test_an_answer_is_used_twice_on_a_side_only_when_no_fresh_pair_is_left(
    proposals: dict[tuple[str, str], float], most: int
) -> None:
    every = made(*((*key, confidence) for key, confidence in proposals.items()))
    found = kept(every, most)
    assert len(found) == min(most, len(every)) == len(set(found))
    assert found == [key for key in every if key in found]
    chosen, rejected = Counter(c for c, _ in found), Counter(r for _, r in found)
    if max([*chosen.values(), *rejected.values()]) > 1:
        assert all(c in chosen or r in rejected for c, r in every)
    surest = max(one.confidence for one in every.values())
    assert surest in [every[key].confidence for key in found]


def test_a_problem_weighs_no_more_than_another_however_many_draws() -> None:
    programs = [f"def f(x):\n    return 2 * x + {at}" for at in range(6)]
    codes = ["PPPP", "PPPF", "PFFF", "FPFF", "FFFF", "FFPF"]
    matrix = VerdictMatrix(
        "t",
        tuple(Test("t", str(at), f"assert f({at}) == {2 * at}") for at in range(4)),
        tuple(Verdict("t", at, *both) for at, both in enumerate(zip(programs, codes, strict=True))),
    )
    free = pair([matrix], [PROBLEM], rule="dstc-code", draws=8, max_pairs_per_problem=8)
    found = pair([matrix], [PROBLEM], rule="dstc-code", draws=8, max_pairs_per_problem=2)
    assert len(free.pairs) > 2
    assert len(found.pairs) == 2
    assert found.dropped["pair dropped: above max_pairs_per_problem"] == len(free.pairs) - 2
