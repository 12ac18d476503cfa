"""The options that several commands share, and the action of options whose name has changed."""

from __future__ import annotations

import argparse
import warnings
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from codepref.errors import UserError

if TYPE_CHECKING:
    from codepref.config.scale import ScaleSection
    from codepref.execution.limits import Limits

Parser = argparse.ArgumentParser


class OldName(argparse.Action):
    """The action of an old name of an option. The old name works, with a warning. The help does not show it.

    const: the new name.
    """

    def __init__(self, option_strings: Sequence[str], dest: str, const: str, **more: Any) -> None:
        super().__init__(option_strings, dest, const=const, help=argparse.SUPPRESS, **more)

    def __call__(self, parser: Parser, namespace: Namespace, values: Any, option_string: str | None = None) -> None:
        """Store the value, and warn that the option has a new name."""
        warnings.warn(f"{option_string} is now called {self.const}", FutureWarning, stacklevel=1)
        setattr(namespace, self.dest, values)


def add_model(parser: Parser, text: str) -> None:
    """Add --model, --device and --dtype. text: the help of --model."""
    parser.add_argument("--model", required=True, help=text)
    add_device(parser)


def add_device(parser: Parser) -> None:
    """Add --device and --dtype."""
    parser.add_argument("--device", default="auto", help="torch device (default: the GPU if there is one)")
    parser.add_argument(
        "--dtype",
        choices=("auto", "float32", "bfloat16", "float16"),
        default="auto",
        help="number type of the weights (default auto)",
    )


def add_problems(parser: Parser) -> None:
    """Add --problems, --where and --strict."""
    parser.add_argument(
        "--problems",
        required=True,
        help="file, folder, hub name, owner/name/path/file.jsonl@revision or starter:SPLIT; options may follow after #",
    )
    add_where(parser, "problems")
    add_strict(parser)


def add_where(parser: Parser, source: str) -> None:
    """Add --where. source: the argument that names the source whose rows the conditions choose."""
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="CONDITION",
        help="use only problems whose row meets this, such as difficulty=easy|medium, rating<1600, tags~graph or "
        "contest_date>=2024-08-01; may be repeated",
    )
    parser.set_defaults(where_source=source)


def apply_where(options: Namespace) -> None:
    """Move the conditions of --where into the name of the source that they belong to.

    Raises UserError if the source is not given. Malformed conditions are refused when the source is loaded.
    """
    if conditions := getattr(options, "where", []):
        from codepref.problems.source_names import with_conditions

        source = getattr(options, options.where_source)
        if source is None:
            raise UserError(f"--where chooses rows of --{options.where_source}, which is not given")
        setattr(options, options.where_source, with_conditions(source, conditions))


def add_strict(parser: Parser) -> None:
    """Add --strict."""
    parser.add_argument(
        "--strict", action="store_true", help="refuse problems with a bad row (default: leave bad rows out)"
    )


def add_seed(parser: Parser) -> None:
    """Add --seed."""
    parser.add_argument("--seed", type=int, default=0, help="seed of the random choices (default 0)")


def add_decoding(parser: Parser) -> None:
    """Add --temperature, --top-p, --max-new-tokens, --template, --batch-size and --seed."""
    parser.add_argument("--temperature", type=float, default=0.8, help="0 is greedy (default %(default)s)")
    parser.add_argument("--top-p", type=float, default=0.95, help="nucleus size (default %(default)s)")
    parser.add_argument(
        "--max-new-tokens", type=int, default=512, help="cut an answer after this many tokens (default %(default)s)"
    )
    parser.add_argument("--template", help="text of the user message, with {prompt} and {entry_point}")
    parser.add_argument(
        "--batch-size", type=int, default=128, help="number of answers to generate at once (default %(default)s)"
    )
    add_seed(parser)


