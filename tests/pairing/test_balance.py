"""Tests of pairs that are balanced by the length of the answers and by the difficulty of the problems."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_pair import matrix, program
from test_rules import rule_input

from codepref.errors import UserError
from codepref.pairing.balance import RATIOS, balanced, ease_by_ratings, ease_by_tests
from codepref.pairing.pair import pair
from codepref.pairing.pair_rated import pair_rated
from codepref.pairing.rules.base import RatedInput
from codepref.records import Judgment, Pair, Problem, Rating, Response


def one(task: str, chosen: int, rejected: int, confidence: float = 1.0) -> Pair:
    """Return a pair whose chosen and rejected answers have these numbers of characters."""
    sides = [[{"role": "assistant", "content": "x" * length}] for length in (chosen, rejected)]
    return Pair(task, [], *sides, "rule", confidence, 0, 1)


def balance_lengths(pairs: list[Pair]) -> list[Pair]:
    return balanced(pairs, {}, balance_length=True, max_easy_share=1.0, seed=0, dropped=Counter())


def limit_easy(pairs: list[Pair], ease: dict[str, float], share: float) -> list[Pair]:
    return balanced(pairs, ease, balance_length=False, max_easy_share=share, seed=0, dropped=Counter())


def lengths(pairs: list[Pair]) -> list[tuple[int, int]]:
    return [(len(p.chosen[0]["content"]), len(p.rejected[0]["content"])) for p in pairs]


def test_the_longer_answer_is_chosen_as_often_as_it_is_rejected() -> None:
    longer = [one(f"a{i}", 20, 10, confidence=0.1 * i) for i in range(1, 6)]
    shorter = [one("b", 10, 20), one("c", 10, 20)]
    kept = balance_lengths([*longer, *shorter, one("d", 10, 10)])
    # two of five pairs are kept: those with the highest confidence
    assert [p.task_id for p in kept] == ["a4", "a5", "b", "c", "d"]


def test_pairs_are_matched_with_pairs_of_a_similar_ratio() -> None:
    # the ratio of the first pair is 4 and that of the second 1.05, so no pair of the other sign is like it
    assert balance_lengths([one("a", 40, 10), one("b", 100, 105)]) == []
    assert len(balance_lengths([one("a", 40, 10), one("b", 10, 50)])) == 2


def test_an_empty_answer_counts_as_much_shorter() -> None:
    assert len(balance_lengths([one("a", 5, 0), one("b", 0, 5)])) == 2


def test_surplus_pairs_of_one_problem_go_before_the_only_pair_of_another() -> None:
    pairs = [one("a", 20, 10), one("a", 21, 10), one("a", 22, 10), one("b", 23, 10), one("c", 10, 20), one("c", 10, 21)]
    kept = balance_lengths(pairs)
    assert sorted(p.task_id for p in kept) == ["a", "b", "c", "c"]


def test_easy_problems_get_no_more_pairs_than_hard_ones() -> None:
    pairs = [one(task, 10, 10) for task in ("easy", "easy", "easy", "mid", "hard", "unknown")]
    ease = {"easy": 1.0, "mid": 0.5, "hard": 0.4}
    # easy: 4 pairs of "easy" and "mid"; others: 2 pairs of "hard" and "unknown"
    kept = limit_easy(pairs, ease, 0.5)
    assert Counter(p.task_id in ("easy", "mid") for p in kept) == {True: 2, False: 2}
    assert {p.task_id for p in kept} == {"easy", "mid", "hard", "unknown"}
    assert limit_easy(pairs, ease, 1.0) == pairs
    assert [p.task_id for p in limit_easy(pairs, ease, 0.0)] == ["hard", "unknown"]


@pytest.mark.parametrize(("share", "easy"), [(0.2, 1), (0.25, 1), (0.29, 1), (1 / 3, 2), (0.34, 2)])
def test_the_share_of_easy_pairs_is_not_exceeded(share: float, easy: int) -> None:
    pairs = [one("easy", 10, 10)] * 9 + [one("hard", 10, 10)] * 4
    # 1 of 5 is 0.2 and 2 of 6 is 1/3
    assert len(limit_easy(pairs, {"easy": 0.9}, share)) == 4 + easy


def test_both_conditions_hold_together() -> None:
    # 2 + 2 pairs of the easy problem are balanced by length among themselves, and so are 1 + 1 pairs of the hard one
    pairs = [one("easy", 20, 10), one("easy", 21, 10), one("easy", 10, 20), one("easy", 10, 21)]
    pairs += [one("hard", 22, 10), one("hard", 10, 22)]
    options: dict[str, Any] = {"balance_length": True, "seed": 0, "dropped": Counter()}
    kept = balanced(pairs, {"easy": 0.9}, max_easy_share=0.5, **options)
    assert Counter(p.task_id for p in kept) == {"easy": 2, "hard": 2}
    assert sum(good > bad for good, bad in lengths(kept)) == 2


def test_a_pair_of_an_easy_problem_can_balance_one_of_a_hard_problem() -> None:
    pairs = [one("hard", 20, 10), one("easy", 10, 20), one("easy", 10, 21), one("easy", 21, 10)]
    options: dict[str, Any] = {"balance_length": True, "seed": 0, "dropped": Counter()}
    # the hard pair is matched with an easy one first, and then the two other easy ones
    assert [p.task_id for p in balanced(pairs, {"easy": 0.9}, max_easy_share=0.5, **options)] == ["hard", "easy"]
    assert balanced(pairs, {"easy": 0.9}, max_easy_share=0.4, **options) == []


PAIRS = st.lists(
    st.builds(
        one,
        st.sampled_from(["a", "b", "c", "d"]),
        st.integers(0, 12),
        st.integers(0, 12),
        st.sampled_from([0.2, 0.5, 1.0]),
    ),
    max_size=30,
)


@given(PAIRS, st.booleans(), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(0, 3))
def test_a_balanced_set_is_a_subset_in_which_length_and_ease_are_balanced(
    pairs: list[Pair], by_length: bool, share: float, seed: int
) -> None:
    ease, dropped = {"a": 0.9, "b": 0.5, "c": 0.4}, Counter[str]()
    options: dict[str, Any] = {"balance_length": by_length, "max_easy_share": share, "seed": seed}
    kept = balanced(pairs, ease, dropped=dropped, **options)
    places = iter(pairs)
    assert all(any(p is wanted for p in places) for wanted in kept), "the order is kept"
    assert len(kept) + sum(dropped.values()) == len(pairs)
    assert all(dropped.values())
    easy = sum(p.task_id in "ab" for p in kept)
    assert easy <= share * len(kept) + 1e-9
    if by_length:
        signs: Counter[tuple[int, bool]] = Counter()
        for chosen, rejected in lengths(kept):
            if chosen != rejected:
                ratio = max(chosen, rejected) / max(min(chosen, rejected), 1e-9)
                signs[sum(ratio >= bound for bound in RATIOS), chosen > rejected] += 1
        assert all(number == signs[bin_, not sign] for (bin_, sign), number in signs.items())
    assert balanced(kept, ease, dropped=Counter(), **options) == kept


def test_the_ease_of_a_problem_by_its_verdicts() -> None:
    assert ease_by_tests(rule_input(["PP", "PF", "PS", "FF"]), true_tests=True) == 1 / 3  # PS is unknown
    assert ease_by_tests(rule_input(["", ""]), true_tests=True) == 0
    # self-written tests: the solutions pass 3, 1 and 2 tests (test 0 was written twice), so the mean is 2 of at most 3
    verdicts = rule_input(["PFP", "FPF", "PFF"], weights=[2, 1, 1])
    assert ease_by_tests(verdicts, true_tests=False) == pytest.approx(2 / 3)
    assert ease_by_tests(rule_input(["FF"]), true_tests=False) == 0


def test_the_ease_of_a_problem_by_its_ratings() -> None:
    assert ease_by_ratings(RatedInput((5, 3, None))) == 0.75  # the mean is 4, on a scale from 1 to 5
    assert ease_by_ratings(RatedInput((5, 3, 1), (True, False, None))) == 0.5
    assert ease_by_ratings(RatedInput(())) == 0


def problem(task: str) -> Problem:
    return Problem(task_id=task, prompt="Double x.", entry_point="f")


def test_pairs_from_verdicts_are_balanced_and_counted() -> None:
    long, short, wrong = program("2 * x + 0 + 0 + 0"), program("2 * x"), program("x / 1 / 1")
    easy = matrix((long, "P"), (short, "P"), (wrong, "F"), task_id="easy")
    hard = matrix((long, "P"), (wrong, "F"), (program("x"), "F"), task_id="hard")
    tasks = [problem("easy"), problem("hard")]
    plain = pair([easy, hard], tasks)
    assert (len(plain.pairs), plain.selected, plain.dropped) == (4, 4, {})
    result = pair([easy, hard], tasks, balance_length=True)
    # With the fence, the answers have 52 (long), 40 (short), 44 (wrong) and 36 characters. The chosen answer is longer
    # in long-wrong, twice (52 / 44 = 1.18), and in long-x (1.44), and shorter in short-wrong (44 / 40 = 1.1).
    assert lengths(result.pairs) in ([(52, 44), (40, 44)], [(40, 44), (52, 44)])
    assert (result.selected, result.dropped) == (4, {"pair dropped: to balance the lengths": 2})
    result = pair([easy, hard], tasks, max_easy_share=0.4)
    assert Counter(p.task_id for p in result.pairs) == {"hard": 2, "easy": 1}
    assert result.dropped == {"pair dropped: above max_easy_share": 1}


def test_pairs_from_ratings_are_balanced_too() -> None:
    def judgment(task: str, first: str, second: str, *values: int) -> Judgment:
        responses = [Response(task, number, "m", text) for number, text in enumerate((first, second))]
        ratings = [Rating(number, value) for number, value in enumerate(values)]
        return Judgment(task, "Double x.", "style", tuple(responses), tuple(ratings))

    rated = [judgment("a", "xxxx", "y", 5, 1), judgment("b", "z", "wwwww", 5, 1), judgment("c", "vvvv", "u", 5, 1)]
    result = pair_rated(rated, None, [problem(task) for task in "abc"], balance_length=True)
    assert (len(result.pairs), result.selected) == (2, 3)
    assert result.dropped == {"pair dropped: to balance the lengths": 1}


def test_a_share_outside_its_bounds_is_refused() -> None:
    with pytest.raises(UserError, match="max_easy_share must be between 0 and 1"):
        pair([], [], max_easy_share=1.5)
