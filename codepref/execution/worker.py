"""One worker as the engine sees it: a process behind a socket."""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

from codepref.errors import InfrastructureError, MachineError
from codepref.execution.sandbox.wire import frames
from codepref.execution.sandbox.wire.encoder import encoded
from codepref.execution.sandbox.wire.decoder import Decoder
from codepref.execution.sandbox.wire.plain_data import Malformed
from codepref.execution.plotting import plotting_folder

START_SECONDS = 60.0
_FOLDER = Path(__file__).resolve().parent
_LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv[3]); sys.path += {paths!r}; "
    "from sandbox.confinement.launcher import main; main(sys.argv[1:])"
)
_MEND_REFUSED = (
    "A container's seccomp profile or a policy may forbid landlock_add_rule, landlock_restrict_self, seccomp or prctl: "
    "allow them (docker run --security-opt seccomp=PROFILE.json), or run outside; --unconfined goes without Landlock, "
    "at your own risk"
)


MOST_HEARD = 1 << 20
"""Bytes that are read at once."""

MOST_TOLD = 1 << 29
"""Bytes of a worker's message at most: the expected outputs of a test are the largest."""


class WorkerLost(InfrastructureError):
    """A worker ended or answered nonsense."""


@functools.cache
def check_machine() -> None:
    """Raise MachineError where this machine cannot confine untrusted code."""
    if not sys.platform.startswith("linux"):
        raise MachineError("execution needs Linux: untrusted programs are confined by Landlock and seccomp")
    try:
        import sandlock
    except ImportError as error:
        raise MachineError(
            f"the package sandlock is missing or broken ({error}): pip install 'sandlock>=0.9'"
        ) from None
    if sandlock.landlock_abi_version() < 1:
        raise MachineError(
            "this kernel offers no Landlock, so untrusted programs cannot be confined. Use Linux 5.13 or newer with "
            "'landlock' in the list of security modules (kernel parameter lsm=landlock,...), or a container runtime "
            "whose seccomp profile allows landlock_create_ruleset; --unconfined runs without, at your own risk"
        )


def _sandlock_folder() -> list[str]:
    """Where sandlock is. The launcher must be told, since it does not read PYTHONPATH, which may have named it."""
    spec = importlib.util.find_spec("sandlock")
    return [str(Path(spec.origin).parent.parent)] if spec is not None and spec.origin else []


def package_paths() -> list[str]:
    """The folders of installed packages, which solutions may import from."""
    paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    paths += [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    return _folders(paths)


def interpreter_paths() -> list[str]:
    """What the interpreter itself needs to read."""
    base = Path(sys.base_prefix)
    paths = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), str(base / "lib")]
    libraries = sysconfig.get_config_var("LIBDIR")
    return _folders([*paths, libraries or ""])


def _cannot_start(error: OSError) -> str:
    mends = {
        errno.EAGAIN: "processes or threads are used up: raise the limit (ulimit -u; a container's pids), or end some",
        errno.ENOMEM: "memory is used up: end something, or ask for fewer --jobs",
        errno.EMFILE: "open files are used up: raise the limit (ulimit -n), or ask for fewer --jobs",
        errno.ENFILE: "open files of the whole machine are used up: end something",
    }
    mend = mends.get(error.errno or 0, "`codepref doctor` looks for the cause")
    return f"a worker process cannot be started ({error.strerror or error}); {mend}"


def _folders(paths: list[str]) -> list[str]:
    # isdir of os.path: a folder of another user's is no folder here, where Path.is_dir raises PermissionError
    return [path for path in dict.fromkeys(paths) if path not in ("", "/") and os.path.isdir(path)]  # noqa: PTH112


