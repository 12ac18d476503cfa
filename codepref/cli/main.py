"""The entry of the command line: runs a command, and turns an error into a message and an exit status."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from codepref.errors import CodeprefError, MachineError, UserError

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
USED_UP = {
    errno.EMFILE: "open files are used up (ulimit -n)",
    errno.ENFILE: "open files of the whole machine are used up",
    errno.EAGAIN: "processes or threads are used up (ulimit -u; a container's pids)",
    errno.ENOMEM: "memory is used up",
}
"""Error number -> which limit of the machine was reached."""

CONTINUES = "the same command continues from the work that it has kept"
PACKAGE = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0 means done, 1 failed or refused by a gate, 2 wrong input, 3 the machine lacks something, 130 interrupted, and 143
    terminated. For a wrong command line, --help and --version, argparse raises SystemExit instead. An error that
    codepref does not know is raised.
    """
    _open_standard_streams()
    from codepref.cli.options import apply_where
    from codepref.cli.parser import build_parser

    with _plain_warnings():
        options = build_parser().parse_args(arguments)
        _show_left_out_rows()
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        _let_threads_sleep()
        try:
            with _sigterm_raises():
                apply_where(options)
                options.command(options)
                sys.stdout.flush()
        except (Exception, KeyboardInterrupt, Terminated) as error:
            status = _report_error(error)
            if status is None:
                raise
            return status
    return 0


def _report_error(error: BaseException) -> int | None:
    """Print the messages of an error and return the exit status. Return None for an error that codepref does not know.

    A broken pipe prints no message.
    """
    if isinstance(error, UserError):
        for mistake in error.problems:
            _print_error(f"codepref: {mistake}")
        return error.exit_status
    if isinstance(error, CodeprefError):
        _print_error(f"codepref: {error}")
        return error.exit_status
    if isinstance(error, BrokenPipeError):
        # the program that reads stdout has closed it, as a pager does, so stdout must not be flushed again
        _discard_output()
        return 1
    if isinstance(error, OSError) and error.errno in USED_UP:
        _print_error(f"codepref: {USED_UP[error.errno]}: {error}. Raise the limit; {CONTINUES}")
        return MachineError.exit_status
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        _print_error(f"codepref: cannot write: {error}. Free some space, or make the place writable; {CONTINUES}")
        _discard_output()
        return MachineError.exit_status
    if isinstance(error, ImportError):
        reason = (str(error).strip().splitlines() or ["no reason given"])[-1]
        _print_error(
            f"codepref: a package cannot be loaded ({reason}). Install it (pip install codepref), or free some memory"
        )
        return MachineError.exit_status
    if isinstance(error, MemoryError):
        _print_error(f"codepref: memory is used up. Free some, or ask for less; {CONTINUES}")
        return MachineError.exit_status
    if isinstance(error, KeyboardInterrupt):
        _print_error(f"\ncodepref: interrupted; {CONTINUES}")
        return 130
    if isinstance(error, Terminated):
        _print_error(f"codepref: terminated; {CONTINUES}")
        return 128 + signal.SIGTERM
    return None


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """Inside the block, print warnings of codepref without the file name and the source line.

    They are FutureWarnings, which begin with "warning: ", and LeftOutWarnings, which begin with "codepref: ". After the
    block, the filters of warnings are those from before it.
    """
    python_format = warnings.formatwarning

    def one_line(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if category is FutureWarning and PACKAGE in Path(filename).resolve().parents:
            return f"warning: {message}\n"
        if category.__name__ == "LeftOutWarning":  # its module imports numpy, which --help does not need
            return f"codepref: {message}\n"
        return python_format(message, category, filename, lineno, line)

    warnings.formatwarning = one_line
    try:
        with warnings.catch_warnings():
            yield
    finally:
        warnings.formatwarning = python_format


def _show_left_out_rows() -> None:
    """Let Python show LeftOutWarnings, whatever filters the user has set."""
    from codepref.problems.left_out import LeftOutWarning

    warnings.filterwarnings("default", category=LeftOutWarning)


def _let_threads_sleep() -> None:
    """Make waiting OpenMP threads sleep, unless the user has set how they wait. Call this before torch is loaded.

    By default, waiting threads spin. When another process used a core too, sampling from a small model took 65 s with
    spinning threads, and 2 s with sleeping threads. This function lets threads spin a thousand times before they sleep.
    Compared with no spinning, sampling was a sixth faster on an idle machine, and an eighth slower beside another
    process.
    """
    if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}:
        os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}


class Terminated(BaseException):
    """Raised when the process receives SIGTERM, so that the workers end and open files are closed before the exit."""


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM inside the block. In other threads than the main thread, do nothing."""

    def terminated(number: int, frame: FrameType | None) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can set signal handlers
        return
    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _open_standard_streams() -> None:
    """Connect closed standard descriptors to /dev/null. Otherwise the next opened file would receive the output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the system gives it the lowest free number: `descriptor`
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _discard_output() -> None:
    """Connect stdout to /dev/null, so that the interpreter does not fail when it flushes stdout at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_error(text: str) -> None:
    """Print a message on stderr. If stderr cannot be written, do nothing, so that the exit status stays."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
