"""Figures of a command that was stopped are kept, so that the same command continues from them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common.results import add_part, describe_run, read_parts
from codepref.scale.versions import code_digest


class KeptRuns:
    """The runs of one part of a results file, by name. Each is written as soon as it has ended.

    Runs of the file are taken over if they have the same settings and come from the same code of codepref.
    path: the results file. name: the part. command: as the results name it. settings: what the runs depend on.
    """

    def __init__(self, path: Path, name: str, command: str, settings: dict[str, Any]) -> None:
        self._path, self._name = path, name
        settings = settings | {"code": code_digest()}
        before = read_parts(path).get(name, {})
        self._part = before if before.get("settings") == settings else {}
        self._part |= describe_run(command) | {"settings": settings}
        self._part.setdefault("runs", {})

    @property
    def runs(self) -> dict[str, Any]:
        """The runs so far."""
        runs: dict[str, Any] = self._part["runs"]
        return runs

    def run(self, key: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the run with this name. Do it and keep it if there is none."""
        if key not in self.runs:
            load = load_average()
            begun = time.monotonic()
            result = work()
            self.runs[key] = result | {"load_before": load, "wall_seconds": round(time.monotonic() - begun, 1)}
            self.write()
        result = self.runs[key]
        return result

    def write(self, **summary: Any) -> dict[str, Any]:
        """Write the part, with these entries of its summary. Return the summary."""
        self._part["summary"] = self._part.get("summary", {}) | summary
        add_part(self._path, self._name, self._part)
        kept: dict[str, Any] = self._part["summary"]
        return kept


def load_average() -> float:
    """Return the load average of the last minute."""
    return float(Path("/proc/loadavg").read_text().split()[0])


def rounded(value: float) -> float:
    """Return a number rounded to three significant digits."""
    return float(f"{value:.3g}")
