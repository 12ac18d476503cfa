"""What the watch concludes, from probes whose intervals can be worked out by hand."""

import pytest

from codepref.training.validation_stats import Probe, best_step, repeats_itself, stop_reason, warnings


def probe(step: int, passed: int, of: int = 40, **more: float) -> Probe:
    """A probe that passes the first so many of `of` problems."""
    facts = {"unparsable": 0.0, "unfinished": 0.0, "characters": 100.0, "repeated": 0.0, "chosen_logp": -1.0} | more
    return Probe(step, tuple(float(at < passed) for at in range(of)), **facts)


def test_the_best_is_the_highest_beside_its_neighbours_and_the_later_of_equals() -> None:
    # means of up to three: 20, 25, 26.7, 28.3, 25; and 30, 30, 30
    passed = (20, 30, 30, 25, 20)
    assert best_step([probe(0, 39), *(probe(5 * at, n) for at, n in enumerate(passed, 1))]) == 20
    assert best_step([probe(0, 20), probe(5, 30), probe(10, 30), probe(15, 30)]) == 15
    assert best_step([probe(0, 39), probe(5, 3)]) == 5  # whether it is better than the start is for the gate to say


def test_one_lucky_probe_is_not_the_best() -> None:
    # means of up to three: 20, 25, 24, 26, 25.3: the lucky 30 of step 10 is not kept
    assert best_step([probe(0, 20), *(probe(5 * at, n) for at, n in enumerate((20, 30, 22, 26, 28), 1))]) == 20


def test_a_model_far_from_the_start_is_no_worse_for_that() -> None:
    # 24 of 40 as the start has them, then 26 others: the second's paired difference is the less sure one
    far = [Probe(step, (0.0,) * 14 + (1.0,) * 26, 0.0, 0.0, 100.0, 0.0, -1.0) for step in (10, 15, 20)]
    assert best_step([probe(0, 22), probe(5, 24), *far]) == 20


def test_what_was_never_probed_has_no_best() -> None:
    with pytest.raises(ValueError, match="no trained model"):
        best_step([probe(0, 20)])


def test_two_probes_in_a_row_that_are_shown_to_be_worse_stop_training() -> None:
    # 30 to 15 of 40: 15 losses and no win. 30 to 28: two losses, which are no evidence
    assert stop_reason([probe(0, 30), probe(5, 15), probe(10, 14)], patience=0).startswith("worse than the start")
    assert stop_reason([probe(0, 30), probe(5, 28), probe(10, 14)], patience=0) == ""
    assert stop_reason([probe(0, 30), probe(5, 14)], patience=0) == ""


def test_patience_counts_probes_since_the_best() -> None:
    # means of up to three: 30, 25, 23.3
    probes = [probe(0, 20), probe(5, 30), probe(10, 20), probe(15, 20)]
    assert stop_reason(probes, patience=2) == "no better since step 5"
    assert stop_reason(probes, patience=3) == ""
    assert stop_reason(probes, patience=0) == ""


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ({"chosen_logp": -1.2}, "less likely by 0.20 nats a token"),
        ({"characters": 180.0}, "grew from 100 to 180 characters"),
        ({"unparsable": 0.25}, "25% of the answers hold no code that parses, 0% at the start"),
        ({"unfinished": 0.5}, "50% of the answers are cut"),
        ({"repeated": 0.3}, "30% of the answers repeat themselves"),
    ],
)
def test_each_ill_is_told_and_alone(end: dict[str, float], said: str) -> None:
    (found,) = warnings([], [probe(0, 20), probe(5, 20, **end)])
    assert said in found


def test_a_fall_that_is_shown_is_told_and_health_says_nothing() -> None:
    (found,) = warnings([], [probe(0, 30), probe(5, 15)])
    assert "fell by 37.5 points" in found
    assert warnings([{"accuracy": 0.7}] * 8, [probe(0, 20), probe(5, 22)]) == []


def test_saturated_reward_accuracy_is_told() -> None:
    curve = [{"accuracy": value} for value in (0.5, 0.8, 0.9, 1.0, 1.0, 1.0)]
    (found,) = warnings(curve)
    assert "reward accuracy" in found
    assert warnings(curve[:5]) == []


def test_without_probes_the_log_tells_of_falling_likelihood() -> None:
    falling = [{"chosen_logp": -40.0 - at} for at in range(16)]
    (found,) = warnings(falling)
    assert "from -42 to -54 nats" in found or "from -41" in found
    assert warnings([{"chosen_logp": -40.0}] * 16) == []


def test_repetition_is_one_line_over_and_over() -> None:
    assert repeats_itself("x = 1\n" * 8)
    assert not repeats_itself("x = 1\n" * 5)
    assert not repeats_itself("\n".join(f"x{at} = {at}" for at in range(20)) + "\n\n\n\n\n\n\n\n")
