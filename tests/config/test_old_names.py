"""Old names of a recipe's sections work and give a warning. A file cannot hold both names of a section."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from codepref.config.old_names import OLD_SECTIONS
from codepref.config.recipe import Recipe, read_document, recipe_from_document, section_names
from codepref.errors import UserError


def read(path: Path, *overrides: str) -> Recipe:
    return recipe_from_document(read_document(path), overrides=overrides, where=str(path))


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text("[watch]\nlimit = 7\n")
    return path


def test_every_old_name_leads_to_a_section_and_is_none_itself() -> None:
    assert set(OLD_SECTIONS.values()) <= set(section_names())
    assert not OLD_SECTIONS.keys() & set(section_names())


def test_a_file_with_an_old_name_is_read_with_one_warning(recipe_file: Path) -> None:
    with pytest.warns(FutureWarning) as caught:
        recipe = read(recipe_file)
    assert recipe.validation.limit == 7
    assert [str(one.message) for one in caught] == [f"{recipe_file}: the section [watch] is now called [validation]"]


@pytest.mark.parametrize("override", ["watch.limit=3", " watch.limit = 3"])
def test_an_override_with_an_old_name_is_applied_with_one_warning(override: str) -> None:
    with pytest.warns(FutureWarning) as caught:
        recipe = recipe_from_document({}, overrides=[override])
    assert recipe.validation.limit == 3
    assert [str(one.message) for one in caught] == [f"--set {override}: the section [watch] is now called [validation]"]


def test_an_override_with_the_current_name_changes_a_file_with_the_old_one(recipe_file: Path) -> None:
    with pytest.warns(FutureWarning):
        assert read(recipe_file, "validation.limit=3").validation.limit == 3


def test_a_mistake_under_an_old_name_is_reported_under_the_current_one(recipe_file: Path) -> None:
    recipe_file.write_text("[watch]\nlimt = 7\n")
    with pytest.warns(FutureWarning), pytest.raises(UserError, match=r"unknown key `validation\.limt` \(did you mean"):
        read(recipe_file)
    with pytest.warns(FutureWarning), pytest.raises(UserError, match=r"must be section\.key=value"):
        recipe_from_document({}, overrides=["watch=3"])


def test_a_file_with_both_names_is_refused(recipe_file: Path) -> None:
    recipe_file.write_text("[watch]\nlimit = 7\n[validation]\nlimit = 8\n")
    with pytest.raises(
        UserError, match=r"mine\.toml: \[watch\] is the old name of \[validation\], and the file holds both"
    ):
        read(recipe_file)


def test_current_names_give_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipe_from_document({"validation": {"limit": 3}}, overrides=["validation.every=2"])


def test_a_recipe_that_is_read_twice_gives_its_warning_once(recipe_file: Path) -> None:
    code = (
        "from pathlib import Path\nfrom codepref.config.recipe import read_document, recipe_from_document\n"
        f"for _ in range(2): recipe_from_document(read_document(Path({str(recipe_file)!r})))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr.count("is now called [validation]") == 1
