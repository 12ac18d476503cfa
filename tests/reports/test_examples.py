"""The example pairs spread over problems and confidence, show their evidence, and escape model text."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.reports.examples import choose, example


def row(task: str = "t/1", confidence: float = 0.5, text: str = "def f(): return 1", **evidence: Any) -> dict[str, Any]:
    return {
        "task_id": task,
        "prompt": [{"role": "user", "content": "Write f & g."}],
        "chosen": [{"role": "assistant", "content": text}],
        "rejected": [{"role": "assistant", "content": "def f(): return 2"}],
        "rule": "dstc",
        "confidence": confidence,
        "chosen_id": 4,
        "rejected_id": 7,
        "evidence": json.dumps(evidence),
    }


def test_the_chosen_pairs_spread_over_confidence_and_problems() -> None:
    rows = [row(f"t/{i}", i / 100) for i in range(100)] + [row("t/99", 0.995)] * 5
    chosen = choose(rows)
    confidences = [pair["confidence"] for pair in chosen]
    assert len(chosen) == len({pair["task_id"] for pair in chosen}) == 10
    assert confidences == sorted(confidences, reverse=True)
    assert (confidences[0], confidences[-1]) == (0.995, 0.0)


def test_few_pairs_are_all_shown_and_problems_repeat_only_where_too_few_have_pairs() -> None:
    assert choose([]) == []
    assert len(choose([row("a"), row("a"), row("b")])) == 3
    result = choose([row("a")] * 20 + [row("b")])
    assert [pair["task_id"] for pair in result].count("b") == 1
    assert len(result) == 10


def test_each_side_shows_its_own_evidence() -> None:
    result = example(
        row(
            chosen_verdicts="PPFP",
            rejected_verdicts="FFFE",
            chosen_test="assert f() == 1",
            true_chosen="pass",
            true_rejected="fail",
            chosen_passes=3,
            solutions=10,
        )
    )
    chosen, rejected = result.sides
    assert (chosen.strips[0].codes, rejected.strips[0].codes) == ("PPFP", "FFFE")
    assert (chosen.solution_id, rejected.solution_id) == ("4", "7")
    assert chosen.facts == (("passes", "3"),)
    assert result.facts == (("solutions", "10"),)
    assert (result.truth, result.truth_tone) == ("right by the true tests", "better")
    assert "assert" in chosen.test_html
    assert rejected.test_html == ""


def test_verdicts_of_the_true_tests_are_joined_by_task_and_solution() -> None:
    result = example(row(chosen_verdicts="PP"), {("t/1", 4): "PPPF", ("t/1", 7): "PPPP", ("t/2", 4): "PPPP"})
    assert result.truth == "inverted: only the rejected answer is correct"
    assert [(strip.label, strip.codes) for strip in result.sides[0].strips] == [
        ("verdicts", "PP"),
        ("true tests", "PPPF"),
    ]
    assert example(row(), {("t/1", 4): "PIP", ("t/1", 7): "FFF"}).truth == ""


def test_a_test_that_the_answer_already_holds_is_not_shown_twice() -> None:
    assert example(row(text="def f(): ...\nassert f()", chosen_test="assert f()")).sides[0].test_html == ""


@pytest.mark.parametrize(
    "evidence", [None, "", "not json", "[1, 2]", '{"chosen_verdicts": "maybe"}', '{"true_chosen": null}']
)
def test_evidence_of_unknown_form_is_shown_and_not_refused(evidence: str | None) -> None:
    result = example(row() | {"evidence": evidence})
    assert all(not side.strips for side in result.sides)
    assert result.truth == ""


def test_prose_and_fenced_code_are_shown_differently() -> None:
    text = "Here <b>it</b> is:\n```python\nx = 1 < 2\n```\nDone."
    result = example(row(text=text)).sides[0].html
    assert '<p class="words">Here &lt;b&gt;it&lt;/b&gt; is:</p>' in result
    assert result.count("<pre") == 1
    assert "```" not in result


def test_long_answers_are_cut_with_a_note() -> None:
    result = example(row(text="x = 1\n" * 5_000, chosen_verdicts="P" * 500))
    assert len(result.sides[0].html) < 20_000
    assert "more characters" in result.sides[0].html
    assert (len(result.sides[0].strips[0].codes), result.sides[0].strips[0].more) == (120, 380)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, tuple[str, ...]]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add((tag, tuple(name for name, _ in attrs)))


HOSTILE = st.text(alphabet=st.sampled_from(list("<>&\"'`/ \nabscript=-!")), max_size=200)


@given(st.one_of(HOSTILE, st.text(max_size=200)))
def test_model_text_becomes_no_markup(text: str) -> None:
    tags = Tags()
    result = example(row(text=text, chosen_test=text)).sides[0]
    tags.feed(result.html + result.test_html)
    assert tags.seen <= {("pre", ("class",)), ("span", ("class",)), ("p", ("class",)), ("span", ())}
    visible = html.unescape(re.sub(r"<[^>]*>", "", result.html))
    assert set(re.findall(r"\w", visible)) <= set(re.findall(r"\w", text))
