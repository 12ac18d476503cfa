"""What the commands write besides their results."""

from __future__ import annotations

import sys


def log(text: str) -> None:
    """Print one message on stderr at once."""
    print(text, file=sys.stderr, flush=True)
