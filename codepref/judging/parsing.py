"""Reads the ratings in a judge's answer. Pure.

A rating that cannot be read never becomes a number. Its response is unjudged, with a reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from codepref.judging.loose_json import read_document
from codepref.judging.thoughts import without_thoughts

MAX_CANDIDATES = 64
"""The parser looks for JSON documents at no more than this number of places. This bounds the time for a long answer."""

MAX_LOOSE = 100_000
"""The largest number of characters that are read of a document that is not valid JSON."""

_BEGIN = re.compile(r"[{\[]")
_LABEL = re.compile(r"(?:response|answer|solution|code|id)?[ _#.:-]*(\d{1,6})")

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

    A set of ratings is complete if it names every label exactly once. The judge's thoughts do not count (see
    `codepref.judging.thoughts`). In the rest of the text, the parser looks for complete sets in JSON: an object
    {"ratings": [{"id", "rating", "rationale"}, ...]}, the list alone, objects of one rating each at the beginning of
    their lines, or an object such as {"1": {"rating", "rationale"}, ...} or {"ratings": {"1": 4, ...}}. It tries at
    most MAX_CANDIDATES places. JSON with usual mistakes is read too (see `codepref.judging.loose_json`). If there is
    only one response, its rating in JSON needs no label. If there is no complete set, the parser reads the published
    form: one block `Rating: N` / `Rationale: ...` for each response, in the order of the labels. An answer without a
    complete set rates no response, because a response may have made the judge write the incomplete set. An answer with
    several complete sets in JSON that differ in a rating rates no response either. A rating that is not a whole number
    on the scale ("N/A", "4/5", 11, 3.5) leaves only its own response unjudged.
    """
    labels = range(1, count + 1)
    answer = without_thoughts(text, [span for _, span in _documents(text)])
    sets = [_with_label(entries) if count == 1 else entries for entries in _sets(answer)]
    readings = [entries for entries in sets if sorted(_labels(entries)) == list(labels)]
    if not readings:
        blocks = _blocks(answer)
        if len(blocks) != count:
            complaint = "not every response is rated exactly once" if sets or blocks else "it holds no ratings"
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
        label, rating = _whole_label(entry["id"]) or 0, entry.get("rating")
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
    """Return the whole number that a JSON value holds as a number or as a text, or None.

    A text may have a sign. A text of more than six digits and a float of a million or more give None too.
    """
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e6:
        return int(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return int(value)
    return None


def _documents(text: str) -> Iterator[tuple[Any, tuple[int, int]]]:
    """Yield the JSON documents at the first MAX_CANDIDATES places where one could begin, with their places.

    Documents inside other readable documents do not count.
    """
    decoder = json.JSONDecoder(strict=False, object_pairs_hook=_object)
    place = 0
    for _ in range(MAX_CANDIDATES):
        begins = _BEGIN.search(text, place)
        if begins is None:
            return
        first = begins.start()
        try:
            document, place = decoder.raw_decode(text, first)
        except (ValueError, RecursionError):
            try:
                document, place = read_document(text[: first + MAX_LOOSE], first)
            except (ValueError, RecursionError):
                place = first + 1
                continue
        yield document, (first, place)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object with these names and values. Raises ValueError if a name has two different values."""
    document = dict(pairs)
    if len(document) < len(pairs) and any(document[name] != value for name, value in pairs):
        raise ValueError
    return document


def _sets(text: str) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Yield each set of ratings in the JSON documents of a text.

    Objects that hold one rating each and begin at the beginning of a line are together one set.
    """
    single: list[Mapping[str, Any]] = []
    for document, (first, _) in _documents(text):
        if entries := _entries(document):
            yield entries
        elif isinstance(document, dict) and (not first or text[first - 1] == "\n"):
            entry = _lowered(document)
            if "rating" in entry:
                single.append(entry)
    if single:
        yield single


def _with_label(entries: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the entries. A single entry without a label gets the label 1, which is right if there is one response."""
    return [{**entries[0], "id": 1}] if len(entries) == 1 and entries[0].get("id") is None else entries


def _entries(document: Any, depth: int = 0) -> Sequence[Mapping[str, Any]]:
    """Return the entries of the set of ratings in a document, or [] if it holds no set in a form that is read.

    A set is a list of entries, or an object from labels to entries. It may stand under the key `ratings`, or in objects
    with a single key. Under `ratings`, it may also be an object from labels to bare ratings. Elsewhere such an object
    does not count, since it may be an example in code.
    """
    if isinstance(document, dict) and depth < 4:
        lowered = _lowered(document)
        if isinstance(lowered.get("ratings"), list | dict):
            return _bare(lowered["ratings"]) or _entries(lowered["ratings"], depth + 1)
        by_label = [(_label(name), value) for name, value in document.items()]
        if by_label and all(label is not None and isinstance(value, dict) for label, value in by_label):
            entries = [{"id": label, **_lowered(value)} for label, value in by_label]
            # an entry that names another label than its key is a mistake of the judge
            right = all(_whole_label(entry["id"]) == label for entry, (label, _) in zip(entries, by_label, strict=True))
            return entries if right and all("rating" in entry for entry in entries) else []
        if len(document) == 1:
            return _entries(next(iter(document.values())), depth + 1)
    if isinstance(document, list) and document and all(isinstance(entry, dict) for entry in document):
        entries = [_lowered(entry) for entry in document]
        return entries if any("rating" in entry for entry in entries) else []
    return []


def _bare(ratings: Any) -> Sequence[Mapping[str, Any]]:
    """Return the entries of an object from labels to bare ratings, such as {"1": 4, "2": 5}, or []."""
    if not isinstance(ratings, dict) or any(isinstance(value, dict | list) for value in ratings.values()):
        return []
    labels = [_label(name) for name in ratings]
    if None in labels:
        return []
    return [{"id": label, "rating": value} for label, value in zip(labels, ratings.values(), strict=True)]


def _lowered(entry: Mapping[Any, Any]) -> dict[str, Any]:
    """Return an entry with its names in lower case and without spaces around them."""
    return {str(name).strip().lower(): value for name, value in entry.items()}


def _label(name: Any) -> int | None:
    """Return the label in a name such as "2" or "response_2", or None."""
    found = _LABEL.fullmatch(str(name).strip().lower())
    return int(found[1]) if found else None


def _whole_label(value: Any) -> int | None:
    return _label(value) if isinstance(value, str) else _whole(value)


def _labels(entries: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the label of each entry, and -1 for an entry whose label is missing or cannot be read."""
    return [-1 if (label := _whole_label(entry.get("id"))) is None else label for entry in entries]


def _blocks(text: str) -> Sequence[Mapping[str, Any]]:
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
