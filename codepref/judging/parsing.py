"""A judge's words -> ratings, strictly: what cannot be read is unjudged with its reason, never a number. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_CANDIDATES = 64
"""Places in an answer at which a JSON object is tried; a rambling answer must not cost more."""

_BLOCK = re.compile(r"^[ \t#>*_-]*Rating[ \t*_]*:[ \t*_]*(.*?)[ \t*_]*$", re.MULTILINE | re.IGNORECASE)
_RATIONALE = re.compile(r"^[ \t#>*_-]*Rationale[ \t*_]*:[ \t*_]*", re.MULTILINE | re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d{1,6}")


@dataclass(frozen=True, slots=True)
class Parsed:
    """One reading of a judge's answer, by label (1, 2, ...).

    values: whole numbers within the scale. rationales: the words beside them. reasons: why a label has no value.
    complaint: what is wrong with the answer as a whole, "" when every label has a value.
    """

    values: Mapping[int, int] = field(default_factory=dict)
    rationales: Mapping[int, str] = field(default_factory=dict)
    reasons: Mapping[int, str] = field(default_factory=dict)
    complaint: str = ""


def parse_ratings(text: str, count: int, low: int, high: int) -> Parsed:
    """Read the ratings of `count` responses, labelled from 1, on a scale from `low` to `high`.

    Reads a JSON object {"ratings": [{"id", "rating", "rationale"}, ...]}, alone or among other words, or as many
    blocks `Rating: N` / `Rationale: ...` as there are responses, in their order (the published form).
    An answer that does not name every label exactly once counts as none: what it says of some may be what a response
    told it to say. So do two complete answers in one that differ. A rating that is no whole number on the scale
    ("N/A", "4/5", 11, 3.5) leaves its own response unjudged.
    """
    labels = range(1, count + 1)
    readings = [entries for entries in _objects(text) if sorted(_labels(entries)) == list(labels)]
    if not readings:
        blocks = _blocks(text)
        if len(blocks) != count:
            found = any(True for _ in _objects(text))
            complaint = "not every response is rated exactly once" if found or blocks else "it holds no ratings"
            return Parsed(reasons=dict.fromkeys(labels, complaint), complaint=complaint)
        readings = [blocks]
    read = [_read(entries, low, high) for entries in readings]
    if any(dict(one.values) != dict(read[0].values) for one in read[1:]):
        complaint = "it holds several sets of ratings that differ"
        return Parsed(reasons=dict.fromkeys(labels, complaint), complaint=complaint)
    return read[-1]


def _read(entries: Sequence[Mapping[str, Any]], low: int, high: int) -> Parsed:
    values, rationales, reasons = {}, {}, {}
    for entry in entries:
        label, said = int(entry["id"]), entry.get("rating")
        rationale = entry.get("rationale")
        rationales[label] = rationale if isinstance(rationale, str) else ""
        value = _whole(said)
        if value is None:
            reasons[label] = f"the rating is no whole number: {_short(said)}"
        elif not low <= value <= high:
            reasons[label] = f"the rating is not between {low} and {high}: {value}"
        else:
            values[label] = value
    return Parsed(values, rationales, reasons, next(iter(reasons.values()), ""))


def _whole(said: Any) -> int | None:
    if type(said) is int:
        return said
    if isinstance(said, float) and said.is_integer() and abs(said) < 1e6:
        return int(said)
    if isinstance(said, str) and _NUMBER.fullmatch(said.strip()):
        return int(said)
    return None


def _objects(text: str) -> Iterator[list[Mapping[str, Any]]]:
    """The lists of rating entries in all JSON objects that stand in the text, the outermost ones."""
    decoder = json.JSONDecoder()
    place = 0
    for _ in range(MOST_CANDIDATES):
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
    """The labels that entries name; -1 for what names none."""
    return [-1 if (label := _whole(entry.get("id"))) is None else label for entry in entries]


def _blocks(text: str) -> list[Mapping[str, Any]]:
    """Entries from `Rating:` lines, each with the rationale that follows it."""
    found = list(_BLOCK.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)] * bool(found)
    entries: list[Mapping[str, Any]] = []
    for label, (match, end) in enumerate(zip(found, ends, strict=True), start=1):
        rest = text[match.end() : end]
        rationale = _RATIONALE.search(rest)
        words = rest[rationale.end() :].strip() if rationale else ""
        entries.append({"id": label, "rating": match.group(1).strip(), "rationale": words})
    return entries


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return repr(text[:40]) if text else "nothing"
