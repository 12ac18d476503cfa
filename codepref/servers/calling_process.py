"""The process that makes the calls. It reads requests from stdin and writes results to stdout.

It is a separate process so that no paid answer is lost when the parent process is killed. In that case, the stdin of
this process ends. The process waits for the running calls, writes their answers to the journal, and exits. The next run
continues from the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codepref.config.endpoint import Endpoint
from codepref.servers.caller import Caller, Notify
from codepref.servers.journal import Journal
from codepref.servers.pricing import Budget
from codepref.servers.records import Request

MAX_LINE_BYTES = 2**28
"""The largest size of one line on stdin. Each request is one line."""

SYNC_SECONDS = 1.0
"""The time between two flushes of the journal to the disk."""


async def serve(journal: Journal, setup: Mapping[str, Any], reader: asyncio.StreamReader, notify: Notify) -> None:
    """Lock the journal, report the lock, and make calls until stdin ends. Without the lock, make no call.

    setup: a dict with "endpoints", "budget" in dollars or None, "parent", the id of the parent process, and
    "only_listed", as in `Exchange`.
    """
    if not await _lock(journal, setup, notify):
        return
    notify({"locked": True})
    spent = json.loads(await reader.readline() or b'{"spent": 0}')["spent"]
    endpoints = [Endpoint(**fields) for fields in setup["endpoints"]]
    budget = Budget(setup["budget"], spent)
    caller = Caller(endpoints, journal, budget, notify, only_listed=setup.get("only_listed", False))
    syncing = asyncio.create_task(_sync(journal))
    while line := await reader.readline():
        caller.submit(Request(**json.loads(line)))
    await caller.close()
    syncing.cancel()


async def _lock(journal: Journal, setup: Mapping[str, Any], notify: Notify) -> bool:
    """Lock the journal, and return True.

    If another process holds the lock and the parent of the last calling process is alive, report this and return False.
    If another process holds the lock and no such parent is alive, wait for the lock.
    """
    holder = journal.path.with_suffix(".pid")
    if not journal.lock(wait=False):
        parent = holder.read_text() if holder.exists() else ""
        if parent.isdigit() and Path(f"/proc/{parent}").exists():
            user = f"another codepref process ({parent}) uses this folder"
            reason = f"{journal.path.parent}: {user}. Wait until it ends, or choose another --out"
            notify({"stop": "user", "reasons": [reason]})
            return False
        notify({"waiting": True})
        await asyncio.get_running_loop().run_in_executor(None, lambda: journal.lock(wait=True))
    holder.write_text(str(setup["parent"]))
    return True


async def _sync(journal: Journal) -> None:
    while True:
        await asyncio.sleep(SYNC_SECONDS)
        with contextlib.suppress(OSError):  # the next append reports a full disk
            await asyncio.get_running_loop().run_in_executor(None, journal.sync)


async def main() -> None:
    """Read the setup from the first line of stdin, and call `serve`."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    out, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(os.dup(1), "wb"))

    def notify(message: Mapping[str, Any]) -> None:
        if not out.is_closing():  # the parent may be dead
            out.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    setup = json.loads(await reader.readline() or b"{}")
    if not setup:
        return
    journal = Journal(Path(setup["journal"]))
    try:
        await serve(journal, setup, reader, notify)
    finally:
        journal.close()
        out.close()


if __name__ == "__main__":
    asyncio.run(main())
