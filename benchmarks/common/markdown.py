"""Writes Markdown tables, headings and figures for several results documents. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def grid(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return the lines of a Markdown table and an empty line at the end. In cells, backquotes become apostrophes."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return [*lines, *(f"| {' | '.join(_cell(item) for item in row)} |" for row in rows), ""]


def _cell(item: Any) -> str:
    return str(item).replace("|", "\\|").replace("\n", "↵").replace("`", "'")


def part_head(name: str, part: dict[str, Any]) -> list[str]:
    """Return lines with a heading for one part of a results file, and its command, machine, versions, date and time."""
    machine = part["machine"]
    versions = ", ".join(f"{package} {version}" for package, version in part["versions"].items())
    return [
        f"## {name}",
        "",
        f"`{part['command']}`",
        "",
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB, Linux {machine['kernel']}, "
        f"Python {machine['python']}; load average before {machine['load_before'][0]}, niceness "
        f"{machine['niceness']}; {versions}. {part['date']}, {part['wall_seconds']:.0f} s in all.",
        "",
    ]


def shorten(text: str, size: int = 60) -> str:
    """Return a text on one line, with apostrophes in place of backquotes.

    Of a text that is longer than `size`, only the last `size` characters are returned, after "…".
    """
    text = " ".join(text.split()).replace("`", "'")
    return text if len(text) <= size else "…" + text[-size:]


def points(item: dict[str, float]) -> str:
    """Return a paired difference and its interval as text, in percentage points."""
    return f"{100 * item['difference']:+.1f} [{100 * item['low']:+.1f}, {100 * item['high']:+.1f}]"


def before_and_after(item: dict[str, float]) -> str:
    """Return a figure of the base model and of the aligned model as text, in percent."""
    return f"{100 * item['base']:.1f} → {100 * item['aligned']:.1f}"
