"""Pairs that teach something other than what is right."""

import pytest

from codepref.errors import UserError
from codepref.pairing.pair import pair
from codepref.records import Problem, Test, Verdict, VerdictMatrix

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