def add_limits(parser: Parser, *, timeout_factor: int) -> None:
    """Add the options of limits, and --jobs, --vacuous-tests and --unconfined.

    timeout_factor: the default that the help of --timeout-factor shows. It sets no default.
    """
    parser.add_argument("--cpu-seconds", type=float, help="CPU time limit of one test, in seconds (default 3)")
    parser.add_argument(
        "--wall-seconds",
        type=float,
        help="wall-clock limit of one test, in seconds; a test that sleeps for --cpu-seconds ends earlier (default: "
        "ten times --cpu-seconds, at least 5)",
    )
    parser.add_argument(
        "--timeout-factor",
        type=float,
        help="in a second attempt, stop a test after about this many times the CPU time of the slowest correct "
        f"solution; 0 sets no such limit (default {timeout_factor})",
    )
    parser.add_argument("--patience", type=float, dest="timeout_factor", action=OldName, const="--timeout-factor")
    parser.add_argument("--memory-mb", type=int, help="memory limit of a solution's process, in MiB (default 1024)")
    parser.add_argument("--jobs", type=int, help="number of workers (default: one per core)")
    parser.add_argument(
        "--vacuous-tests",
        choices=("leave-out", "keep"),
        default="leave-out",
        help="what to do with tests that a program passes although it does nothing (default %(default)s)",
    )
    add_sandbox(parser)


def add_sandbox(parser: Parser) -> None:
    """Add --unconfined."""
    parser.add_argument(
        "--unconfined",
        action="store_true",
        help="run model code without Landlock, so that it can read and delete your files; only inside a machine that "
        "you can afford to lose",
    )


def add_scale(parser: Parser, *, replicas: bool = False) -> None:
    """Add --executor and --address, and --replicas if `replicas` is true."""
    parser.add_argument(
        "--executor",
        choices=("local", "ray"),
        default="local",
        help="where the work is done: on this machine, or on the nodes of a Ray cluster (default %(default)s)",
    )
    parser.add_argument(
        "--address",
        default="",
        help="with --executor ray: auto for the cluster of this machine, or HOST:PORT (default: the variable "
        "RAY_ADDRESS, or a new Ray on this machine)",
    )
    if replicas:
        parser.add_argument(
            "--replicas",
            type=int,
            default=0,
            help="processes that hold the model; with --executor ray, the number on each node (default: one, or one "
            "per core for a small model on a CPU; with ray one per GPU, or one per node if no node has a GPU)",
        )


def read_scale(options: Namespace) -> ScaleSection:
    """Return where the work is done. Raises UserError for an address that no executor uses, and for wrong values."""
    from codepref.config.fields import checked
    from codepref.config.scale import ScaleSection

    if options.address and options.executor != "ray":
        raise UserError("--address names a Ray cluster, so it needs --executor ray")
    values = {"executor": options.executor, "address": options.address, "replicas": getattr(options, "replicas", 0)}
    section: ScaleSection = checked(ScaleSection(**values), "options")
    return section


def add_overrides(parser: Parser) -> None:
    """Add --set SECTION.KEY=VALUE."""
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="replace a value of the recipe; may be repeated",
    )


def read_limits(options: Namespace, **defaults: Any) -> Limits:
    """Return the sandbox's limits with the values of --cpu-seconds, --wall-seconds, --memory-mb and --timeout-factor.

    defaults: values for limits that the user does not set. Raises UserError for values out of range.
    """
    from codepref.execution.limits import Limits

    chosen = dict(defaults)
    for name in ("cpu_seconds", "wall_seconds", "memory_mb"):
        if (value := getattr(options, name)) is None:
            continue
        if value <= 0:
            raise UserError(f"--{name.replace('_', '-')} must be above 0, not {value}")
        chosen[name] = value
    if options.timeout_factor is not None:
        if options.timeout_factor < 0:
            raise UserError(f"--timeout-factor must be at least 0, not {options.timeout_factor}")
        chosen["timeout_factor"] = options.timeout_factor or None
    return Limits(**chosen)
