"""The order of KTO's rows. It mixes labels in batches and separates answers to one problem as far as it can."""

from collections import Counter
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from codepref.training.interleave import interleaved, kl_clashes, one_sided_batches


@dataclass(frozen=True)
class Row:
    task_id: str
    wanted: bool


def row(text: str) -> Row:
    """Return a row from its short form: `a+` is a wanted answer to problem a, and `a-` is an unwanted answer to it."""
    return Row(text[0], text[1] == "+")


def rows(text: str) -> list[Row]:
    return [row(word) for word in text.split()]


def test_the_first_prompt_of_a_batch_is_the_kl_neighbour_of_its_last_answer() -> None:
    assert kl_clashes(rows("a+ b- a-"), 3) == 1  # the first prompt gets the last answer, and both belong to problem a
    assert kl_clashes(rows("a+ b- a- b+"), 4) == 0
    assert kl_clashes(rows("a+ a-"), 2) == 2
    assert kl_clashes(rows("a+ b- b+ a-"), 2) == 0  # rows of different batches are not neighbours


def test_batches_of_one_label_are_counted() -> None:
    assert one_sided_batches(rows("a+ b+ c- d+"), 2) == 1
    assert one_sided_batches(rows("a+ b+ c+"), 2) == 2


def test_two_blocks_of_labels_are_mixed_completely_and_repeatably() -> None:
    blocks = [Row(str(task), True) for task in range(50)] + [Row(str(task), False) for task in range(50)]
    ordered = interleaved(blocks, 4, seed=0)
    assert one_sided_batches(ordered, 4) == 0
    assert kl_clashes(ordered, 4) == 0
    assert interleaved(blocks, 4, seed=0) == ordered
    assert interleaved(blocks, 4, seed=1) != ordered


def test_many_answers_of_few_problems_are_separated() -> None:
    many = [Row(task, wanted) for task in "abc" for wanted in (True, False) for _ in range(8)]
    assert kl_clashes(interleaved(many, 2, seed=0), 2) == 0


def test_answers_of_a_single_problem_stay_neighbours() -> None:
    assert kl_clashes(interleaved(rows("a+ a- a+ a-"), 2, seed=0), 2) == 4


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=60),
    st.integers(2, 8),
    st.integers(0, 3),
)
def test_labels_are_mixed_as_far_as_their_counts_allow(raw: list[tuple[int, bool]], batch: int, seed: int) -> None:
    input_rows = [Row(str(task), wanted) for task, wanted in raw]
    ordered = interleaved(input_rows, batch, seed)
    assert Counter(ordered) == Counter(input_rows)
    whole = -(-len(ordered) // batch)
    wanted = sum(one.wanted for one in ordered)
    alone = len(ordered) % batch == 1  # a batch of one row has one label whatever the order
    rarer = min(wanted, len(ordered) - wanted)
    assert one_sided_batches(ordered, batch) <= max(0, whole - rarer) + alone
