"""The process that makes the calls: requests on stdin, results on stdout.

Because it is a separate process, no paid answer is lost. When the process that started it is killed, its stdin ends. It
then waits for the running calls, writes their answers to the journal, and exits. The next run continues from there.
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
"""Upper bound of the size of one request."""

SYNC_SECONDS = 1.0
"""How often the journal is flushed to the disk."""


async def serve(journal: Journal, setup: Mapping[str, Any], reader: asyncio.StreamReader, notify: Notify) -> None:
    """Lock the journal, report that, and make calls until stdin ends.

    setup: "endpoints", "budget", and "parent", the id of the process that started this one.
    """
    if not await _lock(journal, setup, notify):
        return
    notify({"locked": True})
    spent = json.loads(await reader.readline() or b'{"spent": 0}')["spent"]
    endpoints = [Endpoint(**fields) for fields in setup["endpoints"]]
    caller = Caller(endpoints, journal, Budget(setup["budget"], spent), notify)
    syncing = asyncio.create_task(_sync(journal))
    while line := await reader.readline():
        caller.submit(Request(**json.loads(line)))
    await caller.close()
    syncing.cancel()


async def _lock(journal: Journal, setup: Mapping[str, Any], notify: Notify) -> bool:
    """Lock the journal. Wait if another calling process still holds it after its parent was killed.

    Returns False, after reporting why, if the parent of the holder is alive.
    """
    holder = journal.path.with_suffix(".pid")
    if not journal.lock(wait=False):
        parent = holder.read_text() if holder.exists() else ""
        if parent.isdigit() and Path(f"/proc/{parent}").exists():
            user = f"another codepref process ({parent}) uses this folder"
            reason = f"{journal.path.parent}: {user}. Wait for it, or choose another --out"
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
    """Read the setup from the first line of stdin and serve."""
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
