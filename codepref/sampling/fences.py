"""Splits a Markdown text into what stands in fences and what stands outside. Pure.

A line that begins with a fence usually ends a block, but not if it is inside a triple-quoted string of Python. Reading
the strings of the block, and parsing the resulting block, shows which lines are inside a string.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

from codepref.problems.source import parse
from codepref.sampling.python_text import is_code, open_string

PYTHON = {"", "python", "py", "ipython", "pycon", "sage", "tool_code"}
"""The language tags, without version numbers, of blocks that can hold Python. "" stands for a block without a tag."""

_MARKDOWN = {"markdown", "md"}
_MAX_NESTED = 3
_MAX_LOOKAHEAD = 300_000
"""The number of characters of one text that may be read twice, after fences in strings.

This keeps the time linear for hostile texts.
"""

_OPENS = re.compile(r"^(?P<before>[^`]*?)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)$")
_ONE_LINE = re.compile(r"^(?P<before>[^`]*)```(?P<code>[^`]+)```\s*$")
_CONTAINER = re.compile(r"^[\s>]*(?:(?:[-*+]|\d{1,3}[.)])\s+)?$")
"""What can stand before a fence in a quote or a list."""
_WORD = re.compile(r"^[\w+#.-]*\s*$")
_QUOTE = re.compile(r"^\s*>\s?")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an answer.

    Attributes:
    text: the text without the fences.
    language: the language tag of a block in lower case and without a version, "" without a tag, or None outside fences.
    first, end: the numbers of its first line and of the line behind its last line, from 0. Inside a block that is
        tagged as Markdown, the lines of that block are counted.
    closed: whether a fence or the beginning of another block ends it.
    """

    text: str
    language: str | None
    first: int
    end: int
    closed: bool


@dataclass(frozen=True, slots=True)
class _Fence:
    mark: str
    prefix: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class _End:
    """Where a block ends.

    Attributes:
    end: the number of its last line + 1, without the line of its closing fence.
    after: the number of the line at which reading continues, after the closing fence.
    tail: code that stands before the fence on the fence's line, or None.
    language: the tag of the next block, if the fence opens one, or None.
    closed: whether a fence ends the block.
    """

    end: int
    after: int
    tail: str | None = None
    language: str | None = None
    closed: bool = True


