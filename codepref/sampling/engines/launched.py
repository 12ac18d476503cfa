"""The engine of a model for which codepref runs a server. The server starts at the first answer that is missing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from codepref.config.endpoint import Endpoint
from codepref.config.engine import EngineSection
from codepref.config.fields import shared_values
from codepref.config.pool import Member
from codepref.config.served import ModelServer
from codepref.errors import CodeprefError
from codepref.models import fingerprint
from codepref.records import Message
from codepref.sampling.engines.base import Answer, Ask, Decoding
from codepref.sampling.engines.server import ServerEngine
from codepref.servers.launched import LaunchedServer, launched
from codepref.servers.presets import PRESETS, concurrency_of, takes_seeds
from codepref.storage.files import content_hash

WATCH_SECONDS = 0.5
NOWHERE = "http://127.0.0.1/v1"
"""A placeholder for the address of a server that has not been started."""


class Servers:
    """Runs at most one server at a time, since a model, or a training, may need the whole memory.

    It is a context manager, which stops the server at its end.
    section: the server's preset or command, with its settings. calls: the settings of the calls; its addresses, its key
    and its budget have no effect. folder: the folder for the servers' output. log: called with messages for the user.
    dtype: as in `model.dtype`.
    """

    def __init__(
        self,
        section: EngineSection,
        folder: Path,
        *,
        calls: ModelServer | None = None,
        log: Callable[[str], None] = lambda text: None,
        dtype: str = "auto",
    ) -> None:
        self.section, self.calls, self.log, self.dtype = section, calls or ModelServer(), log, dtype
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self._running: tuple[str, LaunchedServer] | None = None

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def server(self, model: str, name: str) -> LaunchedServer:
        """Return the server of the model. Start it, unless it runs already.

        A server of another model is stopped first. name: the short name of the model. Raises what `launched` raises.
        """
        if self._running and self._running[0] == model:
            return self._running[1]
        self.stop()
        server = self._stack.enter_context(
            launched(
                self.section,
                model,
                name=name,
                folder=self._folder,
                log=self.log,
                dtype=self.dtype,
                served_name=self.calls.served_name,
            )
        )
        self._running = (model, server)
        return server

    def settings(self) -> ModelServer:
        """Return the settings of calls to a server. Its address is NOWHERE.

        The server's preset gives settings that the user left open. It can also set the number of answers per call, and
        forbid seeds, whatever the user has set.
        """
        calls = replace(self.calls, base_url=(NOWHERE,), served_name="", api_key_env="", budget=-1.0)
        preset = PRESETS.get(self.section.preset)
        if preset is None:
            return calls
        return replace(
            calls,
            concurrency=calls.concurrency or concurrency_of(preset),
            answers_per_call=preset.answers_per_call or calls.answers_per_call,
            send_seed=calls.send_seed if takes_seeds(preset) else "no",
            extra_body=calls.extra_body or preset.extra,
        )

    def member(self, model: str, name: str, label: str) -> Member:
        """Return a member of a pool, named `label`, that asks the running server of the model; see `server`."""
        server = self.server(model, name)
        calls = replace(self.settings(), base_url=(server.base_url,))
        return Member(**shared_values(calls.endpoint(server.model), Endpoint) | {"name": label})

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn a CodeprefError in the block into one with the server's last words, if the server has ended."""
        try:
            yield
        except CodeprefError as error:
            if self._running:
                self._running[1].explain(error)
            raise

    def stop(self) -> None:
        """Stop the server, if one runs."""
        self._running = None
        self._stack.close()


@contextlib.contextmanager
def _watched(server: LaunchedServer, engine: ServerEngine) -> Iterator[None]:
    """Interrupt the engine when the server ends. It would otherwise repeat its calls for minutes."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH_SECONDS):
            if server.has_ended():
                engine.interrupt()
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class LaunchedEngine:
    """Answers through a server that `servers` starts for the model at the first answer that is missing.

    model: a folder, hub name or `starter`. name: a short name of the model. Raises UserError for a folder that holds no
    model or no weights, and for mistakes in the settings of the calls.
    """

    def __init__(self, servers: Servers, model: str, name: str) -> None:
        self._servers, self._model, self._name = servers, model, name
        section = servers.section
        # the port and the place of the server do not change answers
        command = section.preset or section.command
        self._weights = content_hash("launched", fingerprint(model), command, section.options, servers.dtype)
        self._engine = self._on(NOWHERE, name)
        self._settings: dict[str, Any] = {}

    @property
    def fingerprint(self) -> str:
        """A hash of the model's files, the server's command and the settings of the calls that change answers."""
        return self._engine.fingerprint

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """Return the number of characters of the prompt."""
        return self._engine.prompt_length(messages)

    def prepare(self, *, batch_size: int, folder: Path | None, on_tokens: Callable[[int], None]) -> None:
        """Take the settings of one call of the sampler; see `Preparable`."""
        self._settings = {"batch_size": batch_size, "folder": folder, "on_tokens": on_tokens}
        self._engine.prepare(**self._settings)  # for `summary`, if all answers are in the journal already

    def take_decoding(self, decoding: Decoding) -> None:
        """Note whether the answers are greedy, for `summary`."""
        self._engine.take_decoding(decoding)

    def answers(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> Iterator[tuple[int, Answer]]:
        """Yield (place, answer) as answers arrive; see `Engine`.

        Raises what `launched` and `ServerEngine.answers` raise.
        """
        server = self._servers.server(self._model, self._name)
        self._engine = self._on(server.base_url, server.model)
        if self._settings:
            self._engine.prepare(**self._settings)
        with self._servers.explained(), _watched(server, self._engine):
            yield from self._engine.answers(asks, decoding, seed)

    def summary(self) -> dict[str, Any]:
        """Return the facts about the answers of the last call; see `ServerEngine.summary`.

        The name of the server's preset, or its command, stands in place of its address, since another start can change
        the address.
        """
        section = self._servers.section
        return self._engine.summary() | {"servers": [section.preset or section.command]}

    def _on(self, address: str, model: str) -> ServerEngine:
        settings = replace(self._servers.settings(), base_url=(address,))
        log = self._servers.log
        return ServerEngine(model, settings, fingerprint=self._weights, log=log, only_listed=False)
