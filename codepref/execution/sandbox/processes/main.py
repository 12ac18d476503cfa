"""The entry point of a worker. It preloads common modules, starts the supervisor and serves the engine."""

from __future__ import annotations

import gc
import os
import sys

from ..confinement import packages
from ..confinement.folders import Folders
from ..confinement.hardening import Hardening, open_standard_streams
from ..confinement.landlock import Landlock
from ..wire import frames
from ..wire.decoder import Decoder
from ..wire.encoder import Encoder, encoded
from . import nursery, ordinary
from .zygote import ZygoteLost

_COMMON = """
    abc bisect cmath collections.abc copy enum functools heapq itertools json math numbers operator random re
    statistics string textwrap typing unicodedata
"""
COMMON_MODULES = _COMMON.split()
"""Modules that many solutions import. They are loaded before the first fork, so that children need not load them."""


def warm_up() -> None:
    """Compile, encode and decode a small sample once, before the first fork.

    The first `compile` of a process builds the types of syntax trees. Children inherit these types.
    """
    source = "from typing import List\nclass A:\n    def f(self, x: List[int]) -> int:\n        return [y for y in x]\n"
    exec(compile(source, "<warm up>", "exec", dont_inherit=True), {"__name__": "warm up"})
    value = [1, -1.5, "text", None, True, (1,), {"a": {1}}, 1 << 70]
    Decoder(Encoder(lambda _: None, exact=False).encode(value)).value()


def main(arguments: list[str]) -> None:
    """Start the supervisor and serve the engine.

    Return when the engine closes its connection, when the supervisor cannot start, when a task cannot be prepared, when
    a zygote is lost, or when the system refuses something that the supervisor needs. The engine gets the cause, apart
    from the first case.
    arguments: the number of the descriptor that leads to the engine, the folders of packages, joined by os.pathsep,
        "confined" or "unconfined", the folder for the scratch folders, and the files and folders that may be read.
    """
    engine, folders, mode, scratch, *readable = arguments
    open_standard_streams()
    sys.path += folders.split(os.pathsep)
    packages.preload(COMMON_MODULES)
    warm_up()
    ordinary.prepare()
    gc.collect()
    gc.freeze()

    def report(*parts: object) -> None:
        frames.send(int(engine), encoded(parts))

    try:
        landlock = Landlock(readable) if mode == "confined" else None
        hardening, scratch_folders = Hardening(landlock), Folders(scratch)
        hardening.hide()
        solutions = nursery.spawn_solutions(hardening, scratch_folders)
        # The code that prepares and runs tests is only imported now (see `nursery`).
        from .supervisor import EngineGone, Supervisor

        gc.collect()
        gc.freeze()
        supervisor = Supervisor(int(engine), hardening, scratch_folders, solutions)
    except (OSError, ZygoteLost) as error:
        report("unable", getattr(error, "errno", None) or 0, str(error))
        return
    supervisor.hardening.name("supervisor")
    try:
        report("ready")
        while True:
            data, sources, known, keep = Decoder(frames.receive(supervisor.engine)).value()
            try:
                try:
                    supervisor.task(data, known, keep)
                except ZygoteLost as error:
                    report("unprepared", str(error))
                    return
                for position, source in sources:
                    result = supervisor.verdict(source)
                    if printed := supervisor.printed():
                        report("printed", position, printed)
                    report("verdict", position, *result)
            except (ZygoteLost, OSError) as error:
                report("failed", f"{type(error).__name__}: {error}")
                return
    except (frames.Closed, EngineGone):
        return
