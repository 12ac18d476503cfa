"""Starts a server for a model, for one call of a function of the API."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from codepref.errors import UserError

if TYPE_CHECKING:
    from codepref.config.engine import EngineSection
    from codepref.config.served import ModelServer
    from codepref.sampling.engines import Engine


@contextlib.contextmanager
def on_launched(
    model: str | Engine,
    engine: EngineSection | None,
    *,
    calls: ModelServer | None,
    folder: Path | None,
    log: Callable[[str], None],
    dtype: str,
) -> Iterator[str | Engine]:
    """Yield an engine that starts the server of `engine` for `model`. Stop the server after the block.

    Without `engine`, or if it names no server, yield `model`. calls: settings of the calls. folder: the folder for the
    output of the server; None stands for a temporary folder. Raises UserError if `engine` names a server and `model` is
    an Engine, such as the one that `on_server` makes from an address. Raises the errors of `LaunchedEngine`.
    """
    if engine is None or not engine.launches:
        yield model
        return
    if not isinstance(model, str):
        raise UserError(
            "a server that codepref starts (--engine) needs the name of a model: give neither an Engine nor base_url "
            "(--base-url) with it"
        )
    from codepref.sampling.engines.launched import LaunchedEngine, Servers

    with contextlib.ExitStack() as stack:
        place = folder or Path(stack.enter_context(TemporaryDirectory(prefix="codepref-")))
        servers = stack.enter_context(Servers(engine, place, calls=calls, log=log, dtype=dtype))
        yield LaunchedEngine(servers, model, "model")
