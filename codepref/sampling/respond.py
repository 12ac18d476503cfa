"""The function of `codepref respond`, in which a pool of models answers instructions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codepref.config.aliases import renamed_arguments
from codepref.config.pool import Member, check_pool, load_members
from codepref.errors import UserError
from codepref.preferences import check_preferences
from codepref.records import Instruction
from codepref.sampling.pool import PoolCounts, PoolSettings, ask_pool, check_local, collect_responses
from codepref.sampling.responses_file import write_responses
from codepref.servers.artifacts import calls_folder, check_complete, costs, progress_with_costs, summary_file
from codepref.servers.exchange import Log, check_endpoints
from codepref.storage.files import check_target, write_json
from codepref.storage.progress import ProgressLine


@renamed_arguments(say="log")
def respond(
    instructions: Sequence[Instruction],
    pool: str | Path | Sequence[Member],
    out: str | Path,
    *,
    settings: PoolSettings | None = None,
    budget: float | None = None,
    dtype: str = "auto",
    device: str = "auto",
    progress: ProgressLine | None = None,
    log: Log = lambda text: None,
) -> dict[str, Any]:
    """Let a pool of models answer instructions. A few models are drawn for each instruction.

    instructions: see `codepref.problems.instructions`. pool: a TOML file of `[[pool]]` tables, or Members. budget:
    limit in dollars over all runs with this `out`. dtype, device: for local models. log: called with messages for the
    user.
    Writes the responses to `out` as JSON lines (see `codepref.sampling.responses_file`). Writes a summary to a file
    beside it, with the ending .summary.json instead of the ending of `out`. The folder `out`.calls gets each answer
    when it arrives, and a call that was interrupted continues from there.
    Returns the summary. Raises UserError for wrong input, a wrong key, an unknown model or a missing server, if
    possible before the first paid call. Raises GateError if the budget allows no further call, and InfrastructureError
    if a server stops answering or if answers are missing after all attempts. Answers that servers refuse for good do
    not raise it if other answers arrived. If answers are missing after all attempts, `out` holds the other answers.
    Raises MachineError if a file cannot be written, or if memory or a package for a local model is missing.
    """
    members = load_members(Path(pool)) if isinstance(pool, str | Path) else list(pool)
    chosen, target = settings or PoolSettings(), Path(out)
    _check(instructions, members, target, chosen, budget)
    folder = calls_folder(target)
    ledger, missing, refused = ask_pool(
        lambda: instructions,
        members,
        folder,
        chosen,
        total=len(instructions),
        budget=budget,
        dtype=dtype,
        device=device,
        log=log,
        progress=progress_with_costs(progress),
    )
    counts = PoolCounts()
    write_responses(target, collect_responses(lambda: instructions, members, folder, chosen, counts))
    summary = {
        **asdict(counts),
        "missing": dict(sorted(missing.items())),
        "refused": dict(sorted(refused.items())),
        "settings": asdict(chosen),
        "pool": [asdict(member) for member in members],
        **costs(ledger),
    }
    write_json(summary_file(target), summary)
    check_complete(missing, target, refused=refused, answered=counts.responses, log=log)
    return summary


def _check(
    instructions: Sequence[Instruction],
    members: Sequence[Member],
    target: Path,
    settings: PoolSettings,
    budget: float | None,
) -> None:
    """Raise UserError for mistakes that can be found before the first call."""
    check_target(target)
    if mistakes := check_pool(members, "pool"):
        raise UserError(*mistakes)
    if not instructions:
        raise UserError("there is no instruction to respond to")
    if settings.principles:
        check_preferences(instructions)
    if remote := [member.endpoint() for member in members if member.base_url]:
        check_endpoints(remote, budget)
    check_local(members)
