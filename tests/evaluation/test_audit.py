"""Pairs against verdicts of true tests: figures derived by hand, and input that does not fit."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from codepref.cli.main import main
from codepref.errors import UserError
from codepref.evaluation.audit import audit_pairs
from codepref.pairing.artifact import pairs_from_rows, write_pairs
from codepref.records import Pair, Test, Verdict, VerdictMatrix
from codepref.reports.tables import audit_lines


def pair(task: str, chosen: int, rejected: int, confidence: float = 0.5, rule: str = "dstc") -> Pair:
    sides = [[{"role": "assistant", "content": f"x = {at}"}] for at in (chosen, rejected)]
    return Pair(task, [{"role": "user", "content": "?"}], sides[0], sides[1], rule, confidence, chosen, rejected, {})


def matrix(task: str, *codes: str) -> VerdictMatrix:
    """Solution s is the program `x = s`."""
    tests = tuple(Test(task, str(at), "assert x") for at in range(len(codes[0])))
    return VerdictMatrix(task, tests, tuple(Verdict(task, at, f"x = {at}", row) for at, row in enumerate(codes)))


TRUE = [matrix(task, "PP", "PF", "PP", "EE", "IP") for task in "abcd"]


def test_each_kind_of_pair_is_counted_and_inverted_ones_are_listed() -> None:
    pairs = [pair("a", 0, 1), pair("a", 1, 2, 0.7), pair("b", 0, 2), pair("b", 1, 3), pair("c", 0, 4), pair("c", 4, 1)]
    found = audit_pairs(pairs, TRUE)
    assert (found.judged, found.right, found.inverted, found.both_pass, found.both_fail) == (4, 1, 1, 1, 1)
    assert found.unjudged == 2  # solution 4 has an infrastructure failure: nothing is known of it
    assert found.inverted_pairs == [("a", 1, 2)]
    assert found.inverted_confidence == [0.7]
    assert found.share_right is not None
    assert found.share_right.value == pytest.approx((0.5 + 0) / 2)  # over problems a and b


def test_precision_falls_as_less_sure_problems_are_kept() -> None:
    pairs = [pair("a", 0, 1, 0.9), pair("b", 1, 0, 0.3), pair("c", 0, 3, 0.8), pair("d", 3, 1, 0.1)]
    found = audit_pairs(pairs, TRUE, problems_total=8)
    # of 8 problems 10% are less than one, 20% 1, 30% 2, 40% 3, 50% and 60% (4.8) 4; more have no pair
    by_count = {row.problems: row.precision.value for row in found.kept}
    assert by_count == {1: 1.0, 2: 1.0, 3: pytest.approx(2 / 3), 4: 0.5}
    assert max(row.share for row in found.kept) == 0.6


def test_the_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    pairs = [pair("a", 0, 1, 0.9), pair("b", 1, 0, 0.9), pair("c", 0, 3, 0.2), pair("d", 0, 1, 0.2)]
    found = audit_pairs(pairs, TRUE)
    # at 0.9 half are right, at 0.2 all: (2/4) * 0.4 + (2/4) * 0.8
    assert found.calibration_error == pytest.approx(0.6)
    assert [(row.pairs, row.confidence, row.right) for row in found.calibration] == [
        (2, pytest.approx(0.2), 1.0),
        (2, pytest.approx(0.9), 0.5),
    ]


def test_rules_are_told_apart_when_a_file_holds_several() -> None:
    pairs = [pair("a", 0, 1, 1.0, "agreement"), pair("b", 1, 0, 1.0, "dstc"), pair("c", 0, 1, 1.0, "")]
    found = audit_pairs(pairs, TRUE)
    assert [(one.rule, one.judged, one.right, one.calibration_error) for one in found.rules] == [
        ("", 1, 1, 0.0),
        ("agreement", 1, 1, 0.0),
        ("dstc", 1, 0, 1.0),
    ]
    assert any(line.startswith("(none)") for line in audit_lines(found))
    assert audit_pairs(pairs[:1], TRUE).rules == []


def test_answers_that_are_not_the_judged_solutions_are_told() -> None:
    own, foreign = pair("a", 0, 1), replace(pair("a", 0, 1), chosen=[{"role": "assistant", "content": "y = 7"}])
    found = audit_pairs([own, foreign], TRUE)
    assert found.other_text == 1
    assert any("other than the solution" in line for line in audit_lines(found))


@pytest.mark.parametrize("verdicts", [TRUE, [], None])
def test_no_pair_at_all_divides_by_nothing(verdicts: list[VerdictMatrix] | None) -> None:
    found = audit_pairs([], verdicts)
    assert (found.judged, found.share_right, found.calibration_error, found.kept) == (0, None, None, [])
    assert "no pairs" in audit_lines(found)
    json.dumps(asdict(found), allow_nan=False)


def test_pairs_that_nothing_can_judge_give_no_figure() -> None:
    found = audit_pairs([pair("a", 4, 4)], TRUE)
    assert (found.judged, found.unjudged, found.share_right, found.calibration_error) == (0, 1, None, None)
    assert audit_lines(found)[0] == "1 pairs, none of them judged by true tests"


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([pair("z", 0, 1)], "none of the pairs' problems"),
        ([pair("a", -1, -1)], "none of their solutions"),
        ([pair("a", 0, 1, 1.5)], "between 0 and 1"),
        ([pair("a", 0, 1, float("nan"))], "between 0 and 1"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(pairs: list[Pair], message: str) -> None:
    with pytest.raises(UserError, match=message):
        audit_pairs(pairs, TRUE)


def test_a_total_below_the_problems_judged_is_refused() -> None:
    with pytest.raises(UserError, match="more than the 1 given"):
        audit_pairs([pair("a", 0, 1), pair("b", 0, 1)], TRUE, problems_total=1)


def test_without_true_tests_confidence_is_checked_too() -> None:
    with pytest.raises(UserError, match="between 0 and 1"):
        audit_pairs([pair("a", 0, 1, -0.1)])


def test_evidence_that_is_no_object_is_refused_with_its_row() -> None:
    row = {"prompt": [{"role": "user", "content": "?"}], "chosen": [{"role": "assistant", "content": "x"}]}
    with pytest.raises(UserError, match="row 1: `evidence`"):
        pairs_from_rows([{**row, "rejected": row["chosen"], "evidence": "[]"}])


@pytest.mark.parametrize(
    ("row", "message"), [({"confidence": "high"}, "not 'high'"), ({"confidence": [1]}, "a number")]
)
def test_a_confidence_that_is_no_number_is_refused_with_its_row(row: dict[str, object], message: str) -> None:
    sides = {name: [{"role": "assistant", "content": "x"}] for name in ("prompt", "chosen", "rejected")}
    with pytest.raises(UserError, match=rf"row 1: `confidence`.*{message}"):
        pairs_from_rows([sides | row])
    (bare,) = pairs_from_rows([sides])
    assert (bare.confidence, bare.rule, bare.chosen_id) == (1.0, "", -1)


def test_the_command_says_what_it_can_without_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    longer = [
        replace(pair(f"t{at}", 0, 1), chosen=[{"role": "assistant", "content": f"x = 1\ny = {at}"}]) for at in range(20)
    ]
    write_pairs(tmp_path / "pairs.parquet", longer)
    assert main(["audit", "--pairs", str(tmp_path / "pairs.parquet")]) == 0
    printed = capsys.readouterr().out
    assert "20 pairs of 20 problems" in printed
    assert "the chosen side is longer in 100%" in printed  # of 20, Wilson's interval begins at 84%: a bias
    assert "length bias" in printed
    written = json.loads((tmp_path / "pairs.audit.json").read_text())
    assert written["shape"]["more_lines"] == 1.0
    assert written["shape"]["confidence"] == [0, 0, 0, 0, 0, 20, 0, 0, 0, 0]
