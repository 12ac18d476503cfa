"""The command of the service: serve."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from codepref.cli.options import Parser, add_limits, read_limits
from codepref.cli.output import log
from codepref.errors import UserError


def add_serve(parser: Parser) -> None:
    """Add the options of `codepref serve`."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port; 0 takes a free one (default %(default)s)")
    parser.add_argument(
        "--token-file",
        help="file with the token that clients must send (default: the environment variable CODEPREF_TOKEN, or none)",
    )
    parser.add_argument(
        "--queue",
        type=int,
        default=4096,
        help="largest number of solutions that wait or run; further requests get 429 (default %(default)s)",
    )
    parser.add_argument(
        "--request-seconds",
        type=float,
        default=600.0,
        help="time in which a request must be answered, in seconds (default %(default)g)",
    )
    parser.add_argument(
        "--body-mb", type=float, default=16.0, help="largest body of a request, in MiB (default %(default)g)"
    )
    parser.add_argument(
        "--max-cpu-seconds",
        type=float,
        default=300.0,
        help="highest CPU time of a test that a request may ask for, in seconds (default %(default)g)",
    )
    parser.add_argument(
        "--max-memory-mb",
        type=int,
        default=8192,
        help="highest memory limit that a request may ask for, in MiB (default %(default)s)",
    )
    add_limits(parser, timeout_factor=20)
    parser.set_defaults(command=serve)


def serve(options: Namespace) -> None:
    """Run `codepref serve`."""
    from codepref import api
    from codepref.service.settings import is_local

    if not is_local(options.host):
        log(
            f"codepref: other machines may be able to reach {options.host}. Without a token, their users can run "
            "programs here"
        )

    def notify(address: str) -> None:
        log(f"codepref: serving at {address}; {address}/docs describes the requests; Ctrl-C ends the server")

    api.serve(
        host=options.host,
        port=options.port,
        token=_token(options.token_file) if options.token_file is not None else None,
        jobs=options.jobs,
        queue=options.queue,
        limits=read_limits(options),
        vacuous_tests=options.vacuous_tests,
        max_cpu_seconds=options.max_cpu_seconds,
        max_memory_mb=options.max_memory_mb,
        request_seconds=options.request_seconds,
        body_mb=options.body_mb,
        unconfined=options.unconfined,
        notify=notify,
    )
    log("codepref: the server has ended")


def _token(file: str) -> str:
    """Return the token in a file. Raises UserError if the file cannot be read or is blank."""
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise UserError(f"--token-file {file}: {getattr(error, 'strerror', '') or error}") from None
    if not token:
        raise UserError(f"--token-file {file} holds no token")
    return token
