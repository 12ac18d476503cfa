"""The stages of a recipe, in order. Pure."""

from __future__ import annotations

from codepref.config.recipe import Recipe
from codepref.training.methods import load_method


def labels(recipe: Recipe) -> list[str]:
    """Return the labels of the models that a run measures: "base", "sft" if `sft.data` is set, and "aligned"."""
    return ["base", *(["sft"] if recipe.sft.data else []), "aligned"]


def plan(recipe: Recipe) -> list[str]:
    """Return the names of the stages that a run has after the stage `problems`, in order.

    With `training.rounds` above 1, the names of the earlier rounds' stages begin with `round-1-`, `round-2-` and so on.
    The last round's stages have plain names, like those of a run of one round.
    """
    names: list[str] = []
    for number in range(1, recipe.training.rounds + 1):
        prefix = round_prefix(recipe, number)
        names += [prefix + name for name in _round(recipe, first=number == 1)]
    names += [f"evaluate-{label}" for label in labels(recipe)]
    names += [f"grade-{label}" for label in labels(recipe)] if recipe.grading.benchmark else []
    return names


def round_prefix(recipe: Recipe, number: int) -> str:
    """Return the prefix of the stage names of round `number`, counted from 1. The last round's prefix is ""."""
    return "" if number == recipe.training.rounds else f"round-{number}-"


def split_stage(recipe: Recipe, name: str) -> tuple[int, str]:
    """Return the round and the plain name of a stage, such as (1, "train") for "round-1-train"."""
    for number in range(1, recipe.training.rounds):
        if name.startswith(prefix := round_prefix(recipe, number)):
            return number, name.removeprefix(prefix)
    return recipe.training.rounds, name


def _round(recipe: Recipe, *, first: bool) -> list[str]:
    chooses = recipe.choice.by_verdicts
    if load_method(recipe.training.method).online:
        names = ["sft"] if recipe.sft.data else []
        return [*names, *(["sample-solutions", "execute", "choose"] if chooses else []), "train"]
    if recipe.pairing.source:
        names = []
    elif recipe.instructions.source:
        names = ["respond"]
    else:
        names = ["sample-solutions", *(["sample-tests"] if recipe.sampling.tests else []), "execute"]
    names += ["choose"] if chooses else []
    names += ["judge"] if recipe.judge.model else []
    names += ["pair", "audit"]
    return [*names, *(["sft"] if recipe.sft.data and first else []), "train"]
