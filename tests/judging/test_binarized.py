"""Tests of files of rated pairs: their columns are the published ones, and `datasets` and codepref can read them."""

from pathlib import Path

import datasets
import pytest

from codepref import api
from codepref.errors import UserError
from codepref.judging.binarized import write_binarized
from codepref.pairing.artifact import read_pairs
from codepref.records import Judgment, Rating, Response


def judgment(number: int, *values: int | None) -> Judgment:
    task = f"t{number}"
    responses = tuple(Response(task, place, f"m{place}", f"answer {number} {place}") for place in range(len(values)))
    ratings = tuple(
        Rating(place, value, f"why {place}", "" if value else "it holds no ratings")
        for place, value in enumerate(values)
    )
    return Judgment(task, f"Do {number}.", "style", responses, ratings, "j", tuple(range(len(values))))


JUDGMENTS = [judgment(0, 5, 1, 3, None), judgment(1, 2, 2, 2, 2), judgment(2, 4, 2)]


@pytest.mark.parametrize("name", ["pairs.parquet", "pairs.jsonl"])
def test_a_file_has_the_published_columns(tmp_path: Path, name: str) -> None:
    pairs = api.pair(judgments=JUDGMENTS, rule="rated", max_pairs_per_problem=1).pairs
    assert write_binarized(tmp_path / name, JUDGMENTS, pairs) == 2  # the second problem is a tie and gives no pair
    kind = "parquet" if name.endswith("parquet") else "json"
    loaded = datasets.load_dataset(kind, data_files=str(tmp_path / name), split="train")
    published = ["instruction", "preference", "models", "responses", "annotations", "chosen", "rejected"]
    published += ["rating_chosen", "rating_rejected", "model_chosen", "model_rejected"]
    assert loaded.column_names == published
    first = loaded[0]
    assert (first["chosen"], first["rejected"]) == ("answer 0 0", "answer 0 1")
    assert (first["rating_chosen"], first["rating_rejected"]) == (5, 1)
    assert (first["model_chosen"], first["model_rejected"]) == ("m0", "m1")
    assert [annotation["rating"] for annotation in first["annotations"]] == ["5", "1", "3", "N/A"]
    back = read_pairs(tmp_path / name)
    assert [pair.prompt[0]["content"] for pair in back] == ["Do 0.", "Do 2."]
    assert back[0].evidence["rating_chosen"] == 5


def test_pairs_of_tasks_that_the_judgments_lack_are_refused(tmp_path: Path) -> None:
    pairs = api.pair(judgments=JUDGMENTS, rule="rated").pairs
    with pytest.raises(UserError, match="the judgments lack task 't2'"):
        write_binarized(tmp_path / "x.parquet", JUDGMENTS[:1], pairs)


def test_a_rule_that_does_not_fit_its_input_is_refused() -> None:
    with pytest.raises(UserError, match="rule 'dstc' does not read ratings"):
        api.pair(judgments=JUDGMENTS, rule="dstc")
    with pytest.raises(UserError, match=r"rule 'rated' chooses by ratings\. Give judgments"):
        api.pair([], rule="rated")
    with pytest.raises(UserError, match="margin 5 does not fit the ratings of task 't0', which lie between 1 and 5"):
        api.pair(judgments=JUDGMENTS, rule="rated", margin=5)
    with pytest.raises(UserError, match="needs verdicts"):
        api.pair()
