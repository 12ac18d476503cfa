"""Tests of the audit of pairs: figures that were derived by hand, and input that is refused."""

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
    """Return verdicts of one task, one for each text of codes. The program of solution number s is `x = s`."""
    tests = tuple(Test(task, str(at), "assert x") for at in range(len(codes[0])))
    return VerdictMatrix(task, tests, tuple(Verdict(task, at, f"x = {at}", row) for at, row in enumerate(codes)))


TRUE = [matrix(task, "PP", "PF", "PP", "EE", "IP") for task in "abcd"]


def test_pairs_are_counted_by_the_correctness_of_their_sides_and_inverted_ones_are_listed() -> None:
    pairs = [pair("a", 0, 1), pair("a", 1, 2, 0.7), pair("b", 0, 2), pair("b", 1, 3), pair("c", 0, 4), pair("c", 4, 1)]
    audit = audit_pairs(pairs, TRUE)
    assert (audit.judged, audit.right, audit.inverted, audit.both_pass, audit.both_fail) == (4, 1, 1, 1, 1)
    assert audit.unjudged == 2  # the correctness of solution 4, IP, is unknown
    assert audit.inverted_pairs == [("a", 1, 2)]
    assert audit.inverted_confidence == [0.7]
    assert audit.share_right is not None
    assert audit.share_right.value == pytest.approx((0.5 + 0) / 2)  # the mean of the shares of problems a and b


@pytest.mark.parametrize(
    ("chosen", "rejected", "result"),
    [
        ("PP", "FI", "right"),  # the code F decides, whatever the test with the code I would have shown
        ("PP", "TS", "right"),
        ("FI", "PP", "inverted"),
        ("EF", "IF", "both_fail"),
        ("PP", "PS", "unjudged"),
        ("PI", "FF", "unjudged"),
        ("SS", "FF", "unjudged"),
    ],
)
def test_the_result_of_a_pair_follows_the_table_of_correctness(chosen: str, rejected: str, result: str) -> None:
    audit = audit_pairs([pair("a", 0, 1)], [matrix("a", chosen, rejected)])
    counts = {name: getattr(audit, name) for name in ("right", "inverted", "both_pass", "both_fail", "unjudged")}
    assert counts == {name: int(name == result) for name in counts}


def test_the_precision_is_computed_for_each_tenth_of_all_problems() -> None:
    pairs = [pair("a", 0, 1, 0.9), pair("b", 1, 0, 0.3), pair("c", 0, 3, 0.8), pair("d", 3, 1, 0.1)]
    audit = audit_pairs(pairs, TRUE, problems_total=8)
    # 10% of 8 problems are 0 problems, 20% are 1, 30% are 2, 40% are 3, and 50% and 60% are 4. Only 4 problems have a
    # pair, so larger shares have no row.
    by_count = {row.problems: row.precision.value for row in audit.kept}
    assert by_count == {1: 1.0, 2: 1.0, 3: pytest.approx(2 / 3), 4: 0.5}
    assert max(row.share for row in audit.kept) == 0.6


def test_the_calibration_error_is_the_mean_difference_over_the_bins() -> None:
    pairs = [pair("a", 0, 1, 0.9), pair("b", 1, 0, 0.9), pair("c", 0, 3, 0.2), pair("d", 0, 1, 0.2)]
    audit = audit_pairs(pairs, TRUE)
    # Half of the pairs at 0.9 are right, a difference of 0.4. All pairs at 0.2 are right, a difference of 0.8. Each bin
    # has two of the four pairs, so the error is (2/4) * 0.4 + (2/4) * 0.8.
    assert audit.calibration_error == pytest.approx(0.6)
    assert [(row.pairs, row.confidence, row.right) for row in audit.calibration] == [
        (2, pytest.approx(0.2), 1.0),
        (2, pytest.approx(0.9), 0.5),
    ]


def test_pairs_of_several_rules_have_figures_for_each_rule() -> None:
    pairs = [pair("a", 0, 1, 1.0, "agreement"), pair("b", 1, 0, 1.0, "dstc"), pair("c", 0, 1, 1.0, "")]
    audit = audit_pairs(pairs, TRUE)
    assert [(one.rule, one.judged, one.right, one.calibration_error) for one in audit.rules] == [
        ("", 1, 1, 0.0),
        ("agreement", 1, 1, 0.0),
        ("dstc", 1, 0, 1.0),
    ]
    assert any(line.startswith("(none)") for line in audit_lines(audit))
    assert audit_pairs(pairs[:1], TRUE).rules == []


