"""Tests of the report's section on training."""

from codepref.reports.training_section import training


def test_the_trials_of_weights_are_shown_with_the_one_that_was_taken() -> None:
    good = {"chosen_weight": 1.0, "steps": 3, "pass_rate": 0.5, "difference": 0.04, "low": -0.02, "high": 0.1}
    trials = [good | {"failed": ""}, {"chosen_weight": 20.0, "failed": "training diverged"}]
    rows = training({"training": {"method": "dpo", "settings": {"chosen_weight": 1.0}, "trials": trials}})["trials"]
    assert rows[0] == {
        "weight": "1.0",
        "steps": "3",
        "rate": "50.0",
        "difference": "+4.0",
        "interval": "-2.0 to +10.0",
        "failed": "",
        "chosen": True,
    }
    assert (rows[1]["failed"], rows[1]["chosen"]) == ("training diverged", False)
    assert training({"training": {"method": "dpo"}})["trials"] == []
