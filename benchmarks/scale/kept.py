"""Keeps the figures of each finished run in the results file, so that a command that was stopped continues."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common.results import add_part, describe_run, read_parts
from codepref.scale.versions import code_digest


class KeptRuns:
    """The runs of one part of a results file, by name. Each run is written as soon as it has ended.

    If the file holds a part of this name with the same settings and the same code of codepref, its runs are taken over.
    path: the results file. name: the name of the part. command: the command line to record. settings: what the runs
    depend on.
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
        """The results of the runs so far, by their names."""
        runs: dict[str, Any] = self._part["runs"]
        return runs

    def run(self, key: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the result of the run `key`. If there is none, call `work` and write its result, with its time."""
        if key not in self.runs:
            load = load_average()
            begun = time.monotonic()
            result = work()
            self.runs[key] = result | {"load_before": load, "wall_seconds": round(time.monotonic() - begun, 1)}
            self.write()
        result = self.runs[key]
        return result

    def write(self, **summary: Any) -> dict[str, Any]:
        """Write the part, in whose summary these entries are added or replaced. Return the summary."""
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
