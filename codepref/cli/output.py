"""Messages of the commands on stderr."""

from __future__ import annotations

import sys


def log(text: str) -> None:
    """Print one message on stderr without delay."""
    print(text, file=sys.stderr, flush=True)
