"""Reads the ratings in a judge's answer. Pure.

A rating that cannot be read never becomes a number. Its response is unjudged, with a reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_CANDIDATES = 64
"""The parser looks for a JSON object at no more than this number of places. This bounds the time for a long answer."""

_BLOCK = re.compile(r"^[ \t#>*_-]*Rating[ \t*_]*:[ \t*_]*(.*?)[ \t*_]*$", re.MULTILINE | re.IGNORECASE)
_RATIONALE = re.compile(r"^[ \t#>*_-]*Rationale[ \t*_]*:[ \t*_]*", re.MULTILINE | re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d{1,6}")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a judge's answer says about each response. The keys are the labels of the responses (1, 2, ...).

    Attributes:
    values: the ratings that could be read, whole numbers on the scale.
    rationales: the judge's explanations.
    reasons: why a label has no value.
    complaint: what is wrong with the answer, or "" if every label has a value.
    """

    values: Mapping[int, int] = field(default_factory=dict)
    rationales: Mapping[int, str] = field(default_factory=dict)
    reasons: Mapping[int, str] = field(default_factory=dict)
    complaint: str = ""


def parse_ratings(text: str, count: int, low: int, high: int) -> Parsed:
    """Read the ratings of `count` responses, which have the labels 1, 2, ..., on a scale from `low` to `high`.

    A set of ratings is complete if it names every label exactly once. The parser looks for complete sets in JSON
    objects {"ratings": [{"id", "rating", "rationale"}, ...]} in the text; see MAX_CANDIDATES. If there is no complete
    set, it reads the published form: one block `Rating: N` / `Rationale: ...` for each response, in the order of the
    labels.
    An answer without a complete set rates no response, because a response may have made the judge write the incomplete
    set. An answer with several complete sets in JSON that differ in a rating rates no response either. A rating that is
    not a whole number on the scale ("N/A", "4/5", 11, 3.5) leaves only its own response unjudged.
    """
    labels = range(1, count + 1)
    readings = [entries for entries in _objects(text) if sorted(_labels(entries)) == list(labels)]
    if not readings:
        blocks = _blocks(text)
        if len(blocks) != count:
            some = any(True for _ in _objects(text)) or blocks
            complaint = "not every response is rated exactly once" if some else "it holds no ratings"
            return Parsed(reasons=dict.fromkeys(labels, complaint), complaint=complaint)
        readings = [blocks]
    parsed = [_parse(entries, low, high) for entries in readings]
    if any(dict(one.values) != dict(parsed[0].values) for one in parsed[1:]):
        complaint = "it holds several sets of ratings that differ"
        return Parsed(reasons=dict.fromkeys(labels, complaint), complaint=complaint)
    return parsed[-1]


def _parse(entries: Sequence[Mapping[str, Any]], low: int, high: int) -> Parsed:
    values, rationales, reasons = {}, {}, {}
    for entry in entries:
        label, rating = int(entry["id"]), entry.get("rating")
        rationale = entry.get("rationale")
        rationales[label] = rationale if isinstance(rationale, str) else ""
        value = _whole(rating)
        if value is None:
            reasons[label] = f"the rating is no whole number: {_short(rating)}"
        elif not low <= value <= high:
            reasons[label] = f"the rating is not between {low} and {high}: {value}"
        else:
            values[label] = value
    return Parsed(values, rationales, reasons, next(iter(reasons.values()), ""))


def _whole(value: Any) -> int | None:
    """Return the whole number that a JSON value holds as a number or as a text of digits, or None.

    A text of more than six digits and a float of a million or more give None too.
    """
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e6:
        return int(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return int(value)
    return None


def _objects(text: str) -> Iterator[list[Mapping[str, Any]]]:
    """Yield the list `ratings` of the JSON objects at the first MAX_CANDIDATES places where one could begin.

    Objects inside other readable objects do not count.
    """
    decoder = json.JSONDecoder()
    place = 0
    for _ in range(MAX_CANDIDATES):
        place = text.find("{", place)
        if place < 0:
            return
        try:
            document, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            place += 1
            continue
        entries = document.get("ratings") if isinstance(document, dict) else None
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
            yield entries


def _labels(entries: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the label of each entry, and -1 for an entry whose label is missing or not a whole number."""
    return [-1 if (label := _whole(entry.get("id"))) is None else label for entry in entries]


def _blocks(text: str) -> list[Mapping[str, Any]]:
    """Return one entry for each `Rating:` line, with the rationale that follows it. The first entry has label 1."""
    matches = list(_BLOCK.finditer(text))
    ends = [match.start() for match in matches[1:]] + [len(text)] * bool(matches)
    entries: list[Mapping[str, Any]] = []
    for label, (match, end) in enumerate(zip(matches, ends, strict=True), start=1):
        rest = text[match.end() : end]
        rationale = _RATIONALE.search(rest)
        explanation = rest[rationale.end() :].strip() if rationale else ""
        entries.append({"id": label, "rating": match.group(1).strip(), "rationale": explanation})
    return entries


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return repr(text[:40]) if text else "nothing"
