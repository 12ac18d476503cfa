"""The engine of a model for which codepref runs a server. The server starts at the first answer that is missing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from codepref.config.pool import Member
from codepref.config.sections import EngineSection
from codepref.errors import CodeprefError
from codepref.models import fingerprint
from codepref.records import Message
from codepref.sampling.engines.base import Answer, Ask, Decoding, Engine, Preparable
from codepref.servers.launched import LaunchedServer, launched
from codepref.storage.files import content_hash

ANSWER_SECONDS = 3600.0
"""The longest time that one answer may take. A server on a CPU can be slow when it writes many answers at once."""


class Servers:
    """Runs at most one server at a time, since a model, or a training, may need the whole memory.

    It is a context manager, which stops the server at its end.
    section: the command of the server. folder: the folder for the servers' output. log: called with messages for the
    user. dtype: as in `model.dtype`.
    """

    def __init__(self, section: EngineSection, folder: Path, log: Callable[[str], None], dtype: str = "auto") -> None:
        self.section, self.dtype = section, dtype
        self._folder, self._log = folder, log
        self._stack = contextlib.ExitStack()
        self._running: tuple[str, LaunchedServer] | None = None

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def server(self, model: str, name: str) -> LaunchedServer:
        """Return a running server of the model. A server of another model is stopped first.

        name: the short name of the model. Raises what `launched` raises.
        """
        if self._running and self._running[0] == model:
            return self._running[1]
        self.stop()
        server = self._stack.enter_context(
            launched(self.section, model, name=name, folder=self._folder, log=self._log, dtype=self.dtype)
        )
        self._running = (model, server)
        return server

    def member(self, model: str, name: str, label: str) -> Member:
        """Return the model on its running server as a member of a pool with the name `label`; see `server`."""
        server = self.server(model, name)
        return Member(
            name=label,
            model=server.model,
            base_url=server.base_url,
            api_key_env="",
            concurrency=self.section.concurrency,
            timeout=ANSWER_SECONDS,
            send_seed="auto" if server.takes_seeds else "no",
            extra_body=json.dumps(server.extra) if server.extra else "",
        )

    def stop(self) -> None:
        """Stop the server, if one runs."""
        self._running = None
        self._stack.close()


class LaunchedEngine:
    """Answers through a server that `servers` starts for the model at the first answer that is missing.

    model: a folder, hub name or `starter`. name: a short name of the model.
    """

    def __init__(self, servers: Servers, model: str, name: str) -> None:
        self._servers, self._model, self._name = servers, model, name
        section = servers.section
        # the port and the place of the server do not change answers
        command = section.preset or section.command
        self.fingerprint = content_hash("server", fingerprint(model), command, section.options, servers.dtype)
        self._settings: dict[str, Any] = {}

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """Return the number of characters of the prompt."""
        return sum(len(message["content"]) for message in messages)

    def prepare(self, *, batch_size: int, folder: Path | None, on_tokens: Callable[[int], None]) -> None:
        """Take the settings of one call of the sampler; see `Preparable`."""
        self._settings = {"batch_size": batch_size, "folder": folder, "on_tokens": on_tokens}

    def answers(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> Iterator[tuple[int, Answer]]:
        """Yield (place, answer) as answers arrive; see `Engine`.

        Raises what `launched` and the server's engine raise.
        """
        server = self._servers.server(self._model, self._name)
        engine = self._open(server)
        if isinstance(engine, Preparable) and self._settings:
            engine.prepare(**self._settings)
        try:
            yield from engine.answers(asks, decoding, seed)
        except CodeprefError as error:
            server.explain(error)
            raise

    def _open(self, server: LaunchedServer) -> Engine:
        raise NotImplementedError
