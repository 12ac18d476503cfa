"""The stages of a recipe, in order. Pure."""

from __future__ import annotations

from codepref.config.address import hidden_login
from codepref.config.recipe import Recipe
from codepref.pairing.rules import compares_speed
from codepref.training.methods import load_method


def labels(recipe: Recipe) -> list[str]:
    """Return the labels of the models that a run measures, in order.

    They are "base", "sft" if `sft.data` is set, "baseline" if the run trains one, and "aligned".
    """
    return ["base", *(["sft"] if recipe.sft.data else []), *(["baseline"] if has_baseline(recipe) else []), "aligned"]


def has_baseline(recipe: Recipe) -> bool:
    """Return whether the run trains a baseline, which is SFT on the chosen answers of the pairs."""
    return recipe.baseline.sft_on_chosen and not load_method(recipe.training.method).online


def baseline_message(recipe: Recipe) -> str:
    """Return a message that says why the run has no baseline although the recipe asks for one, or ""."""
    if not recipe.baseline.sft_on_chosen or has_baseline(recipe):
        return ""
    return (
        f"baseline.sft_on_chosen has no effect: a run with training.method = {recipe.training.method!r} makes no "
        "pairs, so there are no chosen answers to train the baseline on"
    )


def plan(recipe: Recipe) -> list[str]:
    """Return the names of the stages that a run has after the stage `problems`, in order.

    With `training.rounds` above 1, the names of the earlier rounds' stages begin with `round-1-`, `round-2-` and so on.
    The last round's stages have plain names, like those of a run of one round. If codepref starts a server for the
    samples of round 1, the base model is measured directly after these samples.
    """
    names: list[str] = []
    for number in range(1, recipe.training.rounds + 1):
        prefix = round_prefix(recipe, number)
        names += [prefix + name for name in _round(recipe, first=number == 1)]
    names += ["baseline"] if has_baseline(recipe) else []
    measures = [f"evaluate-{label}" for label in labels(recipe)]
    measures += [f"grade-{label}" for label in labels(recipe)] if recipe.grading.benchmark else []
    sampled = [place for place, name in enumerate(names) if name.startswith(f"{round_prefix(recipe, 1)}sample-")]
    if not (recipe.engine.launches and sampled) or recipe.model.base_url:
        return names + measures
    # the server that gave the samples usually serves the base model, so it need not be started again
    base = [name for name in measures if name.endswith("-base")]
    after = sampled[-1] + 1
    return [*names[:after], *base, *names[after:], *(name for name in measures if name not in base)]


def uses_server(recipe: Recipe, name: str) -> bool:
    """Return whether the stage is of a kind that can use the server that codepref starts for `[engine]`."""
    return recipe.engine.launches and split_stage(recipe, name)[1].startswith(("sample-", "evaluate-", "grade-"))


def served_message(recipe: Recipe) -> str:
    """Return a message that says which answers the servers of `model.base_url` give, or "" without such servers."""
    model = recipe.model
    if not model.base_url:
        return ""
    by = "the server of [engine]" if recipe.engine.launches else "codepref on this machine"
    later = "The models of later rounds and all" if recipe.training.rounds > 1 else "All"
    addresses = ", ".join(map(hidden_login, model.base_url))
    return (
        f"The training problems are answered by {addresses} as {model.served_name or model.path}. {later} "
        f"measurements use {by}, so that the scores of the base model and the aligned model can be compared"
    )


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
    names += ["speed"] if not recipe.pairing.source and compares_speed(recipe.pairing.rule) else []
    names += ["pair", "audit"]
    names += ["sft"] if recipe.sft.data and first else []
    return [*names, *(["weights"] if recipe.validation.chosen_weights else []), "train"]
