"""A run directory: whose run it is, which stages are done, and one process at a time."""

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


class RunDirectory:
    """Stages leave a marker when they are whole; a stage with a marker is not run again.

    Layout: recipe.toml (resolved), stages/NAME.json (seconds and the stage's figures), and what the stages write.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self.path, self.recipe = path, recipe
        self._lock: Any = None

    def __enter__(self) -> RunDirectory:
        """Create or reopen the directory, for this process alone.

        Raises UserError when another process is at work in it or it is a file, MachineError when it cannot be written.
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
                f"{self.path}: another codepref is at work in it; wait for it or choose another --out"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def claim(self, inputs: dict[str, str], about: Callable[[], dict[str, Any]]) -> None:
        """Make this the run's directory, or see that it is.

        inputs: hashes of what the recipe names (problems, model). about: what else to note, asked at the start.
        Raises UserError when the directory holds a run of another recipe, or of files that have changed since.
        """
        kept = self.path / "recipe.toml"
        if not kept.exists():
            noted = {"recipe": self.recipe.name, "started": _now(), "inputs": inputs} | about()
            write_json(self.path / "run.json", noted)
            write_text(kept, f"# {self.recipe.name}, resolved: every key with its value\n" + self.recipe.to_toml())
            return
        ours, theirs = _flat(self.recipe.as_dict()), _flat(load_recipe(kept).as_dict())
        differing = sorted(key for key in ours if key != "name" and ours[key] != theirs.get(key))
        if differing:
            raise UserError(
                f"{self.path}: holds a run with another {', '.join(differing)}. Go on with its own recipe "
                f"({kept}), or choose another --out."
            )
        before = self.about().get("inputs", {})
        changed = sorted(name for name, value in inputs.items() if before.get(name, value) != value)
        if changed:
            raise UserError(
                f"{self.path}: {', '.join(changed)} changed since this run began, so its parts would not fit "
                "together. Choose another --out."
            )

    def about(self) -> dict[str, Any]:
        """What was noted when the run began: name, time, machine, versions, inputs."""
        noted: dict[str, Any] = read_json(self.path / "run.json")
        return noted

    def done(self, name: str) -> Result | None:
        """The marker of a finished stage, or None."""
        marker = self.path / "stages" / f"{name}.json"
        result: Result | None = read_json(marker) if marker.exists() else None
        return result

    def stage(self, name: str, work: Callable[[], Result]) -> Result:
        """Run `work` unless the stage is done, and keep its figures. The marker is written last."""
        if (finished := self.done(name)) is not None:
            result: Result = finished["result"]
            return result
        begun = time.monotonic()
        result = work()
        marker = {"name": name, "seconds": round(time.monotonic() - begun, 3), "ended": _now(), "result": result}
        write_json(self.path / "stages" / f"{name}.json", marker)
        return result


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
