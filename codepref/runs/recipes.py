"""Finds recipes, reads them, and checks that their keys fit together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.config.pool import check_pool
from codepref.config.recipe import Recipe, read_document, recipe_from_document
from codepref.config.sections import PairingSection
from codepref.config.served import ModelServer
from codepref.config.templates import check_repair_template, check_template
from codepref.errors import UserError
from codepref.pairing.rules import load_rule
from codepref.preferences import PREFERENCES
from codepref.problems.conditions import read_condition
from codepref.problems.load import is_starter
from codepref.servers.exchange import check_endpoints
from codepref.servers.presets import command_mistakes
from codepref.training.checks import training_mistakes, weight_mistakes
from codepref.training.methods import METHODS, load_method

if TYPE_CHECKING:
    from codepref.pairing.rules.base import PairingRule


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a TOML recipe, apply the overrides, and check the result. overrides: texts `section.key=value`.

    Raises UserError for a missing file, a folder and invalid TOML, and as `parse_recipe` does.
    """
    return parse_recipe(read_document(path), name=path.stem, overrides=overrides, where=str(path))


def parse_recipe(
    document: Mapping[str, Any], *, name: str = "recipe", overrides: Sequence[str] = (), where: str = "recipe"
) -> Recipe:
    """Build a Recipe from a parsed TOML document and check it.

    Raises UserError as `recipe_from_document` does. If that function finds no mistake and `inconsistencies` finds some,
    raises UserError with one line for each of these.
    """
    recipe = recipe_from_document(document, name=name, overrides=overrides, where=where)
    if mistakes := inconsistencies(recipe):
        raise UserError(*(f"{where}: {mistake}" for mistake in mistakes))
    return recipe


def inconsistencies(recipe: Recipe) -> list[str]:
    """Return one text for each mistake in a recipe whose keys have valid types and bounds.

    Examples of such mistakes are keys that do not fit together, unknown names, malformed templates, and a budget of 0.
    """
    mistakes = []
    evaluation, pairing = recipe.evaluation, recipe.pairing
    if too_large := [k for k in evaluation.k if k > evaluation.samples]:
        mistakes.append(
            f"evaluation.k holds {too_large}: each k must be at most evaluation.samples = {evaluation.samples}"
        )
    try:
        rule: PairingRule | None = load_rule(pairing.rule)
    except UserError as error:
        rule = None
        mistakes += [f"pairing.rule: {problem}" for problem in error.problems]
    if rule and rule.tests != "self-written" and recipe.sampling.tests > 0:
        mistakes.append(
            f"pairing.rule = {pairing.rule!r} does not use self-written tests, and sampling.tests above 0 asks for "
            "them: set sampling.tests = 0, or choose a rule that uses them, such as 'dstc'"
        )
    names = {"pass@1 greedy", *(f"pass@{k}" for k in evaluation.k)}
    names |= {"rubric score"} if recipe.judge.model == "rubric" else set()
    if unknown := [name for name in recipe.gate.figures if name not in names]:
        mistakes.append(f"gate.figures holds {', '.join(unknown)}; this run only compares {', '.join(sorted(names))}")
    if recipe.gate.beat_baseline and not recipe.baseline.sft_on_chosen:
        mistakes.append("gate.beat_baseline needs a baseline: set baseline.sft_on_chosen = true")
    mistakes += command_mistakes(recipe.engine)
    if recipe.engine.launches and recipe.model.path.startswith("scripted:"):
        mistakes.append(
            f"[engine] starts a server, but model.path = {recipe.model.path!r} needs none: leave out [engine]"
        )
    mistakes += _server_inconsistencies(recipe)
    mistakes += _choice_inconsistencies(recipe)
    mistakes += _pair_inconsistencies(recipe, rule)
    mistakes += _feedback_inconsistencies(recipe, rule)
    mistakes += _ready_pair_inconsistencies(recipe)
    mistakes += training_mistakes(recipe.training, online=recipe.online)
    mistakes += training_mistakes(recipe.sft.training(), "sft")
    weights = recipe.validation.chosen_weights
    mistakes += weight_mistakes(recipe.training, weights, validated=bool(recipe.validation.problems))
    if unknown := sorted(set(recipe.judge.preferences) - set(PREFERENCES)):
        mistakes.append(
            f"judge.preferences holds {', '.join(unknown)}; the known preferences are {', '.join(PREFERENCES)}"
        )
    if rule and rule.tests == "self-written" and recipe.sampling.tests == 0:
        mistakes.append(f"pairing.rule = {pairing.rule!r} needs self-written tests: set sampling.tests above 0")
    for key, template in (
        ("solution_template", recipe.sampling.solution_template),
        ("test_template", recipe.sampling.test_template),
    ):
        try:
            check_template(template, f"sampling.{key}")
        except UserError as error:
            mistakes += error.problems
    return mistakes


