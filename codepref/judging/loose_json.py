"""Reads JSON as models write it. Pure.

The JSON of models often has raw line breaks in texts, a comma after the last entry, backslashes that escape nothing,
unescaped quotes within texts, single or typographic quotes, comments, or names without quotes. This module reads such
documents. It rejects a document that breaks off, and an object in which a name occurs twice.
"""

from __future__ import annotations

import re
from typing import Any

MAX_DEPTH = 20
"""The largest depth of nested lists and objects."""

_SPACE = re.compile(r"(?:[\s\ufeff\u00a0]|//[^\n]*|/\*.*?\*/|#[^\n]*)*", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[A-Za-z_][\w-]*")
_WORDS = {"true": True, "false": False, "null": None, "none": None, "nan": None, "n/a": None}
_CLOSING = {'"': '"', "'": "'", "\u201c": "\u201d", "\u201d": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\", "/": "/"}
_AFTER_TEXT = re.compile(
    r"[\s\ufeff]*(?:[:}\]]|$|,[\s\ufeff]*(?:[\"'\u201c\u2018{\[}\]\d+-]|$|[A-Za-z_]\w*[\s]*[:,}\]]|//|#))"
)


def read_document(text: str, place: int) -> tuple[Any, int]:
    """Return the list, object or text in quotes that begins at a place, and the place after it.

    place: a position in `text`. Raises ValueError if there is no value that can be read at this place.
    """
    return _Reader(text).value(place, 0)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text

    def value(self, place: int, depth: int) -> tuple[Any, int]:
        place = self._skip(place)
        letter = self.text[place : place + 1]
        if depth > MAX_DEPTH or not letter:
            raise ValueError
        if letter == "{":
            return self._object(place + 1, depth)
        if letter == "[":
            return self._list(place + 1, depth)
        if letter in _CLOSING:
            return self._string(place)
        if number := _NUMBER.match(self.text, place):
            end = number.end()
            if re.match(r"[\s]*[,}\]]", self.text[end : end + 50]) is None:
                raise ValueError  # such as 4/5
            digits = number[0]
            return int(digits) if re.fullmatch(r"[+-]?\d{1,9}", digits) else float(digits), end
        if (word := _WORD.match(self.text, place)) and word[0].lower() in _WORDS:
            return _WORDS[word[0].lower()], word.end()
        raise ValueError

    def _object(self, place: int, depth: int) -> tuple[dict[str, Any], int]:
        entries: dict[str, Any] = {}
        while True:
            place = self._skip(place)
            if self.text[place : place + 1] == "}":
                return entries, place + 1
            name, place = self._name(place)
            place = self._skip(place)
            if self.text[place : place + 1] != ":" or name in entries:
                raise ValueError
            entries[name], place = self.value(place + 1, depth + 1)
            place = self._comma(place, "}")

    def _list(self, place: int, depth: int) -> tuple[list[Any], int]:
        entries: list[Any] = []
        while True:
            place = self._skip(place)
            if self.text[place : place + 1] == "]":
                return entries, place + 1
            entry, place = self.value(place, depth + 1)
            entries.append(entry)
            place = self._comma(place, "]")

    def _name(self, place: int) -> tuple[str, int]:
        if self.text[place : place + 1] in _CLOSING:
            return self._string(place)
        if (word := _WORD.match(self.text, place)) is None:
            raise ValueError
        return word[0], word.end()

    def _comma(self, place: int, closing: str) -> int:
        """Return the place after a comma. The comma may be missing before the closing bracket and at a line break."""
        before, place = place, self._skip(place)
        if self.text[place : place + 1] == ",":
            return place + 1
        if self.text[place : place + 1] != closing and "\n" not in self.text[before:place]:
            raise ValueError
        return place

    def _string(self, place: int) -> tuple[str, int]:
        """Return a text in quotes and the place after it.

        A quote ends the text only if what stands after the quote can follow a text in JSON.
        """
        closing = _CLOSING[self.text[place]]
        letters: list[str] = []
        place += 1
        while place < len(self.text):
            letter = self.text[place]
            if letter == "\\":
                following = self.text[place + 1 : place + 2]
                if following == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", self.text[place + 2 : place + 6]):
                    letters.append(chr(int(self.text[place + 2 : place + 6], 16)))
                    place += 6
                    continue
                letters.append(_ESCAPES.get(following, "\\" + following))
                place += 2
            elif letter == closing and _AFTER_TEXT.match(self.text, place + 1):
                return "".join(letters), place + 1
            else:
                letters.append(letter)
                place += 1
        raise ValueError

    def _skip(self, place: int) -> int:
        space = _SPACE.match(self.text, place)
        return space.end() if space else place
