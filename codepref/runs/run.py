"""The functions of `codepref run` and `codepref demo`, which start a run or continue one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from codepref.config.recipe import Recipe
from codepref.errors import UserError
from codepref.runs.directory import RunDirectory
from codepref.runs.recipes import find_recipe, load_recipe, recipes_folder
from codepref.storage.progress import ProgressLine

__all__ = ["demo", "find_recipe", "recipes_folder", "run"]

Log = Callable[[str], None]
DEMO = "dstc-dpo"


def run(
    recipe: Recipe | Path | str,
    out: Path | str | None = None,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    unconfined: bool = False,
    log: Log = lambda text: None,
    say: Log | None = None,
) -> dict[str, Any]:
    """Run a recipe in the directory `out`. If `out` holds a run of the recipe already, run only its pending stages.

    recipe: a Recipe, a TOML file, or the name of a recipe that ships with codepref.
    out: the run directory. None: `runs/NAME`, with the recipe's name.
    overrides: texts `section.key=value` that replace values of a recipe file. A Recipe is used unchanged.
    seed: the seed of the run, which replaces that of a recipe file. A Recipe keeps its seed.
    unconfined: run model code without Landlock, so that it can read, change and delete your files.
    log: a function that receives one line for each stage after the stage `problems`, and further messages for the user,
    such as one about missing packages. say: the old name of `log`.

    Returns the content of summary.json. The key `gate` says whether the aligned model is promoted.
    Raises UserError, MachineError, InfrastructureError or GateError. The results of finished stages are kept.
    """
    from codepref.hub.cards import write_cards
    from codepref.problems.needs import missing_packages_message
    from codepref.reports.html import write_report
    from codepref.runs.pipeline import stage_problems, stages
    from codepref.runs.plan import baseline_message, served_message, uses_server
    from codepref.runs.summary import machine, versions, write_summary
    from codepref.runs.work import load_work
    from codepref.sampling.engines.launched import Servers

    log = _renamed(log, say)
    if isinstance(recipe, Recipe):
        chosen = recipe
    else:
        chosen = load_recipe(find_recipe(recipe), [*overrides, *([] if seed is None else [f"seed={seed}"])])
    folder = Path(out) if out else Path("runs") / chosen.name
    lines: list[ProgressLine] = []

    def progress_for(label: str) -> ProgressLine:
        lines.append(ProgressLine(label))
        return lines[-1]

    # with model.base_url, the settings of [model] are for its servers, and not for the one that codepref starts
    calls = None if chosen.model.base_url else chosen.model
    servers = Servers(chosen.engine, folder / "servers", calls=calls, log=log, dtype=chosen.model.dtype)
    with RunDirectory(folder, chosen) as directory, servers:
        work = load_work(directory, progress_for, unconfined, servers, log)
        directory.claim(work.inputs(), lambda: {"machine": machine(), "versions": versions(), "unconfined": unconfined})
        directory.stage("problems", lambda: stage_problems(work))
        if message := missing_packages_message([*work.train, *work.validation, *work.heldout]):
            log(message)
        for message in filter(None, (served_message(chosen), baseline_message(chosen))):
            log(message)
        planned = stages(work)
        for number, (name, stage) in enumerate(planned, start=1):
            done = directory.done(name) is not None
            log(f"[{number}/{len(planned)}] {name}{' (done before)' if done else ''}")
            if not uses_server(chosen, name):
                servers.stop()
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
    log: Log = lambda text: None,
    say: Log | None = None,
) -> dict[str, Any]:
    """Run a recipe that is made for the embedded starter.

    recipe: the name of a recipe in recipes/starter. out: the run directory; None: `runs/demo-RECIPE`. The other
    arguments, the result and the errors are those of `run`. overrides and seed replace values of the recipe.
    """
    log = _renamed(log, say)
    path = recipes_folder() / "starter" / f"{recipe}.toml"
    if not path.exists():
        known = sorted(p.stem for p in (recipes_folder() / "starter").glob("*.toml"))
        raise UserError(f"no demo recipe has the name {recipe!r}; the names are {', '.join(known)}")
    settings = [*overrides, *([] if seed is None else [f"seed={seed}"])]
    chosen = replace(load_recipe(path, settings), name=f"demo-{recipe}")
    return run(chosen, out, unconfined=unconfined, log=log)


def _renamed(log: Log, say: Log | None) -> Log:
    """Return `log`. If the caller gave `say`, warn that its name is old, and return `say`."""
    if say is None:
        return log
    warnings.warn("the argument `say` is now called `log`", FutureWarning, stacklevel=3)
    return say
