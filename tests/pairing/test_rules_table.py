"""Tests of the table of pairing rules: its entries, the options of rules, and what the import of the table loads."""

import inspect
import subprocess
import sys

import pytest

from codepref.errors import UserError
from codepref.pairing.rules import RULES, load_rule
from codepref.pairing.rules.base import PairingRule


@pytest.mark.parametrize("name", RULES.builtin)
def test_every_entry_is_a_rule_with_a_documented_function(name: str) -> None:
    rule = load_rule(name)
    assert isinstance(rule, PairingRule)
    assert len(rule.choose.__doc__ or "") > 60
    assert len([p for p in inspect.signature(rule.choose).parameters.values() if p.default is p.empty]) == 1


def test_what_each_rule_relies_on() -> None:
    rules = {name: load_rule(name) for name in RULES.builtin}
    assert {name for name, rule in rules.items() if rule.tests == "true"} == {
        "all-tests",
        "near-miss",
        "speed",
        "tests-then-rating",
    }
    assert {name for name, rule in rules.items() if rule.tests == "none"} == {"rated"}
    assert {name for name, rule in rules.items() if rule.ratings} == {"rated", "tests-then-rating"}
    assert {name for name, rule in rules.items() if rule.probes} == {"agreement"}
    several = {name for name, rule in rules.items() if rule.several}
    assert several == {"all-tests", "near-miss", "speed", "agreement", "rated", "tests-then-rating"}


def test_a_rule_gets_only_the_options_that_it_names() -> None:
    available = {"margin": 2, "max_pairs": 3, "correctness_pairs": True, "max_edit_share": 0.5}
    assert load_rule("rated").options(available) == {"margin": 2, "max_pairs": 3}
    assert load_rule("tests-then-rating").options(available) == {"margin": 2, "max_pairs": 3, "correctness_pairs": True}
    assert load_rule("near-miss").options(available) == {"max_pairs": 3, "max_edit_share": 0.5}
    assert load_rule("all-tests").options(available) == {"max_pairs": 3}
    assert load_rule("dstc").options(available) == {}


def test_an_entry_of_another_type_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES.builtin, "wrong", "codepref.pairing.rules:RULES")
    with pytest.raises(UserError, match=r"rule 'wrong' is a Registry\. .* must name a .*PairingRule"):
        load_rule("wrong")


def test_the_table_is_imported_without_numpy() -> None:
    code = (
        "import sys\nfrom codepref.pairing.rules import RULES\nprint(sorted({'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
