"""The stages of the rows, and which of them are pending. Pure.

A stage is named `OWNER/STEP`. The owner is a row. A trained row has the steps `train` and `score`, and before them
`pairs` if it learns from pairs. The base model has the step `score`. The base model, and a row whose model writes the
solutions of another row, also have the steps `sample` and `execute`. The base model can also have `tests` (it writes
tests) and `own` (its solutions run against these tests).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from benchmarks.real_model.settings import BASE, Row
from codepref.pairing.rules import load_rule

STEPS = ("sample", "execute", "tests", "own", "pairs", "train", "score")


@dataclass(frozen=True, order=True)
class Stage:
    """A stage of one seed. name: OWNER/STEP."""

    seed: int
    name: str

    @property
    def owner(self) -> str:
        """The name of the row to whose folder the stage writes."""
        return self.name.partition("/")[0]

    @property
    def step(self) -> str:
        """The name of the step."""
        return self.name.partition("/")[2]


def uses_own_tests(row: Row) -> bool:
    """Return whether the row's pairs are chosen by tests that the model wrote."""
    return bool(row.pairing) and load_rule(str(row.pairing["rule"])).tests != "true"


def samplers(row: Row, rows: Mapping[str, Row]) -> list[str]:
    """Return the names of the stages that write the answers from which the row learns.

    A row that starts from another row learns from the answers of the base model and of the other row's model.
    """
    if row.data in ("", "gold"):
        return []
    stages = [*samplers(rows[row.start], rows), f"{row.start}/sample"] if row.start else [f"{BASE}/sample"]
    return [*stages, f"{BASE}/tests"] if uses_own_tests(row) else stages


def stages_of(row: Row, rows: Mapping[str, Row]) -> list[str]:
    """Return the names of all stages that the row needs, in an order in which they can be done.

    rows: all rows by name.
    """
    if not row.data:
        return [f"{row.name}/score"]
    names = []
    if row.start:
        names += [*stages_of(rows[row.start], rows)[:-1], f"{row.start}/sample", f"{row.start}/execute"]
    elif row.data != "gold":
        names += [f"{BASE}/sample", f"{BASE}/execute"]
    if uses_own_tests(row):
        names += [f"{BASE}/tests", f"{BASE}/own"]
    if row.pairing:
        names.append(f"{row.name}/pairs")
    return [*names, f"{row.name}/train", f"{row.name}/score"]


def plan(rows: Mapping[str, Row], names: Collection[str], seeds: Collection[int]) -> list[Stage]:
    """Return all stages of the named rows, without repeats, in the order in which they are done.

    rows: all rows by name. The seeds come one after the other, so the first seed soon gives a whole table. The rows
    keep their order. A row is done only with its own seeds: a row of one seed is done with seed 0.
    """
    stages: dict[Stage, None] = {}
    for seed in sorted(seeds):
        for row in rows.values():
            if row.name in names and seed < row.seeds:
                stages |= {Stage(seed, stage): None for stage in stages_of(row, rows)}
    return list(stages)


def pending(stages: Iterable[Stage], done: Collection[Stage]) -> list[Stage]:
    """Return the stages that are not in `done`, in their order."""
    return [stage for stage in stages if stage not in done]


def expected_seconds(stages: Iterable[Stage], seconds: Mapping[Stage, float]) -> tuple[float, int]:
    """Return the sum of the expected seconds of stages, and the number of stages whose seconds are unknown.

    A stage is expected to take as long as the finished stages of the same step took on average. Its seconds are unknown
    if no stage of this step is finished. seconds: the seconds of the finished stages.
    """
    total, unknown = 0.0, 0
    for stage in stages:
        alike = [value for one, value in seconds.items() if one.step == stage.step]
        total += sum(alike) / len(alike) if alike else 0.0
        unknown += not alike
    return total, unknown
