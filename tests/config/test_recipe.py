"""Recipes: which mistakes are refused, what overrides change, and what a written recipe holds."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from codepref.config.recipe import Recipe
from codepref.errors import UserError
from codepref.runs.recipes import load_recipe, parse_recipe


def test_one_error_lists_all_mistakes_with_the_nearest_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'colour = 1\n[training]\nbetta = 0.1\nepochs = "two"\nlearning_rate = -1.0\n[sampling]\ntop_p = 1.5\n'
        "[trainin]\nbeta = 1.0\n"
    )
    with pytest.raises(UserError) as caught:
        load_recipe(path)
    message = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 6
    assert "did you mean `beta`?" in message
    assert "`training.epochs` = 'two': must be a number" in message
    assert "`training.learning_rate` = -1.0: must be at least 0" in message
    assert "`sampling.top_p` = 1.5: must be at most 1" in message
    assert "unknown section `trainin` (did you mean `training`?)" in message
    assert "unknown key `colour`" in message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"training": {"batch_size": 10, "micro_batch_size": 4}}, "does not divide"),
        ({"sft": {"batch_size": 2, "micro_batch_size": 4}}, "sft.micro_batch_size = 4 does not divide"),
        ({"sft": {"quantization": "nf4"}}, "set sft.lora_rank above 0"),
        (
            {"gate": {"figures": ["rubric score"]}},
            "gate.figures holds rubric score; this run only compares pass@1, pass@1 greedy",
        ),
        ({"evaluation": {"samples": 5, "k": [1, 10]}}, "each k must be at most evaluation.samples = 5"),
        ({"pairing": {"rule": "dstc"}}, "needs self-written tests"),
        ({"sampling": {"solution_template": "{nothing}"}}, "only {prompt} and {entry_point}"),
        ({"sampling": {"solution_template": "{prompt.foo}"}}, "only {prompt} and {entry_point}"),
        ({"sampling": {"test_template": "hello"}}, "holds no {prompt}"),
        ({"sampling": {"tests": 3}}, "does not use self-written tests"),
        ({"pairing": {"rule": "rated"}}, "needs ratings: set judge.model"),
        (
            {"judge": {"preferences": ["beauty"]}},
            "judge.preferences holds beauty; the known preferences are instruction-following",
        ),
        ({"judge": {"preferences": [1]}}, "must be a list of texts"),
        ({"training": {"epochs": float("inf")}}, "must be a finite number"),
        ({"training": 3}, "must be a section"),
        ({"model": {"dtype": "int3"}}, "must be one of auto"),
        ({"training": {"gradient_checkpointing": 1}}, "must be true or false"),
        ({"model": {"base_url": "localhost:8000"}}, "http://"),
        ({"model": {"base_url": [1]}}, "must be a list of texts"),
        ({"model": {"concurrency": 2, "stop": "x"}}, "these keys have no effect: model.concurrency, model.stop"),
        ({"model": {"base_url": "http://a/v1", "extra_body": "[]"}}, "extra_body must be a JSON object"),
        ({"model": {"base_url": "http://a/v1", "budget": 1.0}}, "a budget needs prices"),
        (
            {"model": {"base_url": "http://a/v1"}, "training": {"method": "grpo"}},
            "model.base_url cannot be used with training.method = 'grpo'",
        ),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(document: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_recipe(document)


def test_a_message_names_the_file_or_the_option_that_holds_the_mistake(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[training]\nbetta = 0.1\nepochs = 0\n")
    with pytest.raises(UserError) as caught:
        load_recipe(path, ["training.lerning_rate=1", "training.epochs=-1", "trainin.beta=1", "seed=x"])
    assert sorted(line.partition(": ")[0] for line in caught.value.problems) == [*["--set"] * 4, str(path)]
    path.rename(tmp_path / "recipe.toml")
    with pytest.raises(UserError, match=r"the recipe of the run in this folder is .*recipe\.toml"):
        load_recipe(tmp_path)


def test_overrides_accept_toml_values_and_bare_text() -> None:
    recipe = parse_recipe({}, overrides=["training.beta=0.5", "model.path=some/model", "evaluation.k=[1, 5]", "seed=7"])
    assert recipe.training.beta == 0.5
    assert recipe.model.path == "some/model"
    assert recipe.evaluation.k == (1, 5)
    assert recipe.seed == 7


def test_the_address_of_a_server_is_a_text_or_a_list() -> None:
    one = parse_recipe({"model": {"base_url": "http://a/v1"}})
    assert one.model.base_url == ("http://a/v1",)
    several = parse_recipe({}, overrides=["model.base_url=['http://a/v1', 'http://b/v1']", "model.stop=end"])
    assert several.model.base_url == ("http://a/v1", "http://b/v1")
    assert several.model.stop == ("end",)
    assert parse_recipe(tomllib.loads(several.to_toml()), name=several.name) == several
    assert parse_recipe({"model": {"base_url": ""}}).model.base_url == ()


@pytest.mark.parametrize("override", ["training", "a.b.c=1", "=3", "seed.x=3", "pool.model=m"])
def test_a_malformed_override_is_refused(override: str) -> None:
    with pytest.raises(UserError, match=r"section\.key=value"):
        parse_recipe({"pool": [{"model": "starter"}]}, overrides=[override])


def test_a_written_recipe_is_read_as_an_equal_recipe() -> None:
    recipe = parse_recipe(
        {"sampling": {"solution_template": 'quote " slash \\ line\nend {prompt}'}, "evaluation": {"k": [1, 2, 3]}},
        overrides=["seed=3"],
    )
    assert parse_recipe(tomllib.loads(recipe.to_toml()), name=recipe.name) == recipe
    assert replace(Recipe(), seed=3) != recipe


def test_a_missing_recipe_is_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such recipe"):
        load_recipe(tmp_path / "none.toml")
