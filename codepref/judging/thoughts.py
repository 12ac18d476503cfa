"""Finds what a judge says after it has thought. Pure.

`codepref.sampling.tags` does this for programs. A rating in a thought must not count. A judge may quote tags of its
prompt. Beginnings and ends of thoughts are therefore not matched with each other. The answer is usually the text after
the last end of a thought.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORDS = (
    r"(?:[a-z]+[:_.▁-])?(?:think|thinking|thought|thoughts|reasoning|reason|reflection|scratch_?pad|analysis|cot|"
    r"chain_?of_?thoughts?|inner_?monologue|monologue|deliberation|internal|draft|plan|planning)(?:[_▁-][a-z]+)?"
)
_OPEN = re.compile(
    rf"<{_WORDS}(?:\s[^<>\n]{{0,80}})?>|\[(?:THINK|THINKING|THOUGHT|REASONING)\]|◁{_WORDS}▷|"
    rf"<\|(?:start|begin)(?:_of)?_{_WORDS}\|>|<\|{_WORDS}\|>|<\|channel\|>\s*(?:analysis|commentary)",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"</\s*{_WORDS}\s*>|\[/(?:THINK|THINKING|THOUGHT|REASONING)\]|◁/{_WORDS}▷|<\|/{_WORDS}\|>|"
    rf"<\|end(?:_of)?_{_WORDS}\|>|<\|channel\|>\s*final(?:\s*<\|message\|>)?|assistantfinal(?=[\s\[{{#*R])",
    re.IGNORECASE,
)


def without_thoughts(text: str, documents: Sequence[tuple[int, int]]) -> str:
    """Return the part of `text` after the last end of a thought, up to the next beginning of a thought.

    The part begins at the beginning of `text` if no thought ends. If the part is blank, return the text before the
    first thought, or "" if the beginning of this thought is missing.
    documents: the places (first, after the last) of JSON documents in the text. Tags within the documents do not count.
    """
    closes = [found for found in _CLOSE.finditer(text) if not _within(found, documents)]
    opens = [found for found in _OPEN.finditer(text) if not _within(found, documents)]
    start = closes[-1].end() if closes else 0
    later = [found.start() for found in opens if found.start() >= start]
    answer = text[start : later[0]] if later else text[start:]
    if answer.strip() or not closes:
        return answer
    first = [found.start() for found in opens[:1] if found.start() < closes[0].start()]
    return text[: first[0]] if first else ""


def _within(found: re.Match[str], documents: Sequence[tuple[int, int]]) -> bool:
    return any(first < found.start() < end for first, end in documents)
