"""Finds out which field of a request a server refuses, and what to send instead. Pure.

Servers refuse fields in their own words. A field that may be the cause is left out or renamed, and the request is made
again. If this goes well, later calls make the same change (see `codepref.servers.adaptation`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from codepref.servers.refusals import ServerError, is_held_back, is_too_long

Change = tuple[str, Any] | None
"""The name and the value to send in place of a field. None leaves the field out."""
Changes = Mapping[str, Change]

LIMIT, NEW_LIMIT = "max_tokens", "max_completion_tokens"
WARM = 0.01
"""The temperature that is sent to a server which refuses the temperature 0."""

_NAMES = {
    "response_format": r"response_?\s?format|json[_ -]?schema|json[_ -]?(?:mode|object)|structured[_ -]?outputs?|"
    r"guided[_ ]?(?:json|decoding)|\bgrammar\b|additionalproperties|\bschema\b",
    "n": r"(?<![\w.])['\"`]n['\"`](?!\w)|(?<![\w.'])n(?= ?(?:>|=|:|must|is |parameter|param|should))|"
    r"(?:multiple|number of) (?:choices|completions|candidates)|candidate_?count|(?<=: )n$",
    "stop": r"['\"`]stop['\"`]|\bstop(?= (?:is|param|field|sequence|must|word))|stop_?sequences?|(?<=: )stop$",
    "seed": r"\bseed\b|random_?seed",
    "top_p": r"\btop[_ -]?p\b|nucleus",
    "temperature": r"\btemperature\b",
    LIMIT: r"\bmax_?tokens\b|max_new_tokens|max_?output_?tokens|max_completion_tokens",
}
_PATTERNS = {name: re.compile(pattern) for name, pattern in _NAMES.items()}
_ORDER = ("response_format", "n", "stop", "seed", "top_p", "temperature")
"""The order in which fields are left out if a server names none of them.

The fields whose loss changes the answers least come first.
"""

_RANGE = re.compile(
    r"between|less than|greater than|more than|at most|at least|[<>≤≥]|too (?:large|high|long|big|small|low)|exceed|"
    r"maximum|minimum|\brange\b|positive|larger|smaller|higher|lower|up to|within"
)
_DEFAULT = re.compile(r"\bdefault\b|only .{0,12}\b1(?:\.0)?\b")
_TOGETHER = re.compile(
    r"both|either|together|same time|simultaneous|only one|one of|combin|mutual|alongside|never .* with"
)
_REFUSES = re.compile(
    r"unsupported|not support|n.t support|unrecogni[sz]ed|unexpected|unknown|extra|not (?:be )?permitted|not allowed|"
    r"deprecated|not (?:available|known|valid|implemented)|invalid|cannot|no parameter|remove|incompatib"
)
_PARAMETER_WORDS = re.compile(r"param|argument|field|propert|\boptions?\b|keyword|extra inputs")
_PARAMETERS = re.compile(f"{_PARAMETER_WORDS.pattern}|{_REFUSES.pattern}")
_RENAMED = re.compile(rf"(?:use|send|set|try) .{{0,20}}{NEW_LIMIT}|{NEW_LIMIT}.{{0,20}} (?:instead|in .{{0,4}}place)")


def apply_changes(arguments: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """Return the arguments of a call with the changes made."""
    changed = {name: value for name, value in arguments.items() if name not in changes}
    changed.update(change for name, change in changes.items() if change is not None and name in arguments)
    return changed


def dropped_names(arguments: Mapping[str, Any], changes: Changes) -> list[str]:
    """Return the names of the fields whose value does not reach the server because of the changes."""
    return sorted(
        name
        for name, change in changes.items()
        if name in arguments and (change is None or change[1] != arguments[name])
    )


def next_changes(
    error: ServerError,
    arguments: Mapping[str, Any],
    changes: Changes,
    *,
    model: str,
    keep: frozenset[str] = frozenset(),
) -> tuple[str, Changes] | None:
    """Return a field that may be the cause of an error, and the changes to try next, or None if there is no such field.

    arguments: the arguments of the call before the changes. changes: the changes with which the call was made. model:
    the name of the model. Words in this name do not count as names of fields. keep: fields that may not be left out.
    """
    words = error.words.lower().replace(model.lower(), " ")
    # a failure of the server may name a field by chance, so its words must say that the field is refused
    failed = error.status == 0 or error.status >= 500
    named = _candidates(error, words, arguments, changes)
    if not failed or _REFUSES.search(words):
        for name in named:
            helps, change = _change(name, words, arguments, changes)
            if helps and not (change is None and name in keep):
                return name, {**changes, name: change}
    about_other = any(field in ("messages", "model", "prompt", "input") for field in error.fields)
    if failed or about_other or is_held_back(error) or is_too_long(error):
        return None
    if _candidates(error, words, arguments, {}):  # a named field that cannot be changed, or was changed in vain
        return None
    pattern = _PARAMETERS if error.status not in (404, 405) else _PARAMETER_WORDS
    for name in _ORDER if pattern.search(words) else _ORDER[:2]:
        if name in arguments and name not in changes and name not in keep:
            return name, {**changes, name: None}
    return None


def _candidates(error: ServerError, words: str, arguments: Mapping[str, Any], changes: Changes) -> list[str]:
    """Return the sent fields that an error names.

    If the error names sent fields apart from its words, only these count. Otherwise the fields stand in the order in
    which the words name them.
    If the words say that temperature and top_p exclude each other, the only field is top_p.
    """
    sent = [name for name in _NAMES if name in arguments and changes.get(name, ()) is not None]
    if _is_pair(words) and "temperature" in sent and "top_p" in sent:
        return ["top_p"]
    listed = [name for field in error.fields for name in _of_field(field, sent)]
    if listed:
        return list(dict.fromkeys(listed))
    places = [(found.start(), name) for name in sent if (found := _PATTERNS[name].search(words))]
    return [name for _, name in sorted(places)]


def _of_field(field: str, sent: list[str]) -> Iterator[str]:
    """Yield the sent field that a server's name of a field means, such as `generationConfig.topP`."""
    last = re.split(r"[.\[\]/]", field.strip("'\"` ."))
    for part in last:
        plain = re.sub(r"[^a-z]", "", part.lower())
        for name in sent:
            if plain == name.replace("_", "") or (
                name == LIMIT and plain in ("maxcompletiontokens", "maxoutputtokens")
            ):
                yield name


def _is_pair(words: str) -> bool:
    named = _PATTERNS["temperature"].search(words) and _PATTERNS["top_p"].search(words)
    return named is not None and _TOGETHER.search(words) is not None


def _change(name: str, words: str, arguments: Mapping[str, Any], changes: Changes) -> tuple[bool, Change]:
    """Return whether a change of a field may help, and the change.

    A temperature, top_p or max_tokens outside the server's range is a mistake of the user, except the temperature 0 and
    the top_p 1.
    """
    value, before = arguments[name], changes.get(name, ())
    out_of_range = _RANGE.search(words) is not None and not _DEFAULT.search(words)
    if name == LIMIT:
        if before == () and (not out_of_range or _RENAMED.search(words)):
            return True, (NEW_LIMIT, value)
        return not out_of_range, None
    if name == "temperature" and out_of_range:
        return value == 0, ("temperature", WARM) if before == () else None
    if name == "top_p" and out_of_range and not _is_pair(words):
        return value == 1, None
    return True, None
