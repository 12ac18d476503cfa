"""The class of the actors. Ray sends its code to the nodes, so that a node can report that it lacks codepref.

This module imports only the standard library when it is imported, and codepref inside the methods.
"""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import threading
import time
from typing import Any

WATCH_SECONDS = 1.0
"""The number of seconds between two checks of whether the raylet of an actor's node lives."""


def _end_with_parent() -> None:
    """End this process soon after its parent, the raylet.

    Ray leaves the process of an actor alive when only the raylet is killed. The process would keep its cores, its GPU
    and its workers, though no driver can reach it.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        os._exit(1)  # the workers of an engine end with the process that started them

    threading.Thread(target=watch, name="raylet", daemon=True).start()


class HostActor:
    """Runs one service on a node."""

    def __init__(self) -> None:
        self._service: Any = None
        _end_with_parent()

    def check(self, wanted: tuple[str, str, str]) -> str:
        """Return why this node's Python or codepref does not fit the driver's, or "" if both fit.

        wanted: what `codepref.scale.versions.own_version` returns in the driver.
        """
        version, digest, python = wanted
        own_python = ".".join(platform.python_version_tuple()[:2])
        if own_python != python:
            return f"it runs Python {own_python}, and the driver runs {python}"
        try:
            package = importlib.import_module("codepref")
        except ImportError as error:
            return f"the package codepref is missing there ({error}). Install it in the environment of that node's Ray"
        if (own := getattr(package, "__version__", "of unknown version")) != version:
            return f"it has codepref {own}, and the driver has {version}. Install the same version on all nodes"
        try:
            from codepref.scale.versions import code_digest
        except ImportError:
            return f"its codepref {own} lacks a part. Install the same version on all nodes"
        if code_digest() != digest:
            return f"its codepref {own} has other code than the driver's. Install the same version on all nodes"
        return ""

    def open(self, wanted: tuple[str, str, str], spec: Any) -> tuple[str, Any]:
        """Open the service. Return ("ready", its capacity), ("unfit", why) or ("failed", the error).

        spec: a pickled `ServiceSpec`, which only codepref can read.
        """
        if reason := self.check(wanted):
            return "unfit", reason
        import pickle

        from codepref.errors import MachineError, UserError
        from codepref.scale.hosting import describe, open_service

        try:
            self._service = open_service(pickle.loads(spec))
        except (MachineError, UserError) as error:
            return "unfit", str(error)
        except Exception as error:  # noqa: BLE001 - the driver raises it
            return "failed", describe(error)
        return "ready", self._service.capacity

    def lines(self, wanted: tuple[str, str, str]) -> tuple[list[str], str]:
        """Return the lines of `codepref doctor` on this node, and what is wrong with the node, or ""."""
        if reason := self.check(wanted):
            return [], reason
        from codepref.scale.hosting import own_command

        # The doctor gets a process of its own, since it forks, and a process of Ray must not fork.
        command, environment = own_command("codepref", "doctor")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        mistake = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
        return done.stdout.splitlines(), mistake.removeprefix("codepref: ") if done.returncode else ""

    def handle(self, items: bytes) -> tuple[str, Any]:
        """Return ("finished", the results) or ("failed", the error). items: pickled."""
        import pickle

        from codepref.scale.hosting import describe

        try:
            return "finished", self._service.handle(pickle.loads(items))
        except Exception as error:  # noqa: BLE001 - the driver raises it
            return "failed", describe(error)

    def close(self) -> None:
        """End what the service has started."""
        if self._service is not None:
            self._service.close()
