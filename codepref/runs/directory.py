"""A run directory: which recipe it belongs to, which stages are done, and a lock for one process at a time."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codepref.config.recipe import Recipe
from codepref.errors import MachineError, UserError
from codepref.runs.recipes import load_recipe
from codepref.storage.files import read_json, write_json, write_text

Result = dict[str, Any]
"""The figures of one stage, in plain JSON values."""

OLD_INPUTS = {"validation.problems": "watch.problems"}
"""Name of an input -> its name in runs of earlier versions."""


def open_run(folder: Path) -> RunDirectory:
    """Return the run in `folder`, to be read. Raises UserError when the folder holds no run."""
    recipe = folder / "recipe.toml"
    if not recipe.exists():
        raise UserError(f"{folder}: is no run directory (it has no recipe.toml)")
    return RunDirectory(folder, load_recipe(recipe))


class RunDirectory:
    """One run's folder. Each finished stage leaves a marker, and a stage with a marker does not run again.

    Layout: recipe.toml (resolved), run.json (what was noted at the start), stages/NAME.json (seconds and figures of
    each finished stage), and the stages' own files. Use it as a context manager to work in it.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self.path, self.recipe = path, recipe
        self._lock: Any = None

    def __enter__(self) -> RunDirectory:
        """Create or open the directory, and lock it for this process.

        Raises UserError when another process works in it or it is a file, MachineError when it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("w")
        except FileExistsError:
            raise UserError(f"{self.path}: is a file; --out must be a folder") from None
        except OSError as error:
            raise MachineError(f"{self.path}: cannot be written ({error.strerror}); choose another --out") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise UserError(
                f"{self.path}: another codepref works in it; wait until it ends, or choose another --out"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def claim(self, inputs: dict[str, str], about: Callable[[], dict[str, Any]]) -> None:
        """Make an empty directory this run's, or check that an existing run there is the same one.

        inputs: hashes of the problems and the model that the recipe names. about: returns what else to note; it is
        called for a new run only. Raises UserError when the directory holds a run of another recipe, or when the inputs
        have changed since that run began.
        """
        kept = self.path / "recipe.toml"
        if not kept.exists():
            notes = {"recipe": self.recipe.name, "started": _now(), "inputs": inputs} | about()
            write_json(self.path / "run.json", notes)
            write_text(kept, f"# {self.recipe.name}, resolved: every key with its value\n" + self.recipe.to_toml())
            return
        ours, theirs = _flat(self.recipe.as_dict()), _flat(load_recipe(kept).as_dict())
        differing = sorted(key for key in ours if key != "name" and ours[key] != theirs.get(key))
        if differing:
            raise UserError(
                f"{self.path}: holds a run with another {', '.join(differing)}. Continue it with its own recipe "
                f"({kept}), or choose another --out."
            )
        before = self.about().get("inputs", {})
        changed = sorted(
            name
            for name, value in inputs.items()
            if before.get(name, before.get(OLD_INPUTS.get(name, ""), value)) != value
        )
        if changed:
            raise UserError(
                f"{self.path}: {', '.join(changed)} changed since this run began, so its results would not fit "
                "together. Choose another --out."
            )

    def about(self) -> dict[str, Any]:
        """Return what was noted when the run began: name, time, machine, versions, inputs."""
        notes: dict[str, Any] = read_json(self.path / "run.json")
        return notes

    def round_folder(self, number: int) -> Path:
        """Return the folder of a round's files. The last round uses the run directory itself, like a run of one round.

        number: counts from 1.
        """
        return self.path if number == self.recipe.training.rounds else self.path / "rounds" / str(number)

    def done(self, name: str) -> Result | None:
        """Return the marker of a finished stage, or None for a stage that is not finished."""
        marker = self.path / "stages" / f"{name}.json"
        result: Result | None = read_json(marker) if marker.exists() else None
        return result

    def stage(self, name: str, work: Callable[[], Result]) -> Result:
        """Run `work` unless the stage is done, and return the stage's figures. The marker is written last."""
        if (finished := self.done(name)) is not None:
            result: Result = finished["result"]
            return result
        begun = time.monotonic()
        result = work()
        marker = {"name": name, "seconds": round(time.monotonic() - begun, 3), "ended": _now(), "result": result}
        write_json(self.path / "stages" / f"{name}.json", marker)
        return result


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested dictionary as one level: {"a": {"b": 1}} -> {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
