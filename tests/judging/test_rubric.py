"""Tests of the rubric judge: worse code scores lower, and comments in the code do not switch checks off."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codepref.errors import UserError
from codepref.judging.facts import read_facts
from codepref.judging.requirements import required_arguments
from codepref.judging.rubric import judge_responses, opinions
from codepref.judging.scores import Opinion
from codepref.preferences import PREFERENCES
from codepref.records import Problem, Response

PROMPT = "count_even(numbers): given a list of numbers, count those that are even."
PROBLEM = Problem("a/0", PROMPT, "count_even")
GOOD = '''def count_even(numbers):
    """Count the even numbers."""
    return sum(number % 2 == 0 for number in numbers)
'''


def rate(text: str, problem: Problem = PROBLEM) -> dict[str, Opinion]:
    return opinions([(problem, text)], PREFERENCES)[0]


def test_a_good_short_answer_has_no_deductions_for_style() -> None:
    result = rate(GOOD)
    assert result["instruction-following"] == Opinion(5.0, "nothing found against it")
    assert result["style"] == Opinion(5.0, "nothing found against it")
    assert result["readability"].score == 5.0
    # radon counts the comprehension, so the cyclomatic complexity is 2: one doubling, which costs 0.45 points
    assert "cyclomatic complexity 2 (-0.45)" in result["complexity"].rationale
    # the answer has a docstring, but no comment (costs 1 point) and no words around the code (costs 1.5 points)
    assert result["explanation"].score == 2.5
    assert result["explanation"].rating == 3


@pytest.mark.parametrize(
    ("worse", "preference", "reason"),
    [
        (GOOD + "\nprint(count_even([1, 2]))\n", "instruction-following", "not asked for: a call (-1.00)"),
        (GOOD + "\nassert count_even([2]) == 1\n", "instruction-following", "not asked for: an assert (-1.00)"),
        (GOOD.replace("count_even", "count_odd"), "instruction-following", "no count_even is defined (-4.00)"),
        (GOOD.replace("(numbers)", "(numbers, low)"), "instruction-following", "does not take 1 argument (-1.50)"),
        ("def count_even(numbers):\n    pass\n", "instruction-following", "count_even does nothing (-4.00)"),
        (GOOD.replace("== 0", "== None"), "style", "E711 Comparison to `None`"),
        ("import os\n\n\n" + GOOD, "style", "F401 `os` imported but unused"),
        (GOOD.replace("number % 2 == 0", "number%2==0"), "style", "of the lines would be formatted otherwise"),
        (
            "def count_even(numbers):\n    zq = 0\n    for number in numbers:\n        if number % 2 == 0: zq += 1\n"
            "    return zq\n",
            "readability",
            "several statements on a line (1) (-0.50)",
        ),
        (
            "def count_even(numbers):\n    total = 0\n    for number in numbers:\n        if number is not None:\n"
            "            if number % 2 == 0:\n                total += 1\n    return total\n",
            "complexity",
            "blocks nested 3 deep (-0.70)",
        ),
    ],
)
def test_a_worse_answer_loses_points_with_a_reason(worse: str, preference: str, reason: str) -> None:
    opinion = rate(worse)[preference]
    assert reason in opinion.rationale
    assert opinion.score < rate(GOOD)[preference].score


def test_explanation_counts_docstrings_comments_and_words_around_the_code() -> None:
    words = "This counts the even numbers of a list. " * 3
    commented = GOOD.replace("    return", "    # a bool counts as 0 or 1\n    return")
    bare = "def count_even(numbers):\n    return sum(number % 2 == 0 for number in numbers)\n"
    scores = [
        rate(text)["explanation"].score for text in (bare, GOOD, commented, f"{words}\n```python\n{commented}```")
    ]
    assert scores == [1.0, 2.5, 3.5, 5.0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no code"),
        ("# I would rather not.", "holds no code"),
        ("I am sorry, but I cannot.", "does not parse as Python"),
        ("def count_even(numbers):\n    return sum(", "does not parse as Python"),
        ("x = " + "-" * 3000 + "1", ""),
    ],
)
def test_an_answer_without_readable_code_gets_1_by_every_preference(text: str, reason: str) -> None:
    opinions_of_text = rate(text).values()
    assert {one.score for one in opinions_of_text} == {1.0}
    assert all(reason in one.rationale for one in opinions_of_text)


def test_comments_that_switch_checks_off_have_no_effect() -> None:
    ugly = "def count_even( numbers ):\n    import os\n    return sum(number%2==0 for number in numbers)\n"
    suppressed = f"# ruff: noqa\n# fmt: off\n{ugly.replace('import os', 'import os  # noqa')}"
    rationale = rate(suppressed)["style"].rationale
    assert "F401" in rationale
    assert "would be formatted otherwise" in rationale


def test_a_completion_is_read_as_the_continuation_of_its_prompt() -> None:
    problem = Problem("a/1", "def double(number):\n", "double", style="complete")
    assert rate("    return 2 * number\n", problem)["instruction-following"].score == 5.0
    thought = "<think>Twice the number.</think>\n    return 2 * number\n"
    assert rate(thought, problem)["instruction-following"].score == 5.0
    # an answer that defines the function itself is read without the prompt
    assert rate("def double(number):\n    return 2 * number\n", problem)["instruction-following"].score == 5.0


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("f(xs): sort them.", 1),
        ("def f(a: int, b: list[int] = [1, 2]) -> int:", 2),
        ("Write it. Your code should pass: assert f([1, 2], 3, 'a)') == 4", None),
        ("assert f([1, 2], 3) == 4", 2),
        ("Sort a list.", None),
    ],
)
def test_the_number_of_arguments_is_read_from_the_instruction(prompt: str, count: int | None) -> None:
    assert required_arguments(Problem("a/2", prompt, "f")) == count


def test_problem_i_is_judged_by_preference_i_modulo_their_number() -> None:
    problems = [Problem(f"a/{at}", f"f(x): number {at}", "f") for at in range(4)]
    responses = {p.task_id: [Response(p.task_id, 0, "policy", "def f(x):\n    return x\n")] for p in problems[1:]}
    judgments = judge_responses(problems, responses, ("style", "complexity"))
    # problem 0 has no response, but its position counts
    assert [(one.task_id, one.preference) for one in judgments] == [
        ("a/1", "complexity"),
        ("a/2", "style"),
        ("a/3", "complexity"),
    ]
    assert judgments[1].ratings[0].value == judgments[1].ratings[0].score == 5
    assert judgments[1].judge == "rubric"
    assert judgments[1].ratings[0].rationale.startswith("static analysis, no model's opinion")


def test_a_missing_function_costs_the_same_whatever_its_name_is() -> None:
    problem = Problem("a/1", "parse_arguments(text): split the text.", "parse_arguments")
    assert "no parse_arguments is defined (-4.00)" in rate(GOOD, problem)["instruction-following"].rationale


def test_an_unknown_preference_is_refused() -> None:
    with pytest.raises(UserError, match="unknown preference 'beauty'; known: instruction-following"):
        opinions([(PROBLEM, GOOD)], ["beauty"])


@settings(max_examples=60)
@given(st.text(alphabet="def f(x):\n\t return #`'\"\\[]{}=+1\x00\ud800é", max_size=60))
def test_any_text_has_facts_or_a_reason_why_there_are_none(text: str) -> None:
    facts = read_facts(text, PROBLEM)
    assert facts if isinstance(facts, str) else facts.code