def _server_inconsistencies(recipe: Recipe) -> list[str]:
    """Return the mistakes in the keys of [model] that concern servers."""
    model, default = recipe.model, ModelServer()
    if not model.base_url:
        names = [field.name for field in dataclasses.fields(ModelServer)]
        changed = [f"model.{name}" for name in names if getattr(model, name) != getattr(default, name)]
        unused = changed and not recipe.engine.launches
        return (
            [f"without model.base_url or [engine], these keys have no effect: {', '.join(changed)}"] if unused else []
        )
    method = None if METHODS.mistake(recipe.training.method) else load_method(recipe.training.method)
    if recipe.instructions.source or (method and method.online):
        key = "instructions.source" if recipe.instructions.source else f"training.method = {recipe.training.method!r}"
        return [f"model.base_url cannot be used with {key}: leave out model.base_url"]
    if recipe.model.path.startswith("scripted:"):
        return ["model.base_url has no effect on a scripted model. Leave it out"]
    try:
        check_endpoints([model.endpoint(model.path)], None if model.budget < 0 else model.budget)
    except UserError as error:
        return [f"[model] {problem}" for problem in error.problems]
    return []


def _choice_inconsistencies(recipe: Recipe) -> list[str]:
    choice, mistakes = recipe.choice, []
    if choice.min_pass_rate > choice.max_pass_rate:
        mistakes.append(
            f"choice.min_pass_rate = {choice.min_pass_rate:g} is above choice.max_pass_rate = {choice.max_pass_rate:g}"
        )
    if choice.by_verdicts and (recipe.instructions.source or recipe.sampling.tests):
        mistakes.append(
            "[choice] by pass rate or verdicts needs true tests: leave out instructions.source and sampling.tests"
        )
    if choice.by_verdicts and recipe.pairing.source:
        mistakes.append("[choice] by pass rate or verdicts needs the model's solutions: leave out pairing.source")
    if choice.where and recipe.instructions.source:
        mistakes.append("choice.where chooses rows of problems.train: leave out instructions.source")
    if choice.where and is_starter(recipe.problems.train):
        mistakes.append("choice.where chooses rows by their columns, and the starter's problems have no columns")
    for condition in choice.where:
        try:
            read_condition(condition, "choice.where")
        except UserError as error:
            mistakes += error.problems
    return mistakes


def _feedback_inconsistencies(recipe: Recipe, rule: PairingRule | None) -> list[str]:
    mistakes = []
    judge = recipe.judge
    if rule and rule.ratings and not judge.model:
        mistakes.append(f"pairing.rule = {recipe.pairing.rule!r} needs ratings: set judge.model")
    if judge.model not in ("", "rubric") and not judge.base_url:
        mistakes.append(f"judge.model = {judge.model!r} has no server. Set judge.base_url, or judge.model = 'rubric'")
    if recipe.instructions.source:
        mistakes += check_pool(recipe.pool, "instructions.source needs a pool")
        if recipe.training.rounds > 1:
            mistakes.append(
                "a pool's responses do not come from the trained model, so a run with a pool has one round: set "
                "training.rounds = 1"
            )
        if rule and not (rule.ratings and rule.tests == "none"):
            mistakes.append("the instructions of instructions.source have no tests: set pairing.rule = 'rated'")
    elif recipe.pool:
        mistakes.append("a [[pool]] answers instructions, but the recipe names none: set instructions.source")
    if recipe.grading.benchmark and judge.model in ("", "rubric"):
        mistakes.append("grading.benchmark needs a judge model on a server: set judge.model and judge.base_url")
    if recipe.sft.data == "passing" and (recipe.instructions.source or recipe.sampling.tests):
        mistakes.append(
            "sft.data = 'passing' needs verdicts of true tests: leave out instructions.source and sampling.tests"
        )
    method = None if METHODS.mistake(recipe.training.method) else load_method(recipe.training.method)
    if method and method.online:
        for wrong, key in (
            (bool(recipe.instructions.source), "instructions.source"),
            (recipe.training.rounds > 1, "training.rounds"),
            (recipe.sft.data == "passing", "sft.data = 'passing'"),
            (recipe.gate.beat_baseline, "gate.beat_baseline"),
        ):
            if wrong:
                mistakes.append(
                    f"training.method = {recipe.training.method!r} samples answers while it trains: leave out {key}"
                )
    if method and method.supervised:
        mistakes.append(
            f"training.method = {recipe.training.method!r} does not learn from a run's pairs: use the section [sft]"
        )
    for budget, members, name in (
        (recipe.responses.budget, recipe.pool, "responses"),
        (judge.budget, (judge,), "judge"),
    ):
        if budget == 0:
            mistakes.append(f"{name}.budget = 0 allows no call: set a positive budget, or -1 for no limit")
        elif budget > 0 and not any(member.price_in or member.price_out for member in members):
            mistakes.append(f"{name}.budget needs prices: set price_in and price_out")
    return mistakes


