"""Starts a server under a supervisor, waits until it is ready, and stops it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codepref.config.engine import EngineSection
from codepref.errors import InfrastructureError, MachineError, UserError
from codepref.servers import supervisor
from codepref.servers.leftovers import MARK, kill_marked, write_record
from codepref.servers.ready import ANSWER_SECONDS, last_words, listed_models, output_lines

POLL_SECONDS = 0.25
MESSAGE_SECONDS = 10.0
"""Time between two messages about a server that is not ready."""

END_SECONDS = 2.0
STOP_SECONDS = supervisor.REST_SECONDS + supervisor.KILL_SECONDS + 5.0
"""The longest time that the supervisor takes to end a server, beyond `engine.stop_seconds`."""

Log = Callable[[str], None]


def record_file(folder: Path, name: str) -> Path:
    """Return the file that describes a running server, for the next run after a kill."""
    return folder / f"{name}.server.json"


class ServerProcess:
    """A context manager that runs a server under a supervisor, and stops the server at its end.

    command, environment: the command and the environment variables of the server. folder: the folder for the server's
    output, NAME.log. name: the short name of the model. section: the settings of the server. log: called with messages
    for the user.
    """

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        folder: Path,
        name: str,
        section: EngineSection,
        log: Log,
    ) -> None:
        self._section, self._name, self._log = section, name, log
        self._output, self._record = folder / f"{name}.log", record_file(folder, name)
        self._mark = uuid.uuid4().hex
        self._received = b""
        self._ended: int | None = None
        self._command, self._environment = command, environment | {MARK: self._mark}

    def __enter__(self) -> ServerProcess:
        """Start the server. Raises MachineError if its output cannot be written."""
        try:
            with self._output.open("a") as output:
                output.write(f"codepref starts: {' '.join(self._command)}\n")
            self._start = self._output.stat().st_size
        except OSError as error:
            raise MachineError(f"cannot write {self._output}: {error.strerror}") from None
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,
        )
        try:
            self._send_setup()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _send_setup(self) -> None:
        assert self._supervisor.stdin
        assert self._supervisor.stdout
        longest = self._section.stop_seconds + STOP_SECONDS
        write_record(self._record, self._supervisor.pid, self._mark, longest)
        setup = {
            "command": self._command,
            "log": str(self._output),
            "grace": self._section.stop_seconds,
            "parent": os.getpid(),
        }
        with contextlib.suppress(BrokenPipeError):  # `check` reports a supervisor that has ended
            self._supervisor.stdin.write(json.dumps(setup).encode() + b"\n")
            self._supervisor.stdin.flush()
        os.set_blocking(self._supervisor.stdout.fileno(), False)

    def wait_until_ready(self, port: int, *, only_health: bool = False) -> list[Mapping[str, Any]]:
        """Return the server's list of models when the server is ready.

        Until then, log the last line of its output every MESSAGE_SECONDS.
        only_health: as in `listed_models`. Raises InfrastructureError if the server ends or takes too long, and
        UserError if it cannot be started or asks for a key.
        """
        begun = shown = time.monotonic()
        self._log(f"starting the server of {self._name}: {' '.join(self._command)}")
        while True:
            self.check("before it was ready")
            left = begun + self._section.wait_seconds - time.monotonic()
            seconds = max(POLL_SECONDS, min(ANSWER_SECONDS, left))
            if (rows := listed_models(port, seconds, only_health=only_health)) is not None:
                self.check("before it was ready")  # another program could have taken the port
                self._log(f"the server of {self._name} is ready after {time.monotonic() - begun:.0f} s")
                return rows
            now = time.monotonic()
            if now - begun > self._section.wait_seconds:
                raise InfrastructureError(
                    f"the server of {self._name} was not ready within {self._section.wait_seconds:g} s "
                    f"(engine.wait_seconds). {self._words()}"
                )
            if now - shown >= MESSAGE_SECONDS:
                shown = now
                line = (output_lines(self._output, self._start) or ["no output"])[-1]
                self._log(f"waiting for the server of {self._name}, {now - begun:.0f} s: {line[:120]}")
            time.sleep(POLL_SECONDS)

    def has_ended(self) -> bool:
        """Return whether the server or its supervisor has ended, could not be started, or was stopped."""
        assert self._supervisor.stdout
        if self._supervisor.stdout.closed:
            return True
        self._received += self._supervisor.stdout.read() or b""
        return self._supervisor.poll() is not None or b'"ended"' in self._received or b'"failed"' in self._received

    def check(self, when: str, cause: BaseException | None = None) -> None:
        """Raise InfrastructureError with the end of the server's output if the server has ended.

        when: words for the message that say when the server has ended. cause: the exception that becomes the cause.
        Raises UserError if the server could not be started.
        """
        if not self.has_ended():
            return
        for line in self._received.splitlines():
            message = json.loads(line)
            if "failed" in message:
                raise UserError(f"the server of {self._name} cannot be started: {message['failed']}")
            if "ended" in message:
                state = _state(message["ended"])
                raise InfrastructureError(f"the server of {self._name} {state} {when}. {self._words()}") from cause
        raise InfrastructureError(
            f"the server of {self._name} was killed together with its supervisor {when}. {self._words()}"
        ) from cause

    def check_end(self, when: str, cause: BaseException) -> None:
        """Call `check` again and again for END_SECONDS, since the end of a server can be noticed after its calls fail.

        Raises what `check` raises. when, cause: as for `check`.
        """
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            self.check(when, cause)
            time.sleep(POLL_SECONDS)

    def _words(self) -> str:
        return f"Its last words: {last_words(self._output, self._start)}. Its whole output is in {self._output}"

    def stop(self) -> None:
        """Stop the server and its descendants, and wait until they have ended. The waits have limits."""
        for stream in (self._supervisor.stdin, self._supervisor.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._wait(self._section.stop_seconds + STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        finally:
            kill_marked(self._mark)
        self._record.unlink(missing_ok=True)

    def _wait(self, seconds: float) -> None:
        """Wait until the supervisor has ended. Log a message if this takes longer than END_SECONDS."""
        try:
            self._supervisor.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._log(f"stopping the server of {self._name}")
            self._supervisor.wait(seconds)


def _state(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