def test_answers_without_the_program_of_their_verdict_are_counted() -> None:
    own, foreign = pair("a", 0, 1), replace(pair("a", 0, 1), chosen=[{"role": "assistant", "content": "y = 7"}])
    audit = audit_pairs([own, foreign], TRUE)
    assert audit.other_text == 1
    assert any("another answer than the solution" in line for line in audit_lines(audit))


@pytest.mark.parametrize("verdicts", [TRUE, [], None])
def test_an_empty_set_of_pairs_gives_figures_without_a_division_by_zero(verdicts: list[VerdictMatrix] | None) -> None:
    audit = audit_pairs([], verdicts)
    assert (audit.judged, audit.share_right, audit.calibration_error, audit.kept) == (0, None, None, [])
    assert "no pairs" in audit_lines(audit)
    json.dumps(asdict(audit), allow_nan=False)


def test_pairs_of_unknown_correctness_give_no_figure() -> None:
    audit = audit_pairs([pair("a", 4, 4)], TRUE)
    assert (audit.judged, audit.unjudged, audit.share_right, audit.calibration_error) == (0, 1, None, None)
    assert audit_lines(audit)[0] == "1 pairs, none of them judged by true tests"


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([pair("z", 0, 1)], "none of the pairs' problems"),
        ([pair("a", -1, -1)], "no pair has verdicts of both its solutions"),
        ([pair("a", 0, 1, 1.5)], "between 0 and 1"),
        ([pair("a", 0, 1, float("nan"))], "between 0 and 1"),
    ],
)
def test_pairs_that_do_not_match_the_verdicts_are_refused(pairs: list[Pair], message: str) -> None:
    with pytest.raises(UserError, match=message):
        audit_pairs(pairs, TRUE)


def test_a_total_below_the_number_of_judged_problems_is_refused() -> None:
    with pytest.raises(UserError, match="more than problems_total = 1"):
        audit_pairs([pair("a", 0, 1), pair("b", 0, 1)], TRUE, problems_total=1)


def test_the_confidence_is_also_checked_without_verdicts() -> None:
    with pytest.raises(UserError, match="between 0 and 1"):
        audit_pairs([pair("a", 0, 1, -0.1)])


def test_evidence_that_is_not_an_object_is_refused_with_its_row() -> None:
    row = {"prompt": [{"role": "user", "content": "?"}], "chosen": [{"role": "assistant", "content": "x"}]}
    with pytest.raises(UserError, match="row 1: `evidence`"):
        pairs_from_rows([{**row, "rejected": row["chosen"], "evidence": "[]"}])


@pytest.mark.parametrize(
    ("row", "message"), [({"confidence": "high"}, "not 'high'"), ({"confidence": [1]}, "a number")]
)
def test_a_confidence_that_is_not_a_number_is_refused_with_its_row(row: dict[str, object], message: str) -> None:
    sides = {name: [{"role": "assistant", "content": "x"}] for name in ("prompt", "chosen", "rejected")}
    with pytest.raises(UserError, match=rf"row 1: `confidence`.*{message}"):
        pairs_from_rows([sides | row])
    (bare,) = pairs_from_rows([sides])
    assert (bare.confidence, bare.rule, bare.chosen_id) == (1.0, "", -1)


def test_the_command_reports_lengths_without_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    longer = [
        replace(pair(f"t{at}", 0, 1), chosen=[{"role": "assistant", "content": f"x = 1\ny = {at}"}]) for at in range(20)
    ]
    write_pairs(tmp_path / "pairs.parquet", longer)
    assert main(["audit", "--pairs", str(tmp_path / "pairs.parquet")]) == 0
    printed = capsys.readouterr().out
    assert "20 pairs of 20 problems" in printed
    assert "the chosen side is longer in 100%" in printed
    assert "length bias" in printed  # Wilson's interval of 20 of 20 begins at 84%, which is above 60%
    written = json.loads((tmp_path / "pairs.audit.json").read_text())
    assert written["shape"]["more_lines"] == 1.0
    assert written["shape"]["confidence"] == [0, 0, 0, 0, 0, 20, 0, 0, 0, 0]
