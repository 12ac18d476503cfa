"""Which stages a recipe has, in their order. Pure."""

from __future__ import annotations

from codepref.config.recipe import Recipe
from codepref.training.methods import load_method


def labels(recipe: Recipe) -> list[str]:
    """Names of the models that a run measures, in the order in which they come to be."""
    return ["base", *(["sft"] if recipe.sft.data else []), "aligned"]


def plan(recipe: Recipe) -> list[str]:
    """The stages of a run after `problems`.

    With `training.rounds` above 1 the stages of earlier rounds are named `round-1-...`; the last round's bear the plain
    names, as a single one's do.
    """
    names: list[str] = []
    for number in range(1, recipe.training.rounds + 1):
        prefix = round_prefix(recipe, number)
        names += [prefix + name for name in _round(recipe, first=number == 1)]
    names += [f"evaluate-{label}" for label in labels(recipe)]
    names += [f"grade-{label}" for label in labels(recipe)] if recipe.grading.benchmark else []
    return names


def round_prefix(recipe: Recipe, number: int) -> str:
    """What stands before the names of a round's stages; rounds count from 1."""
    return "" if number == recipe.training.rounds else f"round-{number}-"


def _round(recipe: Recipe, *, first: bool) -> list[str]:
    if load_method(recipe.training.method).online:
        return [*(["sft"] if recipe.sft.data else []), "train"]
    if recipe.instructions.source:
        names = ["respond"]
    else:
        names = ["sample-solutions", *(["sample-tests"] if recipe.sampling.tests else []), "execute"]
    names += ["judge"] if recipe.judge.model else []
    names += ["pair", "audit"]
    return [*names, *(["sft"] if recipe.sft.data and first else []), "train"]
