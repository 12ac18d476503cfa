"""`codepref run` and `codepref demo`: start a run, or go on with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import codepref
from codepref.config.recipe import Recipe
from codepref.errors import UserError
from codepref.runs.directory import RunDirectory
from codepref.runs.recipes import load_recipe
from codepref.storage.progress import ProgressLine

Say = Callable[[str], None]
DEMO = "dstc-dpo"


def run(
    recipe: Recipe | Path | str,
    out: Path | str | None = None,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    unconfined: bool = False,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Run a recipe, or go on with the run in `out`: only what is owed is done.

    recipe: a Recipe, a TOML file, or the name of a recipe that ships with codepref. out: default `runs/NAME`.
    overrides: `section.key=value`; seed: in place of the recipe's (both for a recipe that is read here). say: gets one
    line a stage. Returns the summary that summary.json holds; its `gate` says whether the aligned model is promoted.
    Raises UserError, MachineError or GateError; what was finished before is kept.
    """
    from codepref.hub.cards import write_cards
    from codepref.problems.needs import missing_packages_message
    from codepref.reports.html import write_report
    from codepref.runs.pipeline import stage_problems, stages
    from codepref.runs.summary import machine, versions, write_summary
    from codepref.runs.work import load_work

    if isinstance(recipe, Recipe):
        chosen = recipe
    else:
        chosen = load_recipe(find_recipe(recipe), [*overrides, *([] if seed is None else [f"seed={seed}"])])
    folder = Path(out) if out else Path("runs") / chosen.name
    lines: list[ProgressLine] = []

    def progress_for(label: str) -> ProgressLine:
        lines.append(ProgressLine(label))
        return lines[-1]

    with RunDirectory(folder, chosen) as directory:
        work = load_work(directory, progress_for, unconfined)
        directory.claim(work.inputs(), lambda: {"machine": machine(), "versions": versions(), "unconfined": unconfined})
        directory.stage("problems", lambda: stage_problems(work))
        if told := missing_packages_message([*work.train, *work.validation, *work.heldout]):
            say(told)
        planned = stages(work)
        for number, (name, stage) in enumerate(planned, start=1):
            kept = directory.done(name) is not None
            say(f"[{number}/{len(planned)}] {name}{' (done before)' if kept else ''}")
            directory.stage(name, lambda stage=stage: stage(work))  # type: ignore[misc]
            while lines:
                lines.pop().close()
        summary = write_summary(directory, ["problems", *(name for name, _ in planned)])
        write_report(folder)
        write_cards(folder)
    return summary


def demo(
    recipe: str = DEMO,
    out: Path | str | None = None,
    *,
    seed: int | None = None,
    overrides: Sequence[str] = (),
    unconfined: bool = False,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Run a recipe on the embedded starter; see `run`. out: default `runs/demo-RECIPE`."""
    path = recipes_folder() / "starter" / f"{recipe}.toml"
    if not path.exists():
        known = sorted(p.stem for p in (recipes_folder() / "starter").glob("*.toml"))
        raise UserError(f"no demo recipe {recipe!r}; there are {', '.join(known)}")
    settings = [*overrides, *([] if seed is None else [f"seed={seed}"])]
    chosen = replace(load_recipe(path, settings), name=f"demo-{recipe}")
    return run(chosen, out, unconfined=unconfined, say=say)


def find_recipe(name: Path | str) -> Path:
    """A recipe file's path: the file itself, or one that ships with codepref by its name.

    Raises UserError that lists the known names.
    """
    path = Path(name)
    if path.suffix == ".toml" or path.exists():
        return path
    shipped = recipes_folder() / f"{name}.toml"
    if not shipped.exists():
        known = sorted(str(p.relative_to(recipes_folder()).with_suffix("")) for p in recipes_folder().rglob("*.toml"))
        raise UserError(f"{name}: no such recipe file, and none of this name ships with codepref ({', '.join(known)})")
    return shipped


def recipes_folder() -> Path:
    """The recipes that ship with codepref: inside an installed package, or beside it in a checkout."""
    package = Path(codepref.__file__).parent
    inside = package / "recipes"
    return inside if inside.is_dir() else package.parent / "recipes"
