"""Tests of pairs from verdicts: the texts of the answers, what is left out, and files of pairs."""

from pathlib import Path
from typing import Any

import pytest

from codepref.errors import UserError
from codepref.pairing.artifact import read_pairs, write_pairs
from codepref.pairing.pair import pair
from codepref.pairing.pair_rated import pair_rated
from codepref.pairing.select import select_pairs
from codepref.records import Judgment, Problem, Rating, Response, Test, Verdict, VerdictMatrix

PROBLEM = Problem(task_id="t", prompt="Double x.", entry_point="f")


def program(body: str) -> str:
    return f"def f(x):\n    return {body}"


def matrix(
    *rows: tuple[str, str], tests: int | None = None, isolation: str = "separate", task_id: str = "t"
) -> VerdictMatrix:
    width = len(rows[0][1]) if tests is None else tests
    return VerdictMatrix(
        task_id,
        tuple(Test(task_id, str(i), f"assert f({i}) == {2 * i}") for i in range(width)),
        tuple(
            Verdict(task_id, number, text, codes, isolation)  # type: ignore[arg-type]
            for number, (text, codes) in enumerate(rows)
        ),
    )


GOOD, BAD, WORSE = program("2 * x"), program("x"), program("x / 0")


def test_an_answer_of_dstc_is_code_followed_by_a_test() -> None:
    result = pair([matrix((GOOD, "PPP"), (BAD, "PFF"), (WORSE, "EEE"))], [PROBLEM], rule="dstc", fence=False)
    (only,) = result.pairs
    assert only.prompt[0]["role"] == "user"
    assert "Double x." in only.prompt[0]["content"]
    chosen, rejected = only.chosen[0]["content"], only.rejected[0]["content"]
    assert chosen.startswith(GOOD + "\nassert f(")
    assert rejected == WORSE + "\nassert f(0) == 0"  # most solutions pass test 0, and one fails it
    assert (only.chosen_id, only.rejected_id) == (0, 2)
    assert only.evidence["chosen_verdicts"] == "PPP"
    assert only.evidence["rejected_verdicts"] == "EEE"


def test_answers_are_in_a_fenced_block_by_default() -> None:
    (only,) = pair([matrix((GOOD, "P"), (BAD, "F"))], [PROBLEM]).pairs
    assert only.chosen[0] == {"role": "assistant", "content": f"```python\n{GOOD}\n```"}


def test_a_solution_with_an_infrastructure_failure_is_left_out() -> None:
    result = pair([matrix((GOOD, "P"), (BAD, "I"))], [PROBLEM])
    assert result.pairs == []
    assert result.dropped == {"no solution fails a test": 1, "solution left out: infrastructure failure": 1}


def test_for_true_tests_a_failed_test_counts_beside_an_infrastructure_failure() -> None:
    rows = [(GOOD, "PP"), (BAD, "FI"), (WORSE, "PI")]
    result = pair([matrix(*rows)], [PROBLEM], rule="all-tests")
    assert [(p.chosen_id, p.rejected_id) for p in result.pairs] == [(0, 1)]
    assert result.dropped == {"solution left out: infrastructure failure": 1}


def test_for_self_written_tests_every_infrastructure_failure_counts() -> None:
    # one missing cell would distort the counts of tests passed
    result = pair([matrix((GOOD, "PP"), (BAD, "FI"))], [PROBLEM], rule="dstc")
    assert result.pairs == []
    assert result.dropped["solution left out: infrastructure failure"] == 1


def test_verdicts_of_shared_isolation_count_only_if_allowed() -> None:
    shared = matrix((GOOD, "P"), (BAD, "F"), isolation="shared")
    assert pair([shared], [PROBLEM]).pairs == []
    assert len(pair([shared], [PROBLEM], allow_shared=True).pairs) == 1


def test_an_answer_without_code_is_in_no_pair() -> None:
    result = pair([matrix((GOOD, "P"), ("", "E"))], [PROBLEM])
    assert result.pairs == []
    assert result.dropped["solution left out: no code in the answer"] == 1


def test_copies_of_an_answer_make_one_pair() -> None:
    copies = [(GOOD, "P"), (GOOD + "  # again", "P"), (BAD, "F"), (program("x  # !"), "F")]
    assert len(pair([matrix(*copies)], [PROBLEM], max_pairs_per_problem=9).pairs) == 1


