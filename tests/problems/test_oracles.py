"""Tests of published tasks: how outputs are compared, which types arguments have, and which tests are repaired."""

from __future__ import annotations

from typing import Any

import pytest

from codepref.problems.mbpp_arguments import restore_arguments
from codepref.problems.oracles import comparison
from codepref.problems.repairs import repair


def accept(task_id: str, entry_point: str) -> Any:
    names: dict[str, Any] = {}
    compare, oracle = comparison(task_id, entry_point)
    assert compare == f"oracle:{entry_point}"
    exec(oracle, names)
    return names["accept"]


@pytest.mark.parametrize(
    ("task", "arguments", "output", "right"),
    [
        # (x - 1)(x - 2)(x - 3) = -6 + 11 x - 6 x^2 + x^3 has three roots
        ("HumanEval/32 find_zero", [[-6, 11, -6, 1]], 2.0, True),
        ("HumanEval/32 find_zero", [[-6, 11, -6, 1]], 3.00001, True),
        ("HumanEval/32 find_zero", [[-6, 11, -6, 1]], 2.5, False),
        # edge 3, height 4: 9 + 2 * 3 * sqrt(1.5^2 + 16) = 34.63
        ("Mbpp/581 surface_Area", [3, 4], 35, True),
        ("Mbpp/581 surface_Area", [3, 4], 33, False),
        # 023 against 256: 2 + 3 + 3
        ("Mbpp/558 digit_distance_nums", [23, 256], 8, True),
        ("Mbpp/558 digit_distance_nums", [23, 256], 7, False),
        ("Mbpp/295 sum_div", [8], 0, True),
        ("Mbpp/295 sum_div", [8], 8, False),
        ("Mbpp/164 are_equivalent", [1, 2], "anything", True),
    ],
)
def test_an_oracle_accepts_right_outputs_only(task: str, arguments: list[Any], output: Any, right: bool) -> None:
    atol = 1e-4 if "find_zero" in task else 0
    assert bool(accept(*task.split())(arguments, output, None, atol)) is right


def test_the_comparison_of_a_name_holds_only_in_its_benchmark() -> None:
    assert comparison("Mbpp/769", "Diff") == ("set", "")
    assert comparison("HumanEval/769", "Diff") == ("equal", "")
    assert comparison("own/1", "find_zero") == ("equal", "")


@pytest.mark.parametrize(
    ("task", "stored", "arguments"),
    [
        (2, [[3, 4], [5]], [(3, 4), (5,)]),
        (63, [[[1, 2], [3, 4]]], [[(1, 2), (3, 4)]]),
        (75, [[[6, 24]], 6], [[(6, 24)], 6]),
        (106, [[5], [9, 10]], [[5], (9, 10)]),
        (115, [[[1, 2], []]], [[{1, 2}, {}]]),
        (124, ["0", "1j"], [0.0, 1j]),
        (252, ["(-3+4j)"], [-3 + 4j]),
        (259, [[[1, 3]], [[6, 7]]], [((1, 3),), ((6, 7),)]),
        (278, [[1, [4, [6]]]], [(1, (4, [6]))]),
        (307, [["HELLO", 5, [], True], 2, 50], [("HELLO", 5, [], True), 2, 50]),
        (615, [[[10, 10], [30, 45]]], [((10, 10), (30, 45))]),
        (722, [{"a": [6.2, 70]}, 6.0, 70], [{"a": (6.2, 70)}, 6.0, 70]),
        (3, [[1, 2]], [[1, 2]]),
    ],
)
def test_arguments_get_the_types_of_their_task(task: int, stored: list[Any], arguments: list[Any]) -> None:
    (restored,) = restore_arguments(f"Mbpp/{task}", [stored])
    assert restored == arguments
    assert repr(restored) == repr(arguments)


def test_a_repair_changes_only_the_published_text_of_its_task() -> None:
    source = "assert abs(_poly(*inp, candidate(*inp))) <= 0.0001"
    assert repair("HumanEval/32", source) == (source, [])
    broken = "assert _poly(*candidate(*inp), inp) <= 0.0001"
    assert repair("HumanEval/33", broken) == (broken, [])
    assert repair("HumanEval/32", broken) == (source, ["root"])
