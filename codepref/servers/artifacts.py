"""Names of journals and summaries, progress with costs, and the check for missing answers, for calls to servers.

A file `responses.jsonl` has its journal in `responses.jsonl.calls/` and its summary in `responses.summary.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codepref.errors import InfrastructureError
from codepref.servers.ledger import Ledger, spending
from codepref.storage.progress import ProgressLine

LedgerProgress = Callable[[int, int, Ledger], None]
"""A function of the number of finished requests, the number of all requests, and the ledger."""


def calls_folder(target: Path) -> Path:
    """Return the folder of the journal that holds the servers' answers for the artifact `target`."""
    return target.with_name(f"{target.name}.calls")


def summary_file(target: Path) -> Path:
    """Return the path of the JSON file with the counts and costs of the artifact `target`."""
    return target.with_suffix(".summary.json")


def costs(ledger: Ledger) -> dict[str, Any]:
    """Return the part of a summary that holds the costs of the calls."""
    return {
        "dollars": round(ledger.dollars, 6),
        "dollars_at_most_more": round(ledger.at_most, 6),
        "ledger": ledger.as_dict(),
    }


def progress_with_costs(line: ProgressLine | None) -> LedgerProgress | None:
    """Return a function that shows the progress and the costs so far in `line`. Without a line, return None."""
    if line is None:
        return None

    def report(done: int, total: int, ledger: Ledger) -> None:
        line.note = spending(ledger)
        line(done, total)

    return report


def check_complete(
    missing: Mapping[str, int],
    target: Path,
    *,
    refused: Mapping[str, int] | None = None,
    answered: int = 1,
    log: Callable[[str], None] = lambda text: None,
) -> None:
    """Raise InfrastructureError if answers are missing that another run of the command may get.

    Raise it also if servers refuse all missing answers for good and no answer arrived.

    missing: the number of missing answers by reason. refused: the part of `missing` that servers refuse for good, for
    example because a prompt breaks the server's rules or is too long. answered: the number of answers that arrived.
    If servers refuse all missing answers for good and other answers arrived, `log` gets one message.
    If no answer is missing, nothing happens.
    """
    final = dict(refused or {})
    open_ones = {reason: count - final.get(reason, 0) for reason, count in missing.items()}
    open_ones = {reason: count for reason, count in open_ones.items() if count > 0}
    if open_ones:
        raise InfrastructureError(
            f"{sum(missing.values()):,} answers are missing after all attempts ({_counted(missing)}). {target} holds "
            "the results of the other answers. Run the same command again: it asks only for the missing answers"
        )
    if final:
        message = f"{sum(final.values()):,} answers are missing, since servers refuse the requests ({_counted(final)})"
        if not answered:
            raise InfrastructureError(f"{message}. No usable answer has arrived")
        log(message)


def _counted(reasons: Mapping[str, int]) -> str:
    return "; ".join(f"{reason}: {count:,}" for reason, count in sorted(reasons.items()))
