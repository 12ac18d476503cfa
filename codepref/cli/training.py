"""The command that trains: train."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codepref.cli.options import Parser, add_model, add_sandbox, add_seed, add_strict, add_where
from codepref.cli.output import log
from codepref.errors import UserError
from codepref.storage.progress import ProgressLine
from codepref.training.methods import METHODS

if TYPE_CHECKING:
    from codepref.config.sections import ValidationSection
    from codepref.training.result import TrainingResult


def add_train(parser: Parser) -> None:
    """Add the options of `codepref train`."""
    add_model(parser, "folder, hub name or `starter`")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--pairs", help="file or data set on the hub with pairs, or with labelled answers")
    source.add_argument(
        "--verdicts", help="for rft, sft, kto: folder that `execute` wrote, with the solutions to learn from"
    )
    source.add_argument("--problems", help="for grpo, rloo: file, hub name or starter:SPLIT of problems with tests")
    add_where(parser, "problems")
    source.add_argument("--data", help="for sft, kto: file, or data set on the hub, with answers")
    parser.add_argument(
        "--method",
        default="dpo",
        help=f"{', '.join(METHODS.builtin)}, or a method of an installed package (default %(default)s)",
    )
    parser.add_argument(
        "--out", required=True, help="folder for the trained model; a killed training continues with the same folder"
    )
    parser.add_argument(
        "--validation", help="problems that measure the model while it trains; do not use your held-out problems"
    )
    parser.add_argument(
        "--validation-limit",
        type=int,
        default=100,
        help="use only the first N validation problems (default %(default)s)",
    )
    parser.add_argument(
        "--try-weights",
        default="",
        metavar="WEIGHTS",
        help="with --validation: values of chosen_weight to try before the training, such as 0,1,5; the best is taken",
    )
    parser.add_argument(
        "--trial-share",
        type=float,
        default=0.25,
        help="with --try-weights: length of each trial, as a share of the epochs (default %(default)s)",
    )
    add_strict(parser)
    add_seed(parser)
    add_sandbox(parser)
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a key of [training] except method, rounds and round_start, or online.KEY; may be repeated",
    )
    parser.set_defaults(command=train)


def train(options: Namespace) -> None:
    """Run `codepref train`."""
    from codepref import api
    from codepref.runs.recipes import parse_recipe

    overrides = [_as_override(item) for item in options.settings]
    recipe = parse_recipe({"training": {}}, overrides=overrides, where="--set")
    # the method is set after the recipe's check, since this command also trains by methods that a run refuses
    settings = replace(recipe.training, method=options.method)
    progress = ProgressLine("train: steps")
    result = api.train(
        options.pairs,
        options.model,
        options.out,
        verdicts=options.verdicts,
        data=options.data,
        settings=settings,
        seed=options.seed,
        dtype=options.dtype,
        device=options.device,
        progress=progress,
        validation=options.validation,
        validation_settings=_validation_section(options),
        log=log,
        problems=options.problems,
        online=recipe.online,
        unconfined=options.unconfined,
        strict=options.strict,
    )
    progress.close()
    _print_result(result, settings.method)
    print(options.out)


def _validation_section(options: Namespace) -> ValidationSection:
    """Return the settings of the validation. Raises UserError for weights that are no numbers, and for wrong values."""
    from codepref.config.fields import checked
    from codepref.config.sections import ValidationSection

    try:
        weights = tuple(float(word) for word in options.try_weights.split(",") if word.strip())
    except ValueError:
        raise UserError(
            f"--try-weights {options.try_weights}: must be numbers with commas between them, such as 0,1,5"
        ) from None
    values = {"chosen_weights": weights, "trial_share": options.trial_share}
    section: ValidationSection = checked(ValidationSection(limit=options.validation_limit, **values), "options")
    return section


def _print_result(result: TrainingResult, method: str) -> None:
    from codepref.training.methods import load_method

    last: dict[str, Any] = result.curve[-1] if result.curve else {}
    unit = load_method(method).learns_from
    start = (
        f"{result.sampled:,} answers sampled"
        if result.sampled
        else f"loss before the first step {result.first_loss:.4f}"
    )
    print(f"{result.pairs:,} {unit}, {result.steps:,} steps, {start}")
    keys = ("loss", "margin", "accuracy", "kl", "chosen_logp", "reward")
    print("  ".join(f"{key} {last[key]:.4g}" for key in keys if key in last))
    if result.trials:
        print(f"chosen_weight {result.settings['chosen_weight']:g} was the best of {len(result.trials)} on validation")
    for probe in result.probes:
        print(
            f"  step {probe['step']:,}: pass@1 on validation problems {100 * probe['pass_rate']:.1f}, difference "
            f"{100 * probe['difference']:+.1f} [{100 * probe['low']:+.1f}, {100 * probe['high']:+.1f}]"
        )
    if result.stopped:
        print(f"ended early: {result.stopped}")
    if result.kept_step != result.steps:
        print(f"kept: the weights of step {result.kept_step:,}")
    for warning in result.warnings:
        print(f"warning: {warning}")
    for reason, count in result.dropped.items():
        print(f"  {count:,} x {reason}")


def _as_override(item: str) -> str:
    """Return an argument of `train --set`, such as "beta=0.2", as an override of a recipe: "training.beta=0.2".

    Raises UserError for `method`, `rounds` and `round_start`, and for keys of sections other than [training] and
    [online]. The caller checks whether the key exists and the value is valid.
    """
    key = item.partition("=")[0].strip().removeprefix("training.")
    if key == "method":
        raise UserError(f"--set {item}: use --method to choose the method")
    if key in ("rounds", "round_start"):
        raise UserError(f"--set {item}: only a run has rounds (`codepref run`); this command trains once")
    if "." in key and not key.startswith("online."):
        raise UserError(f"--set {item}: this command takes the keys of [training] as KEY=VALUE, and online.KEY=VALUE")
    return item if item.startswith(("online.", "training.")) else f"training.{item}"
