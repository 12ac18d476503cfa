"""Tests of repair pairs, whose prompt holds the rejected program."""

import json
from collections import Counter
from pathlib import Path

import pytest
from test_pair import BAD, GOOD, PROBLEM, WORSE, matrix

from codepref.config.templates import FAILURES
from codepref.errors import UserError
from codepref.evaluation.audit import audit_pairs
from codepref.evaluation.pair_shape import pair_shape
from codepref.exports import TRAINERS
from codepref.pairing.artifact import pair_rows, read_pairs, write_pairs
from codepref.pairing.pair import pair
from codepref.pairing.repair import with_repairs
from codepref.pairing.select import select_pairs
from codepref.records import FAILING_CODES, Test, Verdict, VerdictMatrix
from codepref.reports.examples import example
from codepref.training.examples import chosen_examples, examples_from_pairs


def test_a_repair_pair_asks_for_the_correction_of_the_rejected_program() -> None:
    verdicts = [matrix((GOOD, "PP"), (BAD, "PF"))]
    plain, repair = pair(verdicts, [PROBLEM], repair="add").pairs
    assert plain == pair(verdicts, [PROBLEM]).pairs[0]
    text = repair.prompt[0]["content"]
    assert text.startswith(plain.prompt[0]["content"])
    assert f"```python\n{BAD}\n```" in text
    assert FAILURES["F"] in text
    assert (repair.chosen, repair.rejected) == (plain.chosen, plain.rejected)
    assert (repair.rule, repair.evidence["failure"]) == ("all-tests-repair", "F")


def test_the_first_failure_is_named() -> None:
    (only,) = pair([matrix((GOOD, "PPP"), (WORSE, "PEF"))], [PROBLEM], repair="only").pairs
    assert FAILURES["E"] in only.prompt[0]["content"]
    assert set(FAILURES) == FAILING_CODES


def test_only_repair_pairs_are_made_on_request() -> None:
    result = pair([matrix((GOOD, "P"), (BAD, "F"), (WORSE, "E"))], [PROBLEM], rule="near-miss", repair="only")
    assert {p.rule for p in result.pairs} == {"near-miss-repair"}
    assert len(result.pairs) == 2


def test_the_code_of_a_probe_does_not_show_that_a_program_is_wrong() -> None:
    tests = (Test("t", "0", "assert f(0) == 0"), Test("t", "0~1", "f(1)", count=0))
    verdicts = VerdictMatrix("t", tests, (Verdict("t", 0, GOOD, "PP"), Verdict("t", 1, BAD, "PE")))
    (made,) = pair([matrix((GOOD, "P"), (BAD, "F"))], [PROBLEM]).pairs
    dropped: Counter[str] = Counter()
    assert with_repairs([made], verdicts, "only", "{request}{program}", dropped) == []
    assert dropped == {"no repair pair: the rejected program fails no test": 1}


def test_braces_in_a_program_and_a_template_of_ones_own() -> None:
    wrong = "def f(x):\n    return {'{a}': x}"
    template = "{request}\n\nWrong:\n{program}\n{{}}"
    (only,) = pair([matrix((GOOD, "P"), (wrong, "F"))], [PROBLEM], repair="only", repair_template=template).pairs
    assert only.prompt[0]["content"].endswith(f"Wrong:\n{wrong}\n{{}}")


@pytest.mark.parametrize(
    ("template", "message"),
    [("{request}", "holds no {program}"), ("{program}", "holds no {request}"), ("{request}{program}{x}", "only")],
)
def test_a_malformed_template_is_refused(template: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pair([], [], repair="add", repair_template=template)


def test_an_unknown_value_and_rules_for_ratings_are_refused() -> None:
    with pytest.raises(UserError, match="repair must be none, add or only"):
        pair([], [], repair="yes")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="chooses by ratings"):
        select_pairs([], rule="rated", judgments=[], repair="add")


def test_repair_pairs_survive_a_file_and_an_audit(tmp_path: Path) -> None:
    verdicts = [matrix((GOOD, "P"), (BAD, "F"))]
    pairs = pair(verdicts, [PROBLEM], repair="add").pairs
    write_pairs(tmp_path / "pairs.parquet", pairs)
    assert read_pairs(tmp_path / "pairs.parquet") == pairs
    audit = audit_pairs(pairs, verdicts)
    assert (audit.right, audit.other_text) == (2, 0)
    assert [one.rule for one in audit.rules] == ["all-tests", "all-tests-repair"]
    shape = pair_shape(pairs)
    assert (shape.repeated, shape.shared, shape.contradicting) == (0, 0, 0)


def test_single_answers_are_those_of_both_prompts() -> None:
    pairs = pair([matrix((GOOD, "P"), (BAD, "F"))], [PROBLEM], repair="add").pairs
    answers = examples_from_pairs(pairs)
    assert [example.wanted for example in answers.examples] == [True, False, True, False]
    assert answers.dropped == {}
    assert len(chosen_examples(pairs).examples) == 2


@pytest.mark.parametrize("trainer", TRAINERS.builtin)
def test_trainers_that_take_pairs_take_repair_pairs(trainer: str) -> None:
    (repair,) = pair([matrix((GOOD, "P"), (BAD, "F"))], [PROBLEM], repair="only").pairs
    layouts = TRAINERS.load(trainer).layouts
    if "pairs" in layouts:
        assert BAD in json.dumps(layouts["pairs"].row(repair)).encode().decode("unicode_escape")


def test_the_report_shows_the_prompt_of_a_repair_pair() -> None:
    (repair,) = pair([matrix((GOOD, "P"), (BAD, "F"))], [PROBLEM], repair="only").pairs
    shown = example(pair_rows([repair])[0])
    assert BAD in shown.prompt
    assert ("failure", "F") in shown.facts