def _pair_inconsistencies(recipe: Recipe, rule: PairingRule | None) -> list[str]:
    """Return the mistakes in the keys of [pairing] that concern repair pairs."""
    pairing, mistakes = recipe.pairing, []
    if pairing.repair == "only" and rule and rule.speed and not pairing.correctness_pairs:
        mistakes.append(
            "pairing.rule = 'speed' rejects right programs, which need no repair: set pairing.correctness_pairs = "
            "true, or pairing.repair = 'none'"
        )
    if pairing.repair != "none" and rule and rule.ratings:
        mistakes.append(
            f"pairing.repair = {pairing.repair!r} needs wrong programs, and pairing.rule = {pairing.rule!r} chooses by "
            "ratings: set pairing.repair = 'none', or choose a rule for tests"
        )
    try:
        check_repair_template(pairing.repair_template, "pairing.repair_template")
    except UserError as error:
        mistakes += error.problems
    return mistakes


def _ready_pair_inconsistencies(recipe: Recipe) -> list[str]:
    """Return a message for each key that does not go with ready pairs, which `pairing.source` names."""
    if not recipe.pairing.source:
        return []
    online = not METHODS.mistake(recipe.training.method) and load_method(recipe.training.method).online
    wrong = {
        "instructions.source": bool(recipe.instructions.source),
        "sampling.tests": recipe.sampling.tests > 0,
        "judge.model": bool(recipe.judge.model),
        "pairing.rule": recipe.pairing.rule != PairingSection().rule,
        "pairing.repair": recipe.pairing.repair != "none",
        "pairing.max_easy_share": recipe.pairing.max_easy_share < 1,
        "sft.data = 'passing'": recipe.sft.data == "passing",
        "training.rounds": recipe.training.rounds > 1,
        "model.base_url": bool(recipe.model.base_url),
        "choice.where": bool(recipe.choice.where),
        f"training.method = {recipe.training.method!r}": online,
    }
    return [
        f"pairing.source names ready pairs, so no pairs are made from samples: leave out {key}"
        for key in wrong
        if wrong[key]
    ]


def find_recipe(name: Path | str) -> Path:
    """Return the path of a recipe. name: a path, or the name of a recipe that ships with codepref.

    A path that exists or ends in .toml is returned unchanged. Raises UserError with the known names if no recipe of
    this name ships with codepref.
    """
    path = Path(name)
    if path.suffix == ".toml" or path.exists():
        return path
    shipped = recipes_folder() / f"{name}.toml"
    if not shipped.exists():
        known = sorted(str(p.relative_to(recipes_folder()).with_suffix("")) for p in recipes_folder().rglob("*.toml"))
        raise UserError(
            f"{name}: no such recipe file, and no recipe of this name ships with codepref ({', '.join(known)})"
        )
    return shipped


def recipes_folder() -> Path:
    """Return the folder of codepref's own recipes: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "recipes"
    return inside if inside.is_dir() else package.parent / "recipes"
