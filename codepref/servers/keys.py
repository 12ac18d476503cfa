"""Reads the keys of servers from the environment, and keeps them out of messages."""

from __future__ import annotations

import os
import re

_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\u00ad"
_QUOTES = "\"'`\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u00ab\u00bb\u2039\u203a"
_PREFIX = re.compile(r"(?:authorization\s*:\s*)?bearer\s+", re.IGNORECASE)
MIN_HIDDEN = 6
"""The smallest number of characters of a key that `hide_key` hides. Shorter keys are often words, such as "none"."""


def read_key(variable: str) -> str:
    """Return the key in an environment variable, or "" if there is none.

    This leaves out white space, quotes and some invisible characters around the key, and the words "Bearer" and
    "Authorization: Bearer" before it. People often copy them together with the key.
    """
    key = os.environ.get(variable, "")
    for _ in range(3):  # such as quotes within spaces within quotes
        key = key.strip().strip(_INVISIBLE).strip(_QUOTES).strip()
        key = _PREFIX.sub("", key, count=1) if _PREFIX.match(key) else key
    return key


def key_mistake(variable: str) -> str:
    """Return what is wrong with the key in an environment variable, or "". The text does not hold the key."""
    key = read_key(variable)
    for place, letter in enumerate(key, start=1):
        if not 32 < ord(letter) < 127:
            what = "white space" if letter.isspace() else f"a character that no key holds (U+{ord(letter):04X})"
            return (
                f"the key in the environment variable {variable} has {what} at place {place} of {len(key)}. "
                "Set it again, to the key alone"
            )
    return ""


def hide_key(text: str, key: str) -> str:
    """Return a text with "(the key)" in place of the key, if the key has at least MIN_HIDDEN characters."""
    return text.replace(key, "(the key)") if len(key) >= MIN_HIDDEN else text
