"""A worker as the engine sees it: a process at the other end of a socket."""

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
from codepref.execution.plotting import plotting_folder
from codepref.execution.sandbox.confinement import seccomp
from codepref.execution.sandbox.wire import frames
from codepref.execution.sandbox.wire.decoder import Decoder
from codepref.execution.sandbox.wire.encoder import encoded
from codepref.execution.sandbox.wire.plain_data import Malformed
from codepref.execution.scratch import Scratch

START_SECONDS = 60.0
"""Seconds in which a worker must report that it is ready."""

_FOLDER = Path(__file__).resolve().parent
_LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv[3]); sys.path += {paths!r}; "
    "from sandbox.confinement.launcher import main; main(sys.argv[1:])"
)
_MEND_REFUSED = (
    "A container's seccomp profile or a policy may forbid landlock_add_rule, landlock_restrict_self, seccomp or prctl. "
    "Allow these calls (docker run --security-opt seccomp=PROFILE.json), or run outside the container. --unconfined "
    "runs without Landlock, at your own risk"
)

READ_BYTES = 1 << 20
"""The number of bytes that one read asks for."""

MAX_MESSAGE_BYTES = 1 << 29
"""The largest message of a worker, in bytes. The largest messages hold the expected outputs of a test."""


class WorkerLost(InfrastructureError):
    """A worker has ended, was not ready in time, sent a wrong message, or cannot be sent a message."""


@functools.cache
def check_machine() -> None:
    """Raise MachineError where Linux, a known architecture, the package sandlock or Landlock is missing."""
    if not sys.platform.startswith("linux"):
        raise MachineError(
            "execution needs Linux, since Landlock and seccomp confine untrusted programs. Run codepref on Linux"
        )
    if not seccomp.supported():
        raise MachineError(
            "the system-call filter needs x86-64 or aarch64, so untrusted programs cannot be confined here. Run "
            "codepref on such a machine. --unconfined runs without it, at your own risk"
        )
    try:
        import sandlock
    except ImportError as error:
        raise MachineError(
            f"the package sandlock is missing or broken ({error}). Install it with pip install 'sandlock>=0.9'"
        ) from None
    if sandlock.landlock_abi_version() < 1:
        raise MachineError(
            "this kernel offers no Landlock, so untrusted programs cannot be confined. Use Linux 5.13 or newer with "
            "'landlock' in the list of security modules (kernel parameter lsm=landlock,...), or a container runtime "
            "whose seccomp profile allows landlock_create_ruleset. --unconfined runs without it, at your own risk"
        )


def _sandlock_folder() -> list[str]:
    """Return a list with the folder that holds sandlock, or an empty list if sandlock is not found.

    The launcher ignores PYTHONPATH, which may name this folder. So the launcher's program text names the folder.
    """
    spec = importlib.util.find_spec("sandlock")
    return [str(Path(spec.origin).parent.parent)] if spec is not None and spec.origin else []


def package_paths() -> list[str]:
    """Return the folders of installed packages, from which solutions may import."""
    paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    paths += [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    return _folders(paths)


def interpreter_paths() -> list[str]:
    """Return the folders of the standard library and of the interpreter's shared libraries."""
    base = Path(sys.base_prefix)
    paths = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), str(base / "lib")]
    libraries = sysconfig.get_config_var("LIBDIR")
    return _folders([*paths, libraries or ""])


def _cannot_start(error: OSError) -> str:
    mends = {
        errno.EAGAIN: "processes or threads are used up. Raise the limit (ulimit -u; a container's pids), or end some "
        "processes",
        errno.ENOMEM: "memory is used up. End other programs, or use fewer --jobs",
        errno.EMFILE: "open files are used up. Raise the limit (ulimit -n), or use fewer --jobs",
        errno.ENFILE: "the open files of the whole machine are used up. End other programs",
    }
    mend = mends.get(error.errno or 0)
    reason = f", since {mend}" if mend else ". `codepref doctor` looks for the cause"
    return f"a worker process cannot be started ({error.strerror or error}){reason}"


def _folders(paths: list[str]) -> list[str]:
    # os.path.isdir returns False for a folder of another user, where Path.is_dir raises PermissionError.
    return [path for path in dict.fromkeys(paths) if path not in ("", "/") and os.path.isdir(path)]  # noqa: PTH112


