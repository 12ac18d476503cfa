"""From verdicts to pairs: what is written, what is dropped and why, and that others can read it."""

from pathlib import Path

import pytest

from codepref.errors import UserError
from codepref.pairing.artifact import read_pairs, write_pairs
from codepref.pairing.pair import pair
from codepref.records import Problem, Test, Verdict, VerdictMatrix

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


def test_dstc_answers_are_code_followed_by_its_test() -> None:
    made = pair([matrix((GOOD, "PPP"), (BAD, "PFF"), (WORSE, "EEE"))], [PROBLEM], rule="dstc", fence=False)
    (only,) = made.pairs
    assert only.prompt[0]["role"] == "user"
    assert "Double x." in only.prompt[0]["content"]
    chosen, rejected = only.chosen[0]["content"], only.rejected[0]["content"]
    assert chosen.startswith(GOOD + "\nassert f(")
    assert rejected == WORSE + "\nassert f(0) == 0"  # the test that most pass and not all
    assert (only.chosen_id, only.rejected_id) == (0, 2)
    assert only.evidence["chosen_verdicts"] == "PPP"
    assert only.evidence["rejected_verdicts"] == "EEE"


def test_answers_stand_in_a_fenced_block_by_default() -> None:
    (only,) = pair([matrix((GOOD, "P"), (BAD, "F"))], [PROBLEM]).pairs
    assert only.chosen[0] == {"role": "assistant", "content": f"```python\n{GOOD}\n```"}


def test_no_pair_rests_on_an_infrastructure_failure() -> None:
    made = pair([matrix((GOOD, "P"), (BAD, "I"))], [PROBLEM])
    assert made.pairs == []
    assert made.dropped == {"no solution fails a test": 1, "solution left out: infrastructure failure": 1}


def test_no_pair_rests_on_shared_isolation_unless_allowed() -> None:
    shared = matrix((GOOD, "P"), (BAD, "F"), isolation="shared")
    assert pair([shared], [PROBLEM]).pairs == []
    assert len(pair([shared], [PROBLEM], allow_shared=True).pairs) == 1


def test_an_answer_without_code_is_in_no_pair() -> None:
    made = pair([matrix((GOOD, "P"), ("", "E"))], [PROBLEM])
    assert made.pairs == []
    assert made.dropped["solution left out: no code in the answer"] == 1


def test_copies_of_an_answer_make_one_pair() -> None:
    copies = [(GOOD, "P"), (GOOD + "  # again", "P"), (BAD, "F"), (program("x  # !"), "F")]
    assert len(pair([matrix(*copies)], [PROBLEM], max_pairs_per_problem=9).pairs) == 1


def test_several_draws_give_several_different_dstc_pairs_and_never_a_contradiction() -> None:
    rows = [
        (program(f"2 * x + {i}"), codes) for i, codes in enumerate(["PPPP", "PPPF", "PFFF", "FPFF", "FFFF", "FFPF"])
    ]
    made = pair([matrix(*rows)], [PROBLEM], rule="dstc-code", draws=8)
    ids = [(p.chosen_id, p.rejected_id) for p in made.pairs]
    assert len(ids) == len(set(ids)) > 1
    assert not {(b, a) for a, b in ids} & set(ids)


def test_the_same_seed_gives_the_same_pairs() -> None:
    rows = [(program(f"2 * x + {i}"), "P" if i < 5 else "F") for i in range(10)]
    first, again, other = (
        [(p.chosen_id, p.rejected_id) for p in pair([matrix(*rows)], [PROBLEM], seed=seed).pairs] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_verdicts_of_another_problem_file_are_refused() -> None:
    with pytest.raises(UserError, match="another file"):
        pair([matrix((GOOD, "P"), task_id="elsewhere")], [PROBLEM])


def test_an_unknown_rule_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="all-tests, max-pass, dstc"):
        pair([], [], rule="minimax")


def test_pairs_files_read_back_and_load_with_datasets(tmp_path: Path) -> None:
    import datasets

    made = pair([matrix((GOOD, "PP"), (BAD, "PF"), (WORSE, "EE"))], [PROBLEM], rule="dstc").pairs
    path = tmp_path / "pairs.parquet"
    write_pairs(path, made)
    assert read_pairs(path) == made
    loaded = datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded[0]["chosen"] == list(made[0].chosen)
    assert {"task_id", "prompt", "chosen", "rejected", "rule", "confidence", "chosen_id", "rejected_id"} <= set(
        loaded.column_names
    )


def test_a_pairs_file_that_is_none_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "p", "chosen": "c", "rejected": "r"}\n')
    with pytest.raises(UserError, match=r"row 1: needs `prompt`, .* `instruction`, .* has prompt, chosen, rejected"):
        read_pairs(path)
    path.write_text('{"prompt": ["p"], "chosen": "c", "rejected": "r"}\n')
    with pytest.raises(UserError, match=r"row 1: `prompt` must be a list of messages"):
        read_pairs(path)
    messages = '[{"role": "user", "content": "x"}]'
    row = f'"prompt": {messages}, "chosen": {messages}, "rejected": {messages}'
    path.write_text(f'{{{row}, "evidence": "{{"}}\n')
    with pytest.raises(UserError, match="row 1: "):
        read_pairs(path)
    path.write_text(f'{{{row}, "confidence": null}}\n')
    assert (read_pairs(path)[0].confidence, read_pairs(path)[0].chosen_id) == (1.0, -1)


def test_pairs_come_out_as_a_dataset() -> None:
    made = pair([matrix((GOOD, "P"), (BAD, "F"))], [PROBLEM])
    assert made.to_dataset()[0]["chosen"] == list(made.pairs[0].chosen)
