"""Packing by shared prefixes. A place attends to its token and to those before it in its sequence, and to no others."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.training.prefix_tree import pack

SEQUENCES = st.lists(st.lists(st.integers(1, 3), min_size=2, max_size=9), min_size=1, max_size=9)


@given(SEQUENCES)
def test_a_place_attends_to_its_own_prefix_and_predicts_its_own_next_token(sequences: Sequence[Sequence[int]]) -> None:
    packed = pack(sequences)
    mask_BLL, length = packed.mask_BLL(), packed.ids_BL.shape[1]
    predicted: dict[int, int] = {}
    for sequence, places in zip(sequences, packed.places, strict=True):
        assert len(places) == len(sequence) - 1
        for depth, place in enumerate(places):
            row, column = divmod(int(place), length)
            visible = np.flatnonzero(mask_BLL[row, column])
            assert packed.ids_BL[row, visible].tolist() == list(sequence[: depth + 1])
            assert packed.positions_BL[row, visible].tolist() == list(range(depth + 1))
            assert predicted.setdefault(int(place), sequence[depth + 1]) == sequence[depth + 1]


@given(SEQUENCES)
def test_every_place_predicts_a_token_and_no_prediction_is_repeated(sequences: Sequence[Sequence[int]]) -> None:
    packed = pack(sequences)
    used = {int(place) for places in packed.places for place in places}
    assert used == set(np.flatnonzero(packed.segments_BL.ravel() >= 0).tolist())
    # one place for each distinct (prefix, next token)
    assert len(used) == len({tuple(s[: depth + 1]) for s in sequences for depth in range(1, len(s))})


def test_the_prompt_of_two_answers_is_packed_once() -> None:
    prompt, one, other = [7, 8, 9, 6], [1, 2, 3], [4, 5, 3]
    packed = pack([prompt + one, prompt + other])
    # 7, 8 and 9 have one place. The prompt's last token, 6, predicts two different tokens and has two places. The last
    # tokens of the sequences have no place.
    assert packed.ids_BL.tolist() == [[7, 8, 9, 6, 1, 2, 6, 4, 5]]
    assert packed.positions_BL.tolist() == [[0, 1, 2, 3, 4, 5, 3, 4, 5]]
    assert packed.places[1].tolist() == [0, 1, 2, 6, 7, 8]
    assert not packed.mask_BLL()[0, 6, 3:6].any()  # the second answer does not attend to the first


def test_short_trees_share_a_row() -> None:
    packed = pack([[1, 2, 3, 4, 5], [2, 9, 9], [3, 8, 8]])  # trees of 4, 2 and 2 places
    assert packed.ids_BL.tolist() == [[1, 2, 3, 4], [2, 9, 3, 8]]
    assert packed.mask_BLL()[1].astype(int).tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]


def test_a_thousand_nested_forks_do_not_overflow_the_stack() -> None:
    packed = pack([[5] * n + [6] for n in range(1, 1500)])
    assert len(packed.places[-1]) == 1499


def test_a_sequence_of_one_token_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two tokens"):
        pack([[1, 2], [3]])
