"""The statistics of probes: the best step, the reasons to stop, and the warnings."""

import pytest

from codepref.training.validation_stats import Probe, best_step, repeats_itself, stop_reason, warnings


def probe(step: int, passed: int, of: int = 40, **more: float) -> Probe:
    """Return a probe that passes the first `passed` of `of` problems. more: values of other fields."""
    facts = {"unparsable": 0.0, "unfinished": 0.0, "characters": 100.0, "repeated": 0.0, "chosen_logp": -1.0} | more
    return Probe(step, tuple(float(at < passed) for at in range(of)), **facts)


def test_the_best_step_has_the_highest_average_and_the_latest_of_equal_ones_wins() -> None:
    # the means of up to three probes are 20, 25, 26.7, 28.3, 25 in the first case and 30, 30, 30 in the second
    passed = (20, 30, 30, 25, 20)
    assert best_step([probe(0, 39), *(probe(5 * at, n) for at, n in enumerate(passed, 1))]) == 20
    assert best_step([probe(0, 20), probe(5, 30), probe(10, 30), probe(15, 30)]) == 15
    assert best_step([probe(0, 39), probe(5, 3)]) == 5  # the start is never the best step; the gate compares with it


def test_a_single_high_probe_is_not_the_best_step() -> None:
    # the means of up to three probes are 20, 25, 24, 26, 25.3; the 30 of step 10 is an outlier
    assert best_step([probe(0, 20), *(probe(5 * at, n) for at, n in enumerate((20, 30, 22, 26, 28), 1))]) == 20


def test_a_model_far_from_the_start_can_be_the_best() -> None:
    # The later probes pass more problems, but partly others than the start does. This widens the interval of their
    # difference to the start, which must not matter.
    far = [Probe(step, (0.0,) * 14 + (1.0,) * 26, 0.0, 0.0, 100.0, 0.0, -1.0) for step in (10, 15, 20)]
    assert best_step([probe(0, 22), probe(5, 24), *far]) == 20


def test_without_a_probe_of_a_trained_model_there_is_no_best_step() -> None:
    with pytest.raises(ValueError, match="no trained model"):
        best_step([probe(0, 20)])


def test_two_significantly_worse_probes_in_a_row_stop_training() -> None:
    # A fall from 30 to 15 of 40 problems is significant: 15 are lost and none is won. A fall from 30 to 28 is not.
    assert stop_reason([probe(0, 30), probe(5, 15), probe(10, 14)], patience=0).startswith("worse than the start")
    assert stop_reason([probe(0, 30), probe(5, 28), probe(10, 14)], patience=0) == ""
    assert stop_reason([probe(0, 30), probe(5, 14)], patience=0) == ""


def test_patience_counts_the_probes_since_the_best_step() -> None:
    # the means of up to three probes are 30, 25, 23.3
    probes = [probe(0, 20), probe(5, 30), probe(10, 20), probe(15, 20)]
    assert stop_reason(probes, patience=2) == "no better since step 5"
    assert stop_reason(probes, patience=3) == ""
    assert stop_reason(probes, patience=0) == ""


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ({"chosen_logp": -1.2}, "less likely by 0.20 nats a token"),
        ({"characters": 180.0}, "length of answers grew from 100 to 180 characters"),
        ({"unparsable": 0.25}, "25% of the answers hold no code that parses; at the start 0%"),
        ({"unfinished": 0.5}, "50% of the answers are cut"),
        ({"repeated": 0.3}, "30% of the answers repeat themselves"),
    ],
)
def test_each_fault_gives_exactly_one_warning(end: dict[str, float], message: str) -> None:
    (warning,) = warnings([], [probe(0, 20), probe(5, 20, **end)])
    assert message in warning


def test_a_significant_fall_gives_a_warning_and_a_healthy_training_none() -> None:
    (warning,) = warnings([], [probe(0, 30), probe(5, 15)])
    assert "fell by 37.5 points" in warning
    assert warnings([{"accuracy": 0.7}] * 8, [probe(0, 20), probe(5, 22)]) == []


def test_saturated_reward_accuracy_gives_a_warning() -> None:
    curve = [{"accuracy": value} for value in (0.5, 0.8, 0.9, 1.0, 1.0, 1.0)]
    (warning,) = warnings(curve)
    assert "reward accuracy" in warning
    assert warnings(curve[:5]) == []


def test_without_probes_a_falling_likelihood_in_the_curve_gives_a_warning() -> None:
    falling = [{"chosen_logp": -40.0 - at} for at in range(16)]
    (warning,) = warnings(falling)
    assert (
        "fell from -42 to -54 nats" in warning
    )  # the means of the first and the last four values are -41.5 and -53.5, shown without decimals
    assert warnings([{"chosen_logp": -40.0}] * 16) == []


def test_an_answer_repeats_itself_when_one_line_makes_up_most_of_it() -> None:
    assert repeats_itself("x = 1\n" * 8)
    assert not repeats_itself("x = 1\n" * 5)
    assert not repeats_itself("\n".join(f"x{at} = {at}" for at in range(20)) + "\n\n\n\n\n\n\n\n")
