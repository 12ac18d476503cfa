"""What each stage that calls servers has beside its artifact: a journal of calls, a summary file, progress with costs.

An artifact `responses.jsonl` has its journal in `responses.jsonl.calls/` and its summary in `responses.summary.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codepref.errors import InfrastructureError
from codepref.servers.ledger import Ledger, spending
from codepref.storage.progress import ProgressLine

LedgerProgress = Callable[[int, int, Ledger], None]
"""Called with the finished calls, all calls, and the ledger."""


def calls_folder(target: Path) -> Path:
    """The folder of the journal that holds the answers behind the artifact `target`."""
    return target.with_name(f"{target.name}.calls")


def summary_file(target: Path) -> Path:
    """The JSON file with the counts and costs of the artifact `target`."""
    return target.with_suffix(".summary.json")


def costs(ledger: Ledger) -> dict[str, Any]:
    """The part of a summary that says what the calls cost."""
    return {
        "dollars": round(ledger.dollars, 6),
        "dollars_at_most_more": round(ledger.at_most, 6),
        "ledger": ledger.as_dict(),
    }


def progress_with_costs(line: ProgressLine | None) -> LedgerProgress | None:
    """A function that shows progress and the spending so far in `line`, or None without a line."""
    if line is None:
        return None

    def report(done: int, total: int, ledger: Ledger) -> None:
        line.note = spending(ledger)
        line(done, total)

    return report


def check_complete(missing: Mapping[str, int], target: Path) -> None:
    """Raise InfrastructureError if answers are missing. missing: the number of missing answers by reason."""
    if missing:
        reasons = "; ".join(f"{reason}: {count:,}" for reason, count in sorted(missing.items()))
        raise InfrastructureError(
            f"{sum(missing.values()):,} answers are missing after all attempts ({reasons}); {target} holds the "
            "others. The same command asks for the missing answers again, and for no others"
        )
