"""Shows progress: on a terminal as one line that is rewritten, elsewhere as new lines.

The new lines are at least ten seconds apart. Closing lines and messages are written at once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

QUIET_SECONDS = 10.0
"""Least number of seconds between two progress lines if the stream is not a terminal."""


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """One node. finished: pieces of work since the command began. state: such as "ready", or why it is not used."""

    finished: int = 0
    state: str = "ready"


class ProgressLine:
    """A progress line, with the rate and the remaining time when they are known.

    Call the object with (done, total) while the work goes on, and call `close` at the end.
    label: the text at the beginning of the line. unit: what is counted. stream: where the line is written; None means
    stderr. clock: a function that returns the time in seconds.

    Attributes: `note` is a text for the end of the line, such as the money spent so far.
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
        """Show that `done` of `total` are finished. total: 0 if it is not known.

        If the start or the last shown line is less than 0.1 seconds (on a terminal) or QUIET_SECONDS (elsewhere) ago,
        nothing is shown, with one exception: a terminal shows the line of finished work at once if `total` is known.
        """
        if self.first is None:
            # the results of an earlier, interrupted run do not count for the rate of this run
            self.first = done if done < total else 0
        now = self.clock()
        pause = 0.1 if self.terminal else QUIET_SECONDS
        if now - self.shown < pause and (done < total or not total or not self.terminal):
            return
        self.shown = now
        self._show(self.text(done, total, now))

    def text(self, done: int, total: int, now: float) -> str:
        """Return the text of the line, such as `label: 3/9 unit, 1.5/s, about 4 s left`. now: the time by `clock`."""
        elapsed = max(now - self.started, 1e-9)
        rate = (done - (self.first or 0)) / elapsed
        text = f"{self.label}: {done:,}{f'/{total:,}' if total else ''} {self.unit}".rstrip()
        if rate > 0:
            text += f", {rate:,.1f}/s"
            if done < total:
                text += f", about {duration((total - done) / rate)} left"
        return f"{text}; {self.note}" if self.note else text

    def notify(self, text: str) -> None:
        """Write a message on a line of its own. The progress line follows on the next line."""
        if self.terminal and self.width:
            self.stream.write("\r" + " " * self.width + "\r")
        self.stream.write(text + "\n")
        self.stream.flush()

    def close(self, closing: str = "") -> None:
        """End the line. If `closing` is given, show it: on a terminal in place of the line, elsewhere as a new line."""
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


def duration(seconds: float) -> str:
    """Return a number of seconds as text, such as "75 s", "12 min" or "3.4 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
