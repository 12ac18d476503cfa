"""The options of commands that can start a server for the model."""

from __future__ import annotations

import argparse
from argparse import Namespace

from codepref.config.engine import EngineSection
from codepref.config.fields import checked
from codepref.errors import UserError


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add --engine, --engine-command, --engine-options, --engine-python and --engine-port."""
    group = parser.add_argument_group("a server that codepref starts (docs/how-to/launch-server.md)")
    group.add_argument(
        "--engine", metavar="PRESET", help="start a server for the model: vllm, sglang, llama.cpp or transformers"
    )
    group.add_argument("--engine-command", metavar="TEXT", help="command of another server, with {model} and {port}")
    group.add_argument("--engine-options", metavar="TEXT", help="further options of the server's command")
    group.add_argument(
        "--engine-python", metavar="PATH", help="folder or Python interpreter of the server's environment"
    )
    group.add_argument("--engine-port", type=int, metavar="N", help="port of the server (default: a free one)")


def read_engine(options: Namespace) -> EngineSection | None:
    """Return the server that the options name, or None.

    Raises UserError for a port out of range, and for options of a server without --engine or --engine-command.
    """
    names = {"preset": "engine", **{key: f"engine_{key}" for key in ("command", "options", "python", "port")}}
    values = {key: value for key, name in names.items() if (value := getattr(options, name)) is not None}
    if not values:
        return None
    if not values.keys() & {"preset", "command"}:
        raise UserError(f"--{names[next(iter(values))].replace('_', '-')} needs --engine or --engine-command")
    section: EngineSection = checked(EngineSection(**values), "options")
    return section