def test_several_draws_give_different_pairs_without_contradictions() -> None:
    rows = [
        (program(f"2 * x + {i}"), codes) for i, codes in enumerate(["PPPP", "PPPF", "PFFF", "FPFF", "FFFF", "FFPF"])
    ]
    result = pair([matrix(*rows)], [PROBLEM], rule="dstc-code", draws=8)
    ids = [(p.chosen_id, p.rejected_id) for p in result.pairs]
    assert len(ids) == len(set(ids)) > 1
    assert not {(b, a) for a, b in ids} & set(ids)


def test_the_same_seed_gives_the_same_pairs() -> None:
    rows = [(program(f"2 * x + {i}"), "P" if i < 5 else "F") for i in range(10)]
    first, again, other = (
        [(p.chosen_id, p.rejected_id) for p in pair([matrix(*rows)], [PROBLEM], seed=seed).pairs] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_verdicts_of_an_unknown_problem_are_refused() -> None:
    with pytest.raises(UserError, match="task 'elsewhere', which is not among the problems"):
        pair([matrix((GOOD, "P"), task_id="elsewhere")], [PROBLEM])


def test_an_unknown_rule_is_refused_with_the_names_of_all_rules() -> None:
    with pytest.raises(UserError, match="all-tests, near-miss, speed, max-pass, dstc"):
        pair([], [], rule="minimax")


def test_a_file_of_pairs_is_read_back_and_loads_with_datasets(tmp_path: Path) -> None:
    import datasets

    result = pair([matrix((GOOD, "PP"), (BAD, "PF"), (WORSE, "EE"))], [PROBLEM], rule="dstc").pairs
    path = tmp_path / "pairs.parquet"
    write_pairs(path, result)
    assert read_pairs(path) == result
    loaded = datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded[0]["chosen"] == list(result[0].chosen)
    assert {"task_id", "prompt", "chosen", "rejected", "rule", "confidence", "chosen_id", "rejected_id"} <= set(
        loaded.column_names
    )


def test_a_wrong_file_of_pairs_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "p", "chosen": "c"}\n')
    with pytest.raises(UserError, match=r"pairs.jsonl:1: a pair needs a prompt .* The row has prompt, chosen"):
        read_pairs(path)
    path.write_text('{"prompt": ["p"], "chosen": "c", "rejected": "r"}\n')
    with pytest.raises(UserError, match=r"pairs.jsonl:1: `prompt` must be a text, .* not a list of str"):
        read_pairs(path)
    path.write_text('{"prompt": "p", "chosen": "c", "rejected": "r", "evidence": "{"}\n')
    with pytest.raises(UserError, match=r"pairs\.jsonl:1: `evidence` must be an object, or its JSON text"):
        read_pairs(path)
    path.write_text('{"prompt": "p", "chosen": "c", "rejected": "r", "confidence": null}\n')
    assert (read_pairs(path)[0].confidence, read_pairs(path)[0].chosen_id) == (1.0, -1)


def test_pairs_become_a_dataset() -> None:
    result = pair([matrix((GOOD, "P"), (BAD, "F"))], [PROBLEM])
    assert result.to_dataset()[0]["chosen"] == list(result.pairs[0].chosen)


@pytest.mark.parametrize(
    ("rule", "inputs", "message"),
    [
        ("rated", {"verdicts": []}, "rule 'rated' chooses by ratings. Give judgments"),
        ("dstc", {"verdicts": [], "judgments": []}, "rule 'dstc' does not read ratings"),
        ("dstc", {}, "rule 'dstc' needs verdicts"),
        ("minimax", {"verdicts": []}, "unknown rule 'minimax'"),
    ],
)
def test_a_rule_needs_the_input_that_it_reads(rule: str, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        select_pairs([PROBLEM], rule=rule, **inputs)


def test_one_function_selects_pairs_with_every_kind_of_rule() -> None:
    tested = [matrix((GOOD, "P"), (BAD, "F"))]
    assert select_pairs([PROBLEM], rule="all-tests", verdicts=tested) == pair(tested, [PROBLEM])
    responses = tuple(Response("t", number, "m", text) for number, text in enumerate((GOOD, BAD)))
    judged = [Judgment("t", "Double x.", "style", responses, (Rating(0, 5), Rating(1, 1)))]
    assert select_pairs([PROBLEM], rule="rated", judgments=judged) == pair_rated(judged, None, [PROBLEM])
