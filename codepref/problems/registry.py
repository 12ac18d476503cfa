"""The known formats, told apart by their columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codepref.errors import UserError
from codepref.problems.fields import Row
from codepref.problems.formats import bigcodebench, evalplus, humaneval, mbpp, mbpp_plus_script, own
from codepref.records import Problem


@dataclass(frozen=True, slots=True)
class Format:
    """A form in which problems are published. `read(row, where)` makes one Problem; `where` is for error messages."""

    name: str
    columns: frozenset[str]
    read: Callable[[Row, str], Problem]


FORMATS = (
    Format("HumanEval+ and MBPP+ with inputs", evalplus.COLUMNS, evalplus.read),
    Format("HumanEval, HumanEval+ OriginFmt", humaneval.COLUMNS, humaneval.read),
    Format("MBPP+ OriginFmt", mbpp_plus_script.COLUMNS, mbpp_plus_script.read),
    Format("MBPP, full or sanitized", mbpp.COLUMNS, mbpp.read),
    Format("BigCodeBench", bigcodebench.COLUMNS, bigcodebench.read),
    Format("BigCodeBench, instruct form", bigcodebench.INSTRUCT_COLUMNS, bigcodebench.read_instruct),
    Format("codepref", own.COLUMNS, own.read),
)
"""The first format whose columns are all there is taken, so the ones with more columns come first."""


def detect_format(row: Row, where: str) -> Format:
    """The format of a file whose first row is `row`. Raises UserError that lists the known formats."""
    for known in FORMATS:
        if known.columns <= row.keys():
            return known
    listing = "; ".join(f"{known.name}: {', '.join(sorted(known.columns))}" for known in FORMATS)
    # of equally near ones codepref's own, which stands last
    near = min(reversed(FORMATS), key=lambda known: len(known.columns - row.keys()))
    lacking = ", ".join(sorted(near.columns - row.keys()))
    raise UserError(
        f"{where}: no known problem format has the columns {', '.join(sorted(map(str, row)))}. "
        f"The nearest is {near.name}, which also needs {lacking}. "
        f"Known formats and the columns that they need: {listing}. docs/problems.md describes codepref's own"
    )