class Worker:
    """A supervisor process. It takes tasks after `wait_ready`.

    unconfined: run the process without Landlock.
    Raises MachineError if no process can be started or no scratch folder can be made.

    Attributes:
        job: what the worker works on, or None.
        last: the task that the worker works on, or worked on last.
        prepared: the data of the task that was sent last.
        last_message: the time at which the engine last sent the worker something or received something from it. Before
            that, the time at which this object was made.
    """

    def __init__(self, *, unconfined: bool) -> None:
        self.job: Any = None
        self.last: Any = None
        self.prepared = b""
        self._received = bytearray()
        self.last_message = time.monotonic()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise MachineError(_cannot_start(error)) from None
        self._socket = ours
        try:
            self._scratch = Scratch()
        except MachineError:
            ours.close()
            theirs.close()
            raise
        interpreter = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        packages = package_paths()
        launch = _LAUNCH.format(paths=_sandlock_folder())
        command = [sys.executable, "-I", "-B", "-c", launch, interpreter, "unconfined" if unconfined else "confined"]
        command += [str(_FOLDER), str(theirs.fileno()), os.pathsep.join(packages)]
        command += ["" if unconfined else str(plotting_folder() or ""), self._scratch.path]
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
            self._scratch.remove()
            raise MachineError(_cannot_start(error)) from None
        finally:
            theirs.close()

    def wait_ready(self) -> None:
        """Wait until the worker has started.

        Raises WorkerLost if the worker was killed by SIGKILL, or was not ready after START_SECONDS, and has written
        nothing to stderr. Otherwise raises MachineError if it cannot start.
        """
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
            errors = self._process.stderr.read().decode("utf-8", "replace").strip().splitlines()
            if self._process.returncode == -signal.SIGKILL and not errors:
                raise WorkerLost(
                    f"the worker was killed while it started or was not ready after {START_SECONDS:.0f} s. Perhaps "
                    "memory was used up"
                )
            cause = errors[-1] if errors else f"it ended with status {self._process.returncode}"
            raise MachineError(f"a worker cannot be started on this machine: {cause}. {_MEND_REFUSED}")
        self.last_message = time.monotonic()

    def _receive_blocking(self) -> bytes:
        parts = b""
        while len(parts) < 4 or len(parts) < 4 + frames.LENGTH.unpack(parts[:4])[0]:
            part = self._socket.recv(1 << 16)
            if not part:
                raise frames.Closed
            parts += part
        return parts[4:]

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the worker has sent something."""
        return self._socket.fileno()

    def send(self, data: bytes, sources: list[tuple[int, str]], known: dict[int, bytes], keep: bool) -> None:
        """Send solutions of a task. Raises WorkerLost if they cannot be sent.

        data: the encoded task.
        known: expected outputs of an earlier run, by the index of the test.
        keep: whether the worker sends back the expected outputs that it computes.
        """
        self.prepared = data
        try:
            frames.send(self.fileno(), encoded((data, sources, known, keep)))
        except (frames.Closed, OSError) as error:
            raise self._lost(error) from None
        self.last_message = time.monotonic()

    def receive(self) -> list[tuple[Any, ...]]:
        """Read once from the worker's socket, and return the messages that are now complete. There may be none.

        Blocks until something arrives. Raises WorkerLost if the worker has ended or sent a wrong message.
        """
        messages: list[tuple[Any, ...]] = []
        try:
            part = self._socket.recv(READ_BYTES)
            if not part:
                raise frames.Closed
            self._received += part
            at = 0
            while len(self._received) >= at + 4:
                (length,) = frames.LENGTH.unpack_from(self._received, at)
                if length > MAX_MESSAGE_BYTES:
                    raise frames.TooLarge(f"a frame of {length} bytes")
                if len(self._received) < at + 4 + length:
                    break
                messages.append(Decoder(bytes(self._received[at + 4 : at + 4 + length])).value())
                at += 4 + length
            del self._received[:at]
        except (frames.Closed, frames.TooLarge, Malformed, OSError) as error:
            raise self._lost(error) from None
        self.last_message = time.monotonic()
        return messages

    def _lost(self, error: Exception) -> WorkerLost:
        """Return the exception to raise after `error` has occurred on the worker's socket."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)  # its socket may close a moment before it has ended
        reason = f"{type(error).__name__} {error}".strip()
        status = self._process.returncode
        broken = "closed its connection" if isinstance(error, frames.Closed | OSError) else "sent a wrong message"
        how = broken if status is None else f"ended with status {status}"
        return WorkerLost(f"the worker {how} ({reason})")

    def kill(self) -> None:
        """End the worker and remove its scratch folders.

        The kernel then ends its children, because each of them has requested this.
        """
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._scratch.remove()

    def close(self) -> None:
        """End the worker and close its stderr."""
        self.kill()
        if self._process.stderr is not None:
            self._process.stderr.close()
