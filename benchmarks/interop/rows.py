"""Pairs that were made up for this benchmark. They have parts that a trainer could lose."""

from __future__ import annotations

from codepref.records import Message, Pair

SYSTEM: Message = {"role": "system", "content": "Answer with one Python function."}
EARLIER: list[Message] = [
    {"role": "user", "content": "What does `len` return?"},
    {"role": "assistant", "content": "The number of items."},
]
SUBJECTS = ("numbers", "words", "naïve Zeichen", "漢字", "tabs\tand\nlines", 'quotes "and" \\slashes', "<b>tags</b>")


def pairs(count: int) -> list[Pair]:
    """Return `count` pairs. A prompt has a system message, earlier turns, both or neither, besides the request."""
    return [_pair(number) for number in range(count)]


def _pair(number: int) -> Pair:
    subject = SUBJECTS[number % len(SUBJECTS)]
    request = {"role": "user", "content": f"Task {number}: write `f{number}`, which counts {subject}."}
    prompt = [*([SYSTEM] if number % 2 else []), *(EARLIER if number % 3 == 0 else []), request]
    body = f"def f{number}(items):\n    return len(items)"
    good = f"```python\n{body}\n```" if number % 4 else f"{body}  # {subject!r}"
    bad = f"```python\n{body} + {number + 1}\n```"
    if number % 5 == 0:
        good = f"\n{good}\n\n"
    return Pair(
        f"interop/{number}",
        prompt,
        [{"role": "assistant", "content": good}],
        [{"role": "assistant", "content": bad}],
        "written",
        1.0,
        0,
        1,
    )
