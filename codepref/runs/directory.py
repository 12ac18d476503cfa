"""The run directory: its recipe, the markers of its finished stages, and a lock that lets one process work in it."""

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
"""The figures of one stage as plain JSON values."""

OLD_INPUTS = {"validation.problems": "watch.problems"}
"""Maps the name of an input to its name in runs of earlier versions."""


def open_run(folder: Path) -> RunDirectory:
    """Return the run in `folder` without a lock, for reading.

    Raises UserError if the folder holds no run, and as `load_recipe` does.
    """
    recipe = folder / "recipe.toml"
    if not recipe.exists():
        raise UserError(f"{folder}: is not a run directory, since it holds no recipe.toml")
    return RunDirectory(folder, load_recipe(recipe))


class RunDirectory:
    """The folder of one run. Each finished stage leaves a marker, and a stage with a marker does not run again.

    Among the files in the folder are recipe.toml (every key with its value), run.json (the notes from the start of the
    run), stages/NAME.json (the marker of each finished stage, with its seconds and figures), and the files that the
    stages write. The object is a context manager, which locks the folder.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self.path, self.recipe = path, recipe
        self._lock: Any = None

    def __enter__(self) -> RunDirectory:
        """Create or open the directory, and lock it for this process.

        Raises UserError if the directory is locked already or the path is a file, and MachineError if the directory
        cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("w")
        except FileExistsError:
            raise UserError(f"{self.path} is a file, but --out must be a folder") from None
        except OSError as error:
            raise MachineError(f"{self.path}: cannot be written ({error.strerror}); choose another --out") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise UserError(
                f"{self.path}: another process works in this folder; wait until it ends, or choose another --out"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def claim(self, inputs: dict[str, str], about: Callable[[], dict[str, Any]]) -> None:
        """Begin a run in the directory. If it holds a run already, check that recipe and inputs have not changed.

        inputs: hashes of the problems and the model that the recipe names. about: returns further notes for run.json.
        `about` is called only for a new run. Raises UserError if the directory holds a run with other values of the
        recipe's keys, or if the inputs have changed since that run began. The recipe's name and its section `scale` may
        differ.
        """
        kept = self.path / "recipe.toml"
        if not kept.exists():
            notes = {"recipe": self.recipe.name, "started": _now(), "inputs": inputs} | about()
            write_json(self.path / "run.json", notes)
            write_text(kept, f"# {self.recipe.name}, resolved: every key with its value\n" + self.recipe.to_toml())
            return
        ours, theirs = _flat(self.recipe.as_dict()), _flat(load_recipe(kept).as_dict())
        free = ("name", *(key for key in ours if key.startswith("scale.")))  # they change no result
        differing = sorted(key for key in ours if key not in free and ours[key] != theirs.get(key))
        if differing:
            raise UserError(
                f"{self.path}: holds a run with other values of {', '.join(differing)}. Continue that run with its "
                f"recipe ({kept}), or choose another --out."
            )
        before = self.about().get("inputs", {})
        changed = sorted(
            name
            for name, value in inputs.items()
            if before.get(name, before.get(OLD_INPUTS.get(name, ""), value)) != value
        )
        if changed:
            raise UserError(
                f"{self.path}: {', '.join(changed)} changed since this run began. Stages on old and new inputs cannot "
                "be mixed. Choose another --out."
            )

    def about(self) -> dict[str, Any]:
        """Return the notes from the start of the run, such as its time, machine, versions and inputs."""
        notes: dict[str, Any] = read_json(self.path / "run.json")
        return notes

    def round_folder(self, number: int) -> Path:
        """Return the folder of a round's files: the run directory for the last round, else rounds/NUMBER in it.

        number: the round, from 1.
        """
        return self.path if number == self.recipe.training.rounds else self.path / "rounds" / str(number)

    def done(self, name: str) -> Result | None:
        """Return the marker of a finished stage, or None for a stage that is not finished."""
        marker = self.path / "stages" / f"{name}.json"
        result: Result | None = read_json(marker) if marker.exists() else None
        return result

    def stage(self, name: str, work: Callable[[], Result]) -> Result:
        """Run `work` unless the stage is done, and return the stage's figures.

        The marker is written after `work` has returned.
        """
        if (finished := self.done(name)) is not None:
            result: Result = finished["result"]
            return result
        begun = time.monotonic()
        result = work()
        marker = {"name": name, "seconds": round(time.monotonic() - begun, 3), "ended": _now(), "result": result}
        write_json(self.path / "stages" / f"{name}.json", marker)
        return result


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested dictionary as a dictionary of one level: {"a": {"b": 1}} becomes {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
