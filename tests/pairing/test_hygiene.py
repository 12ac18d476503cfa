"""Tests of the limits for proposed pairs: unequal lengths, pairs of one problem, and the share of problems kept."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codepref.errors import UserError
from codepref.pairing.hygiene import count_in_share, select_diverse
from codepref.pairing.pair import pair
from codepref.records import Pair, Problem, Test, Verdict, VerdictMatrix

PROBLEM = Problem(task_id="t", prompt="Double x.", entry_point="f")
GOOD, BAD = "def f(x):\n    return 2 * x", "def f(x):\n    return x"  # 26 and 22 characters, a ratio of 1.18
MATRIX = VerdictMatrix(
    "t", (Test("t", "0", "assert f(1) == 2"),), (Verdict("t", 0, GOOD, "P"), Verdict("t", 1, BAD, "F"))
)


@pytest.mark.parametrize(("ratio", "kept"), [(0.0, 1), (1.1, 0), (1.2, 1)])
def test_pairs_of_very_unequal_length_are_dropped_and_counted(ratio: float, kept: int) -> None:
    result = pair([MATRIX], [PROBLEM], fence=False, max_length_ratio=ratio)
    assert len(result.pairs) == kept
    assert result.dropped == ({} if kept else {"pair dropped: above max_length_ratio": 1})


@pytest.mark.parametrize("ratio", [0.5, -1.0, float("nan")])
def test_a_length_ratio_below_1_is_refused(ratio: float) -> None:
    with pytest.raises(UserError, match="max_length_ratio"):
        pair([MATRIX], [PROBLEM], max_length_ratio=ratio)


def proposed(*proposals: tuple[str, str, float]) -> dict[tuple[str, str], Pair]:
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


def kept(proposals: dict[tuple[str, str], Pair], max_pairs: int) -> list[tuple[str, str]]:
    return [(pair.chosen[0]["content"], pair.rejected[0]["content"]) for pair in select_diverse(proposals, max_pairs)]


def test_a_pair_of_unused_answers_comes_before_a_more_confident_pair_of_used_ones() -> None:
    # The pair a-x has the highest confidence. Of the other pairs, a-y uses a again, b-x uses x again, and b-y uses only
    # new answers.
    proposals = proposed(("a", "x", 0.9), ("a", "y", 0.8), ("b", "x", 0.7), ("b", "y", 0.1))
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
def test_an_answer_is_used_twice_on_a_side_only_if_no_pair_of_unused_answers_is_left(
    proposals: dict[tuple[str, str], float], most: int
) -> None:
    every = proposed(*((*key, confidence) for key, confidence in proposals.items()))
    selected = kept(every, most)
    assert len(selected) == min(most, len(every)) == len(set(selected))
    assert selected == [key for key in every if key in selected]
    chosen, rejected = Counter(c for c, _ in selected), Counter(r for _, r in selected)
    if max([*chosen.values(), *rejected.values()]) > 1:
        assert all(c in chosen or r in rejected for c, r in every)
    highest = max(one.confidence for one in every.values())
    assert highest in [every[key].confidence for key in selected]


def test_the_number_of_draws_does_not_raise_the_limit_of_pairs_of_a_problem() -> None:
    programs = [f"def f(x):\n    return 2 * x + {at}" for at in range(6)]
    codes = ["PPPP", "PPPF", "PFFF", "FPFF", "FFFF", "FFPF"]
    matrix = VerdictMatrix(
        "t",
        tuple(Test("t", str(at), f"assert f({at}) == {2 * at}") for at in range(4)),
        tuple(Verdict("t", at, *both) for at, both in enumerate(zip(programs, codes, strict=True))),
    )
    free = pair([matrix], [PROBLEM], rule="dstc-code", draws=8, max_pairs_per_problem=8)
    limited = pair([matrix], [PROBLEM], rule="dstc-code", draws=8, max_pairs_per_problem=2)
    assert len(free.pairs) > 2
    assert len(limited.pairs) == 2
    assert limited.dropped["pair dropped: above max_pairs_per_problem"] == len(free.pairs) - 2


@pytest.mark.parametrize(
    ("share", "total", "count"),
    [
        (0.29, 100, 29),  # 0.29 * 100 is 28.999999999999996
        (0.57, 100, 57),
        (0.1, 9, 0),
        (0.1, 10, 1),
        (0.3, 90, 27),
        (1 / 3, 3, 1),
        (2 / 3, 3, 2),
        (0.999, 1000, 999),
        (1.0, 7, 7),
        (0.5, 0, 0),
        (0.28999, 100, 28),
    ],
)
def test_the_count_in_a_share_is_exact(share: float, total: int, count: int) -> None:
    assert count_in_share(share, total) == count


@given(st.integers(1, 3000), st.data())
def test_n_items_of_a_total_are_in_the_share_n_by_total(total: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, total))
    assert count_in_share(n / total, total) == n


@given(st.floats(1e-6, 1), st.integers(0, 10**6))
def test_the_count_in_a_share_is_the_largest_that_fits(share: float, total: int) -> None:
    count = count_in_share(share, total)
    assert 0 <= count <= total
    assert count == 0 or count / total <= share
    assert count == total or (count + 1) / total > share


@pytest.mark.parametrize("rule", ["all-tests", "max-pass"])
def test_a_share_of_29_percent_keeps_the_pairs_of_29_of_100_problems(rule: str) -> None:
    matrices = [replace(MATRIX, task_id=f"t{number}") for number in range(100)]
    problems = [replace(PROBLEM, task_id=f"t{number}") for number in range(100)]
    result = pair(matrices, problems, rule=rule, max_share=0.29)
    assert len({one.task_id for one in result.pairs}) == 29
    assert result.dropped == {"pair dropped: above max_share of the problems": 71}


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01, float("nan")])
def test_a_share_of_problems_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(UserError, match="max_share"):
        pair([MATRIX], [PROBLEM], max_share=share)
