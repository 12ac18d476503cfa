"""Repairs published tests that accept wrong solutions, refuse right ones or need too much memory.

docs/reference/problems.md lists the repairs. A repair applies to a test (or to the text of its inputs) that contains
`old` exactly. A later release of a test that does not contain `old` is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repair:
    """A replacement of `old` by `new` in the tests of `tasks`. If `tasks` is empty, it applies to all tasks.

    Attributes: `cause` says what is wrong with the published test.
    """

    name: str
    cause: str
    old: str
    new: str
    tasks: frozenset[str] = frozenset()


REPAIRS = (
    Repair(
        "root",
        "the test passes the root to the polynomial as its coefficients, so a right solution fails with a TypeError",
        "assert _poly(*candidate(*inp), inp) <= 0.0001",
        "assert abs(_poly(*inp, candidate(*inp))) <= 0.0001",
        frozenset({"HumanEval/32"}),
    ),
    Repair(
        "unused result",
        "the test computes the comparison and never asserts it, so wrong solutions pass",
        "        exact_match = exp == (out is not None)\n",
        "        exact_match = exp == (out is not None)\n    assert exact_match\n",
        frozenset({"Mbpp/737", "Mbpp/787", "Mbpp/794"}),
    ),
    Repair(
        "empty list",
        "the test takes an empty list for a list of floats, and numpy.allclose(1, []) is true: 1 passes for []",
        "    if isinstance(x, (list, tuple)):\n        return all(",
        "    if isinstance(x, (list, tuple)) and x:\n        return all(",
    ),
    Repair(
        "broadcast",
        "numpy.allclose broadcasts: 1.0 passes for [1.0, 1.0]",
        "        assert np.allclose(out, exp, rtol=1e-07, atol=atol)\n",
        "        if type(out) == int and type(exp) == float:\n"
        "            gap = abs(out - exp)\n"
        "            assert gap <= 1e-12 * max(1, abs(exp)) and (gap < 0.5 or abs(exp) >= 2**53)\n"
        "        else:\n"
        "            assert type(out) == type(exp)\n"
        "            assert not isinstance(exp, (list, tuple)) or len(out) == len(exp)\n"
        "            assert np.allclose(out, exp, rtol=1e-07, atol=atol)\n",
    ),
    *(
        Repair(
            "too large",
            "the tuples of the expected list have 6 to 128 million items in all, up to 1 GB",
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
    """Return `source` after all repairs that apply to it, and the names of these repairs.

    source: the source of a test, or the text of its inputs.
    """
    applied = []
    for item in REPAIRS:
        if (not item.tasks or task_id in item.tasks) and item.old in source:
            source = source.replace(item.old, item.new)
            applied += [] if item.name in applied else [item.name]
    return source, applied
