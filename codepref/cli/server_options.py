"""The options of commands that can sample a model on servers, and the lines that such a command prints."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path
from typing import Any

from codepref.config.fields import checked
from codepref.config.served import CONCURRENCY, ModelServer
from codepref.errors import UserError

_NAMES = {
    "base_url": "--base-url",
    "api": "--api",
    "api_key_env": "--api-key-env",
    "concurrency": "--concurrency",
    "timeout": "--timeout",
    "retries": "--retries",
    "answers_per_call": "--answers-per-call",
    "stop": "--stop",
    "send_seed": "--send-seed",
    "extra_body": "--extra-body",
    "price_in": "--price-in",
    "price_out": "--price-out",
    "budget": "--budget",
}


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add the options of a model on servers, from --base-url to --budget."""
    group = parser.add_argument_group("a model on a server (docs/how-to/servers.md)")
    default = ModelServer()
    group.add_argument(
        "--base-url",
        nargs="+",
        metavar="URL",
        help="address of an OpenAI-compatible server, up to /v1; several servers of the model share the calls",
    )
    group.add_argument(
        "--api",
        choices=("chat", "completions"),
        help="send chat messages, or text to continue for a model without a chat template (default chat)",
    )
    group.add_argument(
        "--api-key-env",
        metavar="NAME",
        help=f"environment variable with the server's key (default {default.api_key_env})",
    )
    group.add_argument(
        "--concurrency",
        type=int,
        help=f"answers that each server draws at once (default {CONCURRENCY}, or what suits the preset of --engine)",
    )
    group.add_argument(
        "--timeout", type=float, help=f"seconds for each attempt at a call (default {default.timeout:g})"
    )
    group.add_argument("--retries", type=int, help=f"attempts after the first one (default {default.retries})")
    group.add_argument(
        "--answers-per-call", type=int, help="answers that one call asks for (default: as many as the server gives)"
    )
    group.add_argument("--stop", nargs="+", metavar="TEXT", help="texts that end an answer")
    group.add_argument("--send-seed", choices=("auto", "no"), help="send a seed with each call (default auto)")
    group.add_argument("--extra-body", metavar="JSON", help="more fields of each call, such as '{\"top_k\": -1}'")
    group.add_argument("--price-in", type=float, help="dollars per million tokens of prompts")
    group.add_argument("--price-out", type=float, help="dollars per million tokens of answers")
    group.add_argument("--budget", type=float, help="limit in dollars for one file of answers; needs prices")


def read_server(options: Namespace, *, launched: bool = False) -> ModelServer | None:
    """Return the settings of calls to servers, or None if no option of `add_server` is given.

    launched: whether codepref starts the server. The options then need no --base-url.
    Raises UserError for values out of range. Unless `launched` is true, it is also raised for other options of
    `add_server` without --base-url.
    """
    values = {name: value for name in _NAMES if (value := getattr(options, name)) is not None}
    if not values.get("base_url"):
        if values and not launched:
            option = _NAMES[next(iter(values))]
            raise UserError(
                f"{option} applies only to a model on a server: add --base-url or --engine, or leave out {option}"
            )
        if not values:
            return None
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    server: ModelServer = checked(ModelServer(**values), "options")
    return server


def server_lines(out: Path) -> list[str]:
    """Return lines about the calls for the file `out`, or [] if no server was asked for it."""
    from codepref.servers.artifacts import summary_file
    from codepref.servers.ledger import ledger_table
    from codepref.storage.files import read_json

    file = summary_file(out)
    if not file.exists():
        return []
    summary: dict[str, Any] = read_json(file)
    if "servers" not in summary:
        return []
    lines = [f"{summary['refused']:,} answers left out: the server refuses the prompt"] if summary["refused"] else []
    lines += ledger_table(summary["ledger"])
    if summary["dollars"] or summary["dollars_at_most_more"]:
        more = f", and at most ${summary['dollars_at_most_more']:.4f} more for unanswered calls"
        lines.append(f"${summary['dollars']:.4f} spent{more}")
    lines += [f"the server names its model {name}" for name in summary["models_named_by_servers"]]
    return [*lines, f"seed: {summary['seed']}. {summary['note']}"]
