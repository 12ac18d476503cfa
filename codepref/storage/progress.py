"""Progress on stderr: one rewritten line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

QUIET_SECONDS = 10.0
"""How often a plain line is written when stderr is no terminal."""


class ProgressLine:
    """Call it with (done, total). Shows the rate and the remaining time; `close` ends the line.

    note: more to say at the end of the line, such as what was spent.
    """

    def __init__(
        self,
        label: str,
        unit: str = "",
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.label, self.unit = label, unit
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.clock = clock
        self.started = self.shown = clock()
        self.first: int | None = None
        self.note = ""
        self.width = 0

    def __call__(self, done: int, total: int) -> None:
        """Tell that `done` of `total` are done."""
        if self.first is None:
            # What an earlier, interrupted run left is no part of this run's rate.
            self.first = done if done < total else 0
        now = self.clock()
        pause = 0.1 if self.terminal else QUIET_SECONDS
        if now - self.shown < pause and (done < total or not self.terminal):
            return
        self.shown = now
        self._show(self.text(done, total, now))

    def text(self, done: int, total: int, now: float) -> str:
        """The line itself: `label: done/total unit, rate/s, about N s left`."""
        elapsed = max(now - self.started, 1e-9)
        rate = (done - (self.first or 0)) / elapsed
        text = f"{self.label}: {done:,}/{total:,} {self.unit}".rstrip()
        if rate > 0:
            text += f", {rate:,.1f}/s"
            if done < total:
                text += f", about {_duration((total - done) / rate)} left"
        return f"{text}; {self.note}" if self.note else text

    def close(self, closing: str = "") -> None:
        """End the line; `closing` is written in its place."""
        if closing:
            self._show(closing)
        if self.terminal and self.width:
            self.stream.write("\n")
        self.stream.flush()

    def _show(self, text: str) -> None:
        if self.terminal:
            self.stream.write("\r" + text.ljust(self.width))
            self.width = max(self.width, len(text))
        else:
            self.stream.write(text + "\n")
        self.stream.flush()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
