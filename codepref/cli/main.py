"""The command line: parses, calls the function of the same name, prints figures, turns errors into one message."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from codepref.errors import CodeprefError, MachineError, UserError

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 done, 1 failed or refused, 2 wrong input, 3 the machine lacks something."""
    from codepref.cli.parser import build_parser

    parser = build_parser()
    options = parser.parse_args(arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # OpenMP threads that spin while they wait make a small model ten times slower when another process wants a core
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        options.command(options)
    except UserError as error:
        for problem in error.problems:
            print(f"codepref: {problem}", file=sys.stderr)
        return error.exit_status
    except CodeprefError as error:
        print(f"codepref: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        # the reader of our output went away (a closed pager): nothing is wrong, but stdout must not be flushed again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        print(f"codepref: cannot write: {error}. Free some space; the same command goes on from here", file=sys.stderr)
        return MachineError.exit_status
    except KeyboardInterrupt:
        print("\ncodepref: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