class Worker:
    """A confined supervisor process. job: what it works at; last: the task it was last at; prepared: its data.

    It may be sent tasks after `wait_ready`. Raises MachineError where no process can be started.
    """

    def __init__(self, *, unconfined: bool) -> None:
        self.job: Any = None
        self.last: Any = None
        self.prepared = b""
        self._heard = bytearray()
        self.last_word = time.monotonic()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise MachineError(_cannot_start(error)) from None
        self._socket = ours
        interpreter = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        packages = package_paths()
        launch = _LAUNCH.format(paths=_sandlock_folder())
        command = [sys.executable, "-I", "-B", "-c", launch, interpreter, "unconfined" if unconfined else "confined"]
        command += [str(_FOLDER), str(theirs.fileno()), os.pathsep.join(packages)]
        command += ["" if unconfined else str(plotting_folder() or "")]
        command += interpreter_paths()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise MachineError(_cannot_start(error)) from None
        finally:
            theirs.close()

    def wait_ready(self) -> None:
        """Wait until it has started. Raises MachineError where it cannot, WorkerLost when it was killed meanwhile."""
        self._socket.settimeout(START_SECONDS)
        message: tuple[Any, ...] = ()
        with contextlib.suppress(frames.Closed, OSError, Malformed):
            message = Decoder(self._receive_blocking()).value()
        self._socket.settimeout(None)
        if message != ("ready",):
            self.kill()
            if message[:1] == ("unable",):
                raise MachineError(_cannot_start(OSError(*message[1:3])))
            assert self._process.stderr is not None
            said = self._process.stderr.read().decode("utf-8", "replace").strip().splitlines()
            if self._process.returncode == -signal.SIGKILL and not said:
                raise WorkerLost("the worker was killed while it started, perhaps for want of memory")
            cause = said[-1] if said else f"it ended at once, with status {self._process.returncode}"
            raise MachineError(f"a confined worker cannot be started on this machine: {cause}. {_MEND_REFUSED}")
        self.last_word = time.monotonic()

    def _receive_blocking(self) -> bytes:
        parts = b""
        while len(parts) < 4 or len(parts) < 4 + frames.LENGTH.unpack(parts[:4])[0]:
            part = self._socket.recv(1 << 16)
            if not part:
                raise frames.Closed
            parts += part
        return parts[4:]

    def fileno(self) -> int:
        """For a selector: readable when the worker has said something."""
        return self._socket.fileno()

    def send(self, data: bytes, sources: list[tuple[int, str]], known: dict[int, bytes], keep: bool) -> None:
        """Hand over solutions of a task. Raises WorkerLost.

        known: by test, expected outputs from another run. keep: whether it shall tell those that it makes.
        """
        self.prepared = data
        try:
            frames.send(self.fileno(), encoded((data, sources, known, keep)))
        except (frames.Closed, OSError) as error:
            raise WorkerLost(f"the worker ended ({error})") from None
        self.last_word = time.monotonic()

    def receive(self) -> list[tuple[Any, ...]]:
        """The messages that are whole by now, none perhaps. Waits when nothing has been said. Raises WorkerLost."""
        messages: list[tuple[Any, ...]] = []
        try:
            part = self._socket.recv(MOST_HEARD)
            if not part:
                raise frames.Closed
            self._heard += part
            at = 0
            while len(self._heard) >= at + 4:
                (length,) = frames.LENGTH.unpack_from(self._heard, at)
                if length > MOST_TOLD:
                    raise frames.TooLarge(f"a frame of {length} bytes")
                if len(self._heard) < at + 4 + length:
                    break
                messages.append(Decoder(bytes(self._heard[at + 4 : at + 4 + length])).value())
                at += 4 + length
            del self._heard[:at]
        except (frames.Closed, frames.TooLarge, Malformed, OSError) as error:
            code = self._process.poll()
            raise WorkerLost(f"the worker ended with status {code} ({type(error).__name__} {error})".strip()) from None
        self.last_word = time.monotonic()
        return messages

    def kill(self) -> None:
        """End the worker; its children die with it (each asked the kernel for that)."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """`kill`, and let go of what is left."""
        self.kill()
        if self._process.stderr is not None:
            self._process.stderr.close()
