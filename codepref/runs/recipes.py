"""Recipes that are ready to run: read, and checked for keys that do not fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.config.pool import check_pool
from codepref.config.recipe import Recipe, read_document, recipe_from_document
from codepref.config.templates import check_template
from codepref.errors import UserError
from codepref.preferences import PREFERENCES
from codepref.training.checks import training_mistakes
from codepref.training.methods import METHODS, load_method

RATED = ("rated", "tests-then-rating")
"""Rules that need a judge."""

TRUE_TESTS = ("all-tests", *RATED)
"""Rules that need no self-written tests."""


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a TOML recipe, apply `section.key=value` overrides, and check it.

    Raises UserError with one line for each mistake: a missing file, TOML that does not parse, unknown sections or
    keys (the nearest known name is offered), values of the wrong type or out of bounds, keys that do not fit together.
    """
    return parse_recipe(read_document(path), name=path.stem, overrides=overrides, where=str(path))


def parse_recipe(
    document: Mapping[str, Any], *, name: str = "recipe", overrides: Sequence[str] = (), where: str = "recipe"
) -> Recipe:
    """Build a Recipe from a parsed TOML document and check it. Raises UserError with one line for each mistake."""
    recipe = recipe_from_document(document, name=name, overrides=overrides, where=where)
    if mistakes := inconsistencies(recipe):
        raise UserError(*(f"{where}: {mistake}" for mistake in mistakes))
    return recipe


def inconsistencies(recipe: Recipe) -> list[str]:
    """All that does not fit together in a recipe."""
    found = []
    training, evaluation, pairing = recipe.training, recipe.evaluation, recipe.pairing
    if too_large := [k for k in evaluation.k if k > evaluation.samples]:
        found.append(f"evaluation.k holds {too_large}, but only evaluation.samples = {evaluation.samples} are drawn")
    if pairing.rule in TRUE_TESTS and recipe.sampling.tests > 0:
        found.append(
            f"pairing.rule = {pairing.rule!r} takes tests to be true, and sampling.tests above 0 would give it "
            "self-written ones: set sampling.tests = 0, or choose a dstc rule"
        )
    names = {"pass@1 greedy", *(f"pass@{k}" for k in evaluation.k)}
    names |= {"rubric score"} if recipe.judge.model == "rubric" else set()
    if unknown := [name for name in recipe.gate.figures if name not in names]:
        found.append(f"gate.figures holds {', '.join(unknown)}; a run compares {', '.join(sorted(names))}")
    found += _feedback_inconsistencies(recipe)
    found += training_mistakes(recipe.training, online=recipe.online)
    found += training_mistakes(recipe.sft.training(), "sft")
    if unknown := sorted(set(recipe.judge.preferences) - set(PREFERENCES)):
        found.append(f"judge.preferences holds {', '.join(unknown)}; known: {', '.join(PREFERENCES)}")
    if pairing.rule not in TRUE_TESTS and recipe.sampling.tests == 0:
        found.append(f"pairing.rule = {pairing.rule!r} needs self-written tests: set sampling.tests above 0")
    for key, template in (
        ("solution_template", recipe.sampling.solution_template),
        ("test_template", recipe.sampling.test_template),
    ):
        try:
            check_template(template, f"sampling.{key}")
        except UserError as error:
            found += error.problems
    return found


def _feedback_inconsistencies(recipe: Recipe) -> list[str]:
    found = []
    rule, judge = recipe.pairing.rule, recipe.judge
    if rule in RATED and not judge.model:
        found.append(f"pairing.rule = {rule!r} needs ratings: set judge.model")
    if judge.model not in ("", "rubric") and not judge.base_url:
        found.append(f"judge.model = {judge.model!r}: where is it? Set judge.base_url, or take `rubric`")
    if recipe.instructions.source:
        found += check_pool(recipe.pool, "instructions.source is set")
        if recipe.training.rounds > 1:
            found.append("training.rounds: a pool's responses come from no round's model; set it to 1")
        if rule != "rated":
            found.append("instructions.source has no tests: set pairing.rule = 'rated'")
    elif recipe.pool:
        found.append("a [[pool]] responds to instructions: set instructions.source")
    if recipe.grading.benchmark and judge.model in ("", "rubric"):
        found.append("grading.benchmark is graded by a judge model: set judge.model and judge.base_url")
    if recipe.sft.data == "passing" and (recipe.instructions.source or recipe.sampling.tests):
        found.append("sft.data = 'passing' needs samples judged by true tests")
    method = None if METHODS.mistake(recipe.training.method) else load_method(recipe.training.method)
    if method and method.online:
        for wrong, told in (
            (bool(recipe.instructions.source), "instructions.source"),
            (recipe.training.rounds > 1, "training.rounds"),
            (recipe.sft.data == "passing", "sft.data = 'passing'"),
        ):
            if wrong:
                found.append(f"training.method = {recipe.training.method!r} samples as it trains: leave out {told}")
    if method and method.supervised:
        found.append(f"training.method = {recipe.training.method!r}: a run trains on pairs; write [sft] for this")
    for budget, members, name in (
        (recipe.responses.budget, recipe.pool, "responses"),
        (judge.budget, (judge,), "judge"),
    ):
        if budget == 0:
            found.append(f"{name}.budget = 0 allows no call; -1 sets no limit")
        elif budget > 0 and not any(member.price_in or member.price_out for member in members):
            found.append(f"{name}.budget needs prices: set price_in and price_out")
    return found
