"""Starts a server for a model, waits until it is ready, and stops it with everything that it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.config.engine import EngineSection
from codepref.errors import CodeprefError, UserError
from codepref.servers.leftovers import end_leftover
from codepref.servers.presets import PRESETS, Preset, command_mistakes, words
from codepref.servers.ready import HOST, choose_port, served_id
from codepref.servers.served import ServedModel, prepare
from codepref.servers.server_process import Log, ServerProcess, record_file
from codepref.storage.files import make_folder

OWN_SETTINGS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000", "TOKENIZERS_PARALLELISM": "false"}
"""Environment variables that codepref's command line sets for itself. They could slow down a server."""

PRIVATE = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "PYTHONUNBUFFERED": "1",
}
"""Environment variables of each server. They switch off reports of its use, checks for updates, and buffered output."""


@dataclass(frozen=True)
class LaunchedServer:
    """A running server.

    Attributes:
    base_url: its address, such as http://127.0.0.1:8000/v1.
    model: the name by which requests name the model.
    preset: the server's preset, or None for a command of the user.
    """

    base_url: str
    model: str
    preset: Preset | None
    _process: ServerProcess

    def has_ended(self) -> bool:
        """Return whether the server has ended."""
        return self._process.has_ended()

    def explain(self, error: Exception) -> None:
        """Raise InfrastructureError with the server's last words if the server has ended.

        error: the error that came from calls to the server. It becomes the cause.
        """
        self._process.check_end("while it was used. With an output file, the answers that had arrived are kept", error)


@contextlib.contextmanager
def launched(
    section: EngineSection,
    model: str | Path,
    *,
    name: str,
    folder: Path,
    log: Log,
    dtype: str = "auto",
    served_name: str = "",
) -> Iterator[LaunchedServer]:
    """Run the server that `section` names with `model` inside the block.

    model: a folder, a hub name or `starter`. name: a short name of the model, for the server and for files. folder: the
    folder for the server's output NAME.log and for the weights that the server needs in another form. log: called with
    messages for the user. dtype: the type of the weights, as in `model.dtype`, for a command with {dtype}. served_name:
    the server's own name for the model, if it is neither `name` nor the model's path.

    At the end of the block, the server and all its descendants are stopped. They are also stopped if this process is
    killed. If the supervisor is killed too, the next start with this `folder` and `name` stops what is left.
    Raises UserError for mistakes in `section`, a command that cannot be started, a port that cannot be used, and a
    server that serves another model or asks for a key. Raises the errors of `codepref.servers.served.prepare`, for
    example for a folder without weights. Raises InfrastructureError with the server's last words if the server ends
    before it is ready, or is not ready within `engine.wait_seconds`. If the server has ended, a CodeprefError in the
    block becomes an InfrastructureError. Raises MachineError if the server's output cannot be written.
    """
    if mistakes := command_mistakes(section):
        raise UserError(*mistakes)
    preset = PRESETS.get(section.preset)
    make_folder(folder)
    end_leftover(record_file(folder, name), log)
    port = choose_port(section.port)
    environment = _environment(section)
    served = prepare(str(model), preset, section.adapters, folder / name, log, environment)
    command = _command(section, preset, served, environment, name=name, port=port, dtype=dtype)
    with ServerProcess(command, environment, folder, name, section, log) as process:
        listed = preset is None or preset.lists_model
        rows = process.wait_until_ready(port, only_health=not listed)
        names = [served_name] if served_name else [name, served.path]
        found = _check_model(rows, names, served) if listed else served_name or served.path
        server = LaunchedServer(f"http://{HOST}:{port}/v1", found, preset, process)
        try:
            yield server
        except CodeprefError as error:
            server.explain(error)
            raise


def _check_model(rows: Sequence[Mapping[str, Any]], names: Sequence[str], served: ServedModel) -> str:
    found = served_id(rows, names, served.adapter or served.path)
    if found is None:
        ids = ", ".join(str(row.get("id")) for row in rows) or "no model"
        raise UserError(
            f"the server serves {ids}, and not {names[-1]}. Put {{model}} where the command names the model, or set "
            "model.served_name to the server's name for it"
        )
    return found


def _command(
    section: EngineSection,
    preset: Preset | None,
    served: ServedModel,
    environment: Mapping[str, str],
    *,
    name: str,
    port: int,
    dtype: str,
) -> list[str]:
    """Return the words of the command. Raises UserError if no command can be used."""
    values = {
        "model": served.path,
        "name": name if not served.adapter else f"{name}-base",
        "port": str(port),
        "python": _python(section),
        "dtype": dtype,
    }
    for template, check in preset.commands if preset else ((section.command, ""),):
        command = words(f"{template} {section.options}", values)
        path = shutil.which(command[0], path=environment["PATH"])
        if path is None or not _works(check, environment, values["python"]):
            continue
        if served.adapter and preset:
            more = {"name": name, "adapter": served.adapter, "rank": str(served.rank)}
            command += words(preset.adapter_options, more)
        return [path, *command[1:]]
    what = section.preset or words(section.command, values)[0]
    where = f"the environment of {section.python}" if section.python else "codepref's environment"
    raise UserError(
        f"the server {what} is not installed in {where} or on the PATH, or lacks a package that it needs. Install it "
        "with these packages, or set engine.python to the Python interpreter of the environment that has it"
    )


def _works(check: str, environment: Mapping[str, str], python: str) -> bool:
    """Return whether a line of Python is empty or succeeds in the server's environment."""
    command = [python, "-c", check]
    return not check or subprocess.run(command, env=dict(environment), capture_output=True).returncode == 0


def _python(section: EngineSection) -> str:
    """Return the path of the interpreter that `engine.python` names, by itself or by the environment's folder.

    If `engine.python` is empty, return codepref's interpreter. Raises UserError if there is no interpreter at the path.
    Symbolic links are not followed, since Python finds a virtual environment by the link in it.
    """
    if not section.python:
        return sys.executable
    path = Path(section.python).expanduser().absolute()
    path = path / "bin" / "python" if path.is_dir() else path
    if not os.access(path, os.X_OK) or path.is_dir():
        raise UserError(f"engine.python = {section.python!r}: there is no Python interpreter at {path}")
    return str(path)


def _environment(section: EngineSection) -> dict[str, str]:
    """Return the server's environment variables. The folder of its Python interpreter comes first in PATH."""
    environment = {key: value for key, value in os.environ.items() if OWN_SETTINGS.get(key) != value}
    if section.python:
        for variable in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):  # they belong to codepref's interpreter
            environment.pop(variable, None)
    programs = str(Path(_python(section)).parent)
    environment["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])
    return environment | PRIVATE
