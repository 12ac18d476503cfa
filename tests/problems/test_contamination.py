"""Training texts that contain held-out problems: which texts are found, and how a run drops them."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from codepref import run
from codepref.problems.contamination import Text, answer_text, overlaps, problem_text
from codepref.records import Problem

STATEMENT = (
    "Given a list of intervals, merge all those that overlap and return the list of merged intervals in the order of "
    "their starts; an interval that only touches another one is merged with it as well."
)
GOLD = """def merge(intervals):
    '''Merge them.'''
    merged = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
"""
HELDOUT = [
    Problem("held/0", STATEMENT, "merge", gold=GOLD),
    Problem("held/1", "Add one to x.", "f", gold="def f(x):\n    return x + 1\n"),
]


def overlaps_of(*texts: Text) -> list[tuple[str, str, str]]:
    return [(one.name, one.heldout, one.kind) for one in overlaps(texts, HELDOUT)]


def test_a_statement_is_found_with_other_words_around_it_and_another_layout() -> None:
    decorated = "Please solve this!\n" + STATEMENT.upper().replace(";", " --") + " Use Python 3."
    half = " ".join(STATEMENT.split()[:25])
    assert overlaps_of(Text("a", decorated), Text("b", half)) == [("a", "held/0", "words"), ("b", "held/0", "words")]


def test_a_text_that_shares_only_a_phrase_and_a_short_text_are_not_found() -> None:
    phrase = "Given a list of intervals, merge all those that overlap and print how many are left over."
    assert (
        overlaps_of(Text("a", phrase), Text("b", "Add one to x."), Text("c", ""), Text("d", "list of intervals")) == []
    )


def test_a_gold_solution_is_found_after_its_names_and_comments_changed() -> None:
    renamed = GOLD.replace("merged", "out").replace("start", "a").replace("    '''Merge them.'''\n", "    # my own\n")
    assert overlaps_of(Text("a", "other words", (renamed,))) == [("a", "held/0", "program")]
    fenced = f"Here it is:\n```python\n{renamed}```\nDone."
    assert overlaps_of(answer_text("b", "Do it.", fenced)) == [("b", "held/0", "program")]
    # a program that is too short, and a different program
    assert (
        overlaps_of(Text("c", "", ("def f(x):\n    return x + 1\n",)), Text("d", "", (GOLD.replace("<=", "<"),))) == []
    )


@given(st.integers(0, 10), st.integers(0, 10))
def test_a_text_around_a_statement_does_not_hide_it(before: int, after: int) -> None:
    text = " ".join(["lorem"] * before + [STATEMENT] + ["ipsum"] * after)
    assert overlaps_of(Text("a", text)) == [("a", "held/0", "words")]


def test_a_run_drops_and_lists_contaminated_problems(tmp_path: Path) -> None:
    from codepref.problems.load import load_problems

    heldout = load_problems("starter:heldout", limit=12)
    train = load_problems("starter:train", limit=30)
    leaked = " ".join(heldout[0].prompt.split()[1:])  # the same words after another entry point
    lines = [{"task_id": p.task_id, "prompt": p.prompt, "entry_point": p.entry_point} for p in train]
    lines.append({"task_id": "leak/0", "prompt": f"g(xs): {leaked}", "entry_point": "g"})
    for line, problem in zip(lines, [*train, heldout[0]], strict=True):
        line["tests"] = [test.source for test in problem.tests]  # type: ignore[assignment]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, lines)))
    settings = {
        "problems.train": f'"{tmp_path}/train.jsonl"',
        "problems.train_limit": "0",
        "problems.heldout_limit": "12",
        "problems.contamination": '"drop"',
        "sampling.solutions": "4",
        "evaluation.samples": "2",
        "evaluation.k": "[1]",
    }
    out = tmp_path / "run"
    summary = run("starter/tests-dpo", out, overrides=[f"{key}={value}" for key, value in settings.items()])
    listed = json.loads((out / "contamination.json").read_text())
    assert "leak/0" in [one["name"] for one in listed]
    assert summary["dropped"]["problems"]["holds a held-out problem (its words)"] == len(listed)
    assert "leak/0" not in (out / "samples" / "solutions.jsonl").read_text()


def test_the_text_of_a_problem_includes_its_gold_solution() -> None:
    text = problem_text(HELDOUT[0])
    assert (text.words, text.programs) == (STATEMENT, (GOLD,))