def plain_lines(text: str) -> str:
    r"""Return the text with "\n" in place of "\r\n" and of "\r"."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def split_answer(text: str, depth: int = 0) -> list[Part]:
    """Return the parts of a text in their order: the fenced blocks, and the text around them where it is not blank.

    The last block need not be closed. If the text begins with Python code that ends at a fence, this code is a block
    without a tag, because the prompt can end with an opening fence. A block that is tagged as Markdown is split too.
    depth: the level of this call.
    """
    return _Splitter(plain_lines(text).split("\n"), depth).parts()


@dataclass(slots=True)
class _Splitter:
    lines: Sequence[str]
    depth: int
    found: list[Part] = field(default_factory=list)
    lookahead: int = _MAX_LOOKAHEAD

    def parts(self) -> list[Part]:
        place = outside = self._leading_code()
        while place < len(self.lines):
            line = self.lines[place]
            fence = _opening(line)
            single = _ONE_LINE.match(line) if fence is None and line.rstrip().endswith("```") else None
            if fence is None and single is None:
                place += 1
                continue
            self._add_outside(outside, place)
            if single is not None:
                self.found.append(Part(_without_language(single["code"]), "", place, place + 1, closed=True))
                place = outside = place + 1
            while fence is not None:
                end = self._block(place + 1, fence)
                # a fence with a language tag inside a block opens the next block: the model forgot to close the first
                fence = _Fence(fence.mark, fence.prefix, end.language) if end.language is not None else None
                place = outside = end.after
                place -= fence is not None
        self._add_outside(outside, len(self.lines))
        return self.found

    def _leading_code(self) -> int:
        """Add the code with which the text begins. Return the number of the first line after it, or 0 without code."""
        first = next((place for place, line in enumerate(self.lines) if line.strip()), len(self.lines))
        if first == len(self.lines) or _opening(self.lines[first]) is not None:
            return 0
        first += self.lines[first].strip().isalnum() and _language(self.lines[first]) in PYTHON - {""}
        ends = [self._end(first, _Fence(mark)) for mark in ("```", "~~~")]
        for end in sorted(ends, key=lambda end: (not end.closed, end.end)):
            text = self._text(first, end, _Fence(""))
            if is_code(text):
                language = "" if end.closed else None
                self.found.append(Part(text, language, first, end.end + (end.tail is not None), end.closed))
                return end.after - (end.language is not None)
        return 0

    def _add_outside(self, first: int, end: int) -> None:
        text = "\n".join(self.lines[first:end])
        if text.strip():
            self.found.append(Part(text, None, first, end, closed=end < len(self.lines)))

    def _block(self, first: int, fence: _Fence) -> _End:
        """Add the block that begins at line `first`. Return where it ends."""
        end = self._end(first, fence)
        text = self._text(first, end, fence)
        if fence.language in _MARKDOWN and self.depth < _MAX_NESTED:
            self.found += split_answer(text, self.depth + 1)
        else:
            self.found.append(Part(text, fence.language, first, end.end + (end.tail is not None), end.closed))
        return end

    def _text(self, first: int, end: _End, fence: _Fence) -> str:
        lines = [*self.lines[first : end.end], *([] if end.tail is None else [end.tail])]
        return _without_prefix(lines, fence.prefix)

    def _end(self, first: int, fence: _Fence) -> _End:
        """Return where the block that begins at line `first` ends. Fences in strings of Python do not end it."""
        inside = ""
        in_string: _End | None = None
        inner = 0
        for place in range(first, len(self.lines)):
            line = self.lines[place]
            end = _closing(line, place, fence)
            if end is not None and fence.language in _MARKDOWN:
                inner += 1 if end.language else -1
                end = None if inner >= 0 else end
            if end is not None and inside:
                in_string = in_string or end
            elif end is not None:
                return end if in_string is None or self._parses(first, end, fence) else in_string
            if in_string is not None:
                self.lookahead -= len(line) + 1
                if self.lookahead < 0:
                    return in_string
            if fence.language in PYTHON:
                inside = open_string(line, inside)
        end = _End(len(self.lines), len(self.lines), closed=False)
        return end if in_string is None or self._parses(first, end, fence) else in_string

    def _parses(self, first: int, end: _End, fence: _Fence) -> bool:
        return is_code(self._text(first, end, fence))


def _opening(line: str) -> _Fence | None:
    """Return the fence that a line outside a block opens, or None. Prose may stand before a fence of backquotes."""
    if "```" not in line and "~~~" not in line:
        return None
    opened = _OPENS.match(line)
    if opened is None:
        return None
    before, info = opened["before"], opened["info"]
    in_container = _CONTAINER.match(before) is not None
    if not in_container and (opened["fence"][0] == "~" or not _WORD.match(info)):
        return None
    return _Fence(opened["fence"], before if in_container else "", _language(info))


def _closing(line: str, place: int, fence: _Fence) -> _End | None:
    """Return the end of a block if this line of the block ends it, or else None. A tag on it opens the next block."""
    if fence.mark not in line:
        return None
    stripped = line.strip()
    if ">" in fence.prefix:
        stripped = stripped.lstrip("> ")
    if stripped.startswith(fence.mark):
        info = stripped.lstrip(fence.mark[0]).strip()
        if fence.mark[0] in info or (len(info.split()) > 1 and fence.language not in PYTHON):
            return None
        opens = bool(info) and (len(info.split()) == 1 or _language(info) in PYTHON)
        return _End(place, place + 1, language=_language(info) if opens else None)
    if fence.mark[0] == "`" and stripped.endswith(fence.mark) and stripped.count(fence.mark) == 1:
        return _End(place, place + 1, tail=line.rstrip()[: -len(fence.mark)])
    return None


def _language(info: str) -> str:
    """Return the language of the text behind a fence, such as "python" for `{.Python3 title="a"}`."""
    words = info.split()
    found = re.match(r"[a-z_+#]*", words[0].lower().lstrip("{.")) if words else None
    return found[0] if found else ""


def _without_language(code: str) -> str:
    first, _, rest = code.strip().partition(" ")
    return rest if rest and first.lower() in PYTHON else code.strip()


def _without_prefix(lines: Sequence[str], prefix: str) -> str:
    """Return the lines of a block without the indentation, list marker or quote marks of its fence, if they have it."""
    unchanged = "\n".join(lines)
    if not prefix:
        return unchanged
    for _ in range(prefix.count(">")):
        lines = [_QUOTE.sub("", line) for line in lines]
    if ">" in prefix:
        return "\n".join(lines)
    if not prefix.strip():
        shorter = "\n".join(line.removeprefix(prefix) for line in lines)
        return shorter if parse(shorter) is not None or parse(unchanged) is None else unchanged
    dedented = textwrap.dedent(unchanged)
    return dedented if parse(dedented) is not None else unchanged
