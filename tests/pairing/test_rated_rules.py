"""Tests of pairs from ratings, alone and together with verdicts of true tests."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.errors import UserError
from codepref.pairing.pair_rated import pair_rated
from codepref.pairing.rules.base import RatedInput
from codepref.pairing.rules.rated import correct_then_rated, rated
from codepref.records import Judgment, Problem, Rating, Response, Verdict, VerdictMatrix

PROBLEM = Problem("a/0", "Add one.", "f")


def judgment(*values: int | None, texts: list[str] | None = None, finished: bool = True) -> Judgment:
    written = texts or [f"answer {at}" for at in range(len(values))]
    return Judgment(
        "a/0",
        "Add one.",
        "style",
        tuple(Response("a/0", at, "m", text, finished) for at, text in enumerate(written)),
        tuple(Rating(at, value, f"why {at}") for at, value in enumerate(values)),
        judge="rubric",
    )


def verdicts(*codes: str) -> list[VerdictMatrix]:
    return [VerdictMatrix("a/0", (), tuple(Verdict("a/0", at, "", word) for at, word in enumerate(codes)))]


def test_the_best_rated_response_is_chosen_and_the_worst_rejected() -> None:
    result = pair_rated([judgment(3, 5, None, 1, 4)], None, [PROBLEM])
    (pair,) = result.pairs
    assert (pair.chosen_id, pair.rejected_id) == (1, 3)
    assert pair.chosen == [{"role": "assistant", "content": "answer 1"}]
    assert pair.confidence == 1.0  # 4 of 4 points apart
    assert result.dropped == {"response left out: unjudged": 1}
    assert pair.evidence == {
        "judge": "rubric",
        "preference": "style",
        "ground": "rating",
        "chosen_rating": 5,
        "chosen_rationale": "why 1",
        "chosen_model": "m",
        "rejected_rating": 1,
        "rejected_rationale": "why 3",
        "rejected_model": "m",
    }


@pytest.mark.parametrize(
    ("values", "margin", "reason"),
    [
        ((3, 3, 3), 1, "all rated responses are rated alike"),
        ((3, 4), 2, "best and worst rating are less than the margin apart"),
        ((3, None), 1, "fewer than two rated responses"),
    ],
)
def test_ratings_that_are_not_a_margin_apart_give_no_pair(
    values: tuple[int | None, ...], margin: int, reason: str
) -> None:
    result = pair_rated([judgment(*values)], None, [PROBLEM], margin=margin)
    assert result.pairs == []
    assert result.dropped[reason] == 1


def test_the_seed_decides_between_equal_ratings() -> None:
    pairs = {
        (pair.chosen_id, pair.rejected_id)
        for seed in range(40)
        for pair in pair_rated([judgment(5, 5, 1, 1)], None, [PROBLEM], seed=seed, max_pairs_per_problem=1).pairs
    }
    assert pairs == {(0, 2), (0, 3), (1, 2), (1, 3)}


def test_only_correct_responses_are_chosen_and_among_them_the_best_rated() -> None:
    ratings = judgment(2, 4, 5, 1, 3)
    tested = verdicts("PP", "PP", "FP", "PF", "PI")
    result = pair_rated([ratings], tested, [PROBLEM], rule="tests-then-rating")
    # response 2 has the best rating but fails a test, and the correctness of response 4 is unknown
    assert [(p.chosen_id, p.rejected_id) for p in result.pairs] == [(1, 0)]
    both = pair_rated([ratings], tested, [PROBLEM], rule="tests-then-rating", correctness_pairs=True)
    assert {(p.chosen_id, p.rejected_id, p.evidence["ground"]) for p in both.pairs} == {
        (1, 0, "rating"),
        (1, 3, "tests"),  # responses 2 and 3 fail, and response 3 has the lower rating
    }
    assert [p.confidence for p in both.pairs] == [1.0, 0.5]
    assert both.pairs[0].evidence["chosen_verdicts"] == "PP"


def test_a_failed_test_makes_a_response_wrong_beside_an_infrastructure_failure() -> None:
    tested = verdicts("PP", "FI", "PI")
    result = pair_rated([judgment(5, 1, 1)], tested, [PROBLEM], rule="tests-then-rating", correctness_pairs=True)
    assert [(p.chosen_id, p.rejected_id) for p in result.pairs] == [(0, 1)]


def test_a_share_of_29_percent_keeps_the_pairs_of_29_of_100_problems() -> None:
    judgments = [replace(judgment(5, 1), task_id=f"t{number}") for number in range(100)]
    problems = [Problem(f"t{number}", "Add one.", "f") for number in range(100)]
    result = pair_rated(judgments, None, problems, max_share=0.29)
    assert len({p.task_id for p in result.pairs}) == 29


def test_passing_responses_with_equal_ratings_are_still_paired_with_failing_ones() -> None:
    result = pair_rated(
        [judgment(3, 3, 5)], verdicts("P", "P", "F"), [PROBLEM], rule="tests-then-rating", correctness_pairs=True
    )
    assert {p.rejected_id for p in result.pairs} == {2}
    assert result.dropped["all rated responses are rated alike"] == 1


def test_responses_that_differ_only_in_comments_can_be_a_pair() -> None:
    texts = ["# adds\nx = 1", "x = 1"]
    assert len(pair_rated([judgment(5, 3, texts=texts)], None, [PROBLEM]).pairs) == 1
    same = pair_rated([judgment(5, 3, texts=["x = 1", "x = 1\n"])], None, [PROBLEM])
    assert same.dropped == {"pair dropped: chosen and rejected are the same answer": 1}


def test_responses_that_were_cut_are_left_out_and_counted() -> None:
    result = pair_rated([judgment(5, 1, finished=False)], None, [PROBLEM])
    assert result.dropped["response left out: cut off, usually at the token limit"] == 2


def test_the_ratings_of_both_passes_are_averaged() -> None:
    plain = judgment(5, 4)
    ratings = (Rating(0, 5, second=3), Rating(1, 4, second=5))
    result = pair_rated([Judgment(**{**_fields(plain), "ratings": ratings})], None, [PROBLEM], margin=0.5)
    assert result.pairs[0].chosen_id == 1  # the mean ratings are 4 for response 0 and 4.5 for response 1


def test_a_score_decides_between_equal_ratings() -> None:
    ratings = (Rating(0, 4, score=3.6), Rating(1, 4, score=4.2), Rating(2, 4, score=3.9))
    finer = Judgment(**{**_fields(judgment(4, 4, 4)), "ratings": ratings})
    result = pair_rated([finer], None, [PROBLEM], margin=0.5)
    assert [(p.chosen_id, p.rejected_id) for p in result.pairs] == [(1, 0)]
    assert pair_rated([finer], None, [PROBLEM], margin=1).pairs == []


def _fields(one: Judgment) -> dict[str, object]:
    return {name: getattr(one, name) for name in Judgment.__slots__}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rule": "best"}, "unknown rule 'best'; known: all-tests"),
        ({"rule": "dstc"}, "rule 'dstc' does not read ratings"),
        ({"rule": "tests-then-rating"}, "needs verdicts of true tests"),
        ({"margin": 0}, "a tie is no preference"),
        ({"max_pairs_per_problem": 0}, "at least 1"),
    ],
)
def test_options_that_cannot_work_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pair_rated([judgment(1, 5)], None, [PROBLEM], **arguments)  # type: ignore[arg-type]


def test_judgments_of_other_problems_are_refused() -> None:
    with pytest.raises(UserError, match="the judgments hold task 'a/0', which is not among the problems"):
        pair_rated([judgment(1, 5)], None, [Problem("b/0", "", "f")])


@given(st.lists(st.none() | st.integers(1, 5), max_size=8), st.integers(1, 4), st.integers(1, 5), st.integers(0, 9))
def test_the_chosen_response_is_always_better_by_the_margin(
    values: list[int | None], margin: int, most: int, seed: int
) -> None:
    choice = rated(RatedInput(tuple(values), seed=seed), margin=margin, max_pairs=most)
    ratings = [value for value in values if value is not None]
    assert bool(choice.candidates) == (len(ratings) > 1 and max(ratings) - min(ratings) >= margin)
    assert bool(choice.candidates) != bool(choice.reason)
    assert len({(c.chosen, c.rejected) for c in choice.candidates}) == len(choice.candidates) <= most
    for candidate in choice.candidates:
        assert (values[candidate.chosen], values[candidate.rejected]) == (max(ratings), min(ratings))


@given(st.lists(st.tuples(st.none() | st.integers(1, 5), st.none() | st.booleans()), max_size=8), st.booleans())
def test_a_failing_response_is_never_chosen(rows: list[tuple[int | None, bool | None]], pairs: bool) -> None:
    ratings = RatedInput(tuple(r for r, _ in rows), tuple(c for _, c in rows))
    for candidate in correct_then_rated(ratings, max_pairs=3, correctness_pairs=pairs).candidates:
        assert rows[candidate.chosen][1] is True
        assert rows[candidate.rejected][1] is (candidate.evidence["ground"] == "rating")
