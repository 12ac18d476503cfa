"""The command line: parses, calls the function of the same name, prints figures, turns errors into one message."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

from codepref.errors import CodeprefError, MachineError, UserError

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
SPENT = {
    errno.EMFILE: "open files are used up (ulimit -n)",
    errno.ENFILE: "open files of the whole machine are used up",
    errno.EAGAIN: "processes or threads are used up (ulimit -u; a container's pids)",
    errno.ENOMEM: "memory is used up",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 done, 1 failed or refused, 2 wrong input, 3 the machine lacks something."""
    _hold_standard_streams()
    from codepref.cli.parser import build_parser

    parser = build_parser()
    options = parser.parse_args(arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    _spin_little()
    try:
        with _sigterm_unwinds():
            options.command(options)
            sys.stdout.flush()
    except UserError as error:
        for problem in error.problems:
            _tell(f"codepref: {problem}")
        return error.exit_status
    except CodeprefError as error:
        _tell(f"codepref: {error}")
        return error.exit_status
    except BrokenPipeError:
        # the reader of our output went away (a closed pager): nothing is wrong, but stdout must not be flushed again
        _drop_output()
        return 1
    except OSError as error:
        if error.errno in SPENT:
            _tell(f"codepref: {SPENT[error.errno]}: {error}. Mend that; the same command goes on from here")
        elif error.errno in DISK_ERRORS:
            _tell(f"codepref: cannot write: {error}. Free some space; the same command goes on from here")
            _drop_output()
        else:
            raise
        return MachineError.exit_status
    except ImportError as error:
        words = str(error).strip().splitlines() or ["no reason given"]
        _tell(f"codepref: a package cannot be loaded ({words[-1]}): install it (pip install codepref), or free memory")
        return MachineError.exit_status
    except MemoryError:
        _tell("codepref: memory is used up. Free some, or ask for less; the same command goes on from here")
        return MachineError.exit_status
    except KeyboardInterrupt:
        _tell("\ncodepref: interrupted; the same command goes on from here")
        return 130
    except Terminated:
        _tell("codepref: terminated; the same command goes on from here")
        return 128 + signal.SIGTERM
    return 0


def _spin_little() -> None:
    """Have OpenMP threads wait asleep, unless the user has set how they wait. Before torch is loaded.

    By default they spin, and sampling from a small model takes thirty times as long once another process wants a core
    (65 s for 2 s, measured). With a thousand turns of spinning before the sleep it is a sixth faster than with none on
    a machine of one's own, and an eighth slower beside another process.
    """
    if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}:
        os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}


class Terminated(BaseException):
    """SIGTERM came: unwind, so that workers end and files are whole, and leave."""


@contextlib.contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    def terminated(number: int, frame: FrameType | None) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _hold_standard_streams() -> None:
    """Lead closed standard descriptors to /dev/null: the next file opened would else be written to as output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _drop_output() -> None:
    """What is left in stdout's buffer cannot be written: the interpreter must not try again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(text: str) -> None:
    """A message on stderr. One that cannot be written changes no exit status."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
