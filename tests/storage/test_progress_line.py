"""The progress line of work whose size is not known."""

from __future__ import annotations

import io

from codepref.storage.progress import ProgressLine


def test_a_line_without_a_total_shows_what_is_done_and_the_rate() -> None:
    times = iter([0.0, 2.0, 20.0])
    stream = io.StringIO()
    line = ProgressLine("read", stream=stream, clock=lambda: next(times))
    line(1000, 0)  # too early
    line(40_000, 0)
    assert stream.getvalue() == "read: 40,000, 2,000.0/s\n"
