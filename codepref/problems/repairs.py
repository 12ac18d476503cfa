"""Published tests that do not test or cannot be run, and what codepref runs instead. docs/problems.md lists them.

A repair applies where its text stands in the test (or in the text of its inputs) word for word, so a later release that
mends it is left as it is.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repair:
    """`old` becomes `new` in the tests of `tasks` (all tasks when empty). `cause` says what was wrong."""

    name: str
    cause: str
    old: str
    new: str
    tasks: frozenset[str] = frozenset()


REPAIRS = (
    Repair(
        "root",
        "the polynomial is given the root as its coefficients, so every solution fails with a TypeError",
        "assert _poly(*candidate(*inp), inp) <= 0.0001",
        "assert abs(_poly(*inp, candidate(*inp))) <= 0.0001",
        frozenset({"HumanEval/32"}),
    ),
    Repair(
        "unused result",
        "the comparison is computed and never asserted, so every solution passes that does not raise",
        "        exact_match = exp == (out is not None)\n",
        "        exact_match = exp == (out is not None)\n    assert exact_match\n",
        frozenset({"Mbpp/737", "Mbpp/787", "Mbpp/794"}),
    ),
    Repair(
        "empty list",
        "an empty list counts as a list of floats, and numpy.allclose(1, []) is true: 1 passes for []",
        "    if isinstance(x, (list, tuple)):\n        return all(",
        "    if isinstance(x, (list, tuple)) and x:\n        return all(",
    ),
    Repair(
        "broadcast",
        "numpy.allclose broadcasts: 1.0 passes for [1.0, 1.0]",
        "        assert np.allclose(out, exp, rtol=1e-07, atol=atol)\n",
        "        assert type(out) == type(exp)\n"
        "        assert not isinstance(exp, (list, tuple)) or len(out) == len(exp)\n"
        "        assert np.allclose(out, exp, rtol=1e-07, atol=atol)\n",
    ),
    *(
        Repair(
            "too large",
            "the list asked for has between 6 and 128 million items in its tuples, up to 1 GB; the next largest 0.2",
            f"[{arguments}], ",
            "",
            frozenset({"Mbpp/255"}),
        )
        for arguments in (
            "['Dog', 'Cat', 'CatBird', 'Bird', 'Fish'], 77",
            "['Dog', 'Cat', 'Bird', 'Fish'], 77",
            "['Dog', 'Cat', 'Bird', 'Fish'], 76",
            "[2, True, 7, -44], 76",
            "[57.22322518606262, 96.2114299656439, 7.2887651994648195, 56.50649563542532], 77",
        )
    ),
)


def repair(task_id: str, source: str) -> tuple[str, list[str]]:
    """The test's source with every repair that applies, and the names of those that did."""
    applied = []
    for item in REPAIRS:
        if (not item.tasks or task_id in item.tasks) and item.old in source:
            source = source.replace(item.old, item.new)
            applied += [] if item.name in applied else [item.name]
    return source, applied
