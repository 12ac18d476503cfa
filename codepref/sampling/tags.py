"""Removes from raw model text what is not part of the answer: thinking, special tokens, byte order marks. Pure.

Models write thinking between tags such as `<think>` and `</think>`, and special tokens such as `<|im_end|>` can stand
in decoded text. A tag belongs to the code if it is in a string on one line, in a block of Python that Python can read,
or in an answer that is such code as a whole. A special token at the very end of an answer is always removed.
"""

from __future__ import annotations

import bisect
import html
import re
from dataclasses import dataclass
from typing import Literal

from codepref.sampling.fences import PYTHON, plain_lines, split_answer
from codepref.sampling.python_text import is_code

_Kind = Literal["think", "end_think", "answer", "drop", "code", "end_code", "token"]

_TAG = re.compile(
    r"(?P<left><[|｜]|<|\[\||\[|◁)(?P<slash>/?)(?P<name>[^\W_][\w:.▁-]{0,40})(?:\s[^<>\[\]\n]{0,80})?(?P<right>[|｜]>|>|\|\]|\]|▷)"
)
_RIGHT = {"<": ">", "<|": "|>", "<｜": "｜>", "[|": "|]", "[": "]", "◁": "▷"}
_QUOTED = re.compile(r"""(?<![\w`])[rbfuRBFU]{0,2}(?P<quote>["']|`(?!`))(?:\\.|(?!(?P=quote))[^\\])*(?P=quote)""")
_MAX_QUOTED_LINE = 2_000
"""Strings are not looked for in longer lines, since that could take quadratic time."""

_THINKING = {"think", "thinking", "thought", "thoughts", "reasoning", "scratchpad", "cot", "monologue", "reflection"}
_MAYBE_THINKING = {"plan", "planning", "analysis", "rationale", "brainstorm", "brainstorming"}
"""Words of tags that hide a part only if the tag is closed."""
_ANSWER = {"answer", "solution", "response", "final", "output", "result"}
_CODE = {"code", "python", "pre"}
_TOKENS = {"s", "eos", "bos", "pad", "unk", "eot", "eom", "eod", "endoftext", "inst", "begin", "done"} | {
    "end_of_text", "end_of_turn", "start_of_turn", "end_of_utterance", "end_of_sentence", "endofturn", "eoa", "eoh",
    "seed:eos", "seed:bos", "fim_prefix", "fim_middle", "fim_suffix", "fim_pad", "file_sep", "repo_name",
}  # fmt: skip
"""Names of special tokens in angle or square brackets. Tokens such as `<|name|>` and `[|name|]` may have any name."""
_NUMBERED = re.compile(r"(?:extra_id|special|reserved|tokens_unused)_?\d+\Z")
"""Names of tokens without a meaning of their own, with which some models end an answer, such as `<extra_id_1>`."""
_UNUSED = re.compile(r"unused\d+\Z")
"""Names of special tokens of openPangu, as in `[unused10]`. openPangu thinks between `[unused16]` and `[unused17]`."""
_BRACKETED_END = re.compile(r"\[(?P<name>[A-Z][A-Z_]*|unused\d+)\]\Z")
_ODD_ENDS = ("[e~[", "<turn|>")
"""End tokens whose brackets do not match."""
_SPEAKER = re.compile(r"(?:assistant|model)\b[ \t]*\n?")
_TURN = {"im_start", "start", "start_of_turn", "start_header_id", "start_of_role"}
"""Special tokens that the name of the speaker follows."""
_REST_OF_TAGS = re.compile(r"(?:[ \t]*<\w+[^<>\n]{0,80}>)*[ \t]*\n")


@dataclass(frozen=True, slots=True)
class _Tag:
    kind: _Kind
    name: str
    start: int
    end: int
    is_html: bool


def answer_text(raw: str) -> str:
    r"""Return the answer in raw model text: without thinking, special tokens and byte order marks.

    Byte order marks are removed only at the beginnings of lines.
    Thinking stands between an opening and a closing tag, or before a closing tag alone, because the prompt can hold the
    opening tag. All text after an opening tag that is not closed is thinking, up to a tag such as `<answer>`. The
    answer ends at the first special token after some text. Tags around lines of code, such as `<pre>` and `[PYTHON]`,
    become fences. Lines end with "\n".

    >>> answer_text("<think>Add them.</think>def add(a, b):\n    return a + b<|im_end|>")
    'def add(a, b):\n    return a + b'
    """
    text = _without_odd_end(plain_lines(raw))
    if "\ufeff" in text:  # a mark inside a line may stand in a string
        text = "\n".join(line.lstrip("\ufeff") for line in text.split("\n"))
    tags = _tags(text)
    if tags and tags[0].name == "begin" and not text[: tags[0].start].strip():
        text = text[tags[0].end :]
        tags = _tags(text)
    while tags and tags[-1].kind in ("token", "drop") and not text[tags[-1].end :].strip() and text[: tags[-1].start]:
        text = text[: tags.pop().start]
    if not tags:
        return text
    tags = _outside_code(text, tags, 0)
    ends = [place for place, tag in enumerate(tags) if tag.kind == "end_think"]
    if ends:  # thinking breaks off fences and strings, so that code after it must be read without it
        tags[ends[-1] + 1 :] = _outside_code(text, tags[ends[-1] + 1 :], tags[ends[-1]].end)
    return _Reader(text).read(tags)


def without_bracketed_end(completion: str, prompt: str) -> str:
    """Return a completion of code without an end token such as `[EOS]` at its end, which Python would read as code.

    The token is kept if its name also stands elsewhere in the prompt or in the completion.
    """
    found = _BRACKETED_END.search(completion.rstrip())
    if found is None or not (found["name"].lower() in _TOKENS or _UNUSED.match(found["name"])):
        return completion
    rest = completion[: found.start()].rstrip(" \t")
    return completion if re.search(rf"\b{found['name']}\b", prompt + rest) else rest


def _without_odd_end(text: str) -> str:
    bare = text.rstrip()
    for token in _ODD_ENDS:
        if bare.endswith(token):
            return bare.removesuffix(token).rstrip()
    return text


def _outside_code(text: str, tags: list[_Tag], start: int) -> list[_Tag]:
    """Return the tags that `_CodeRanges` does not find in quotes or code. Only the text after `start` is looked at."""
    if not tags:
        return []
    code = _CodeRanges(text[start:])
    return [tag for tag in tags if not code.holds(tag, tag.start - start)]


def _tags(text: str) -> list[_Tag]:
    """Return the tags of a text that have a meaning here. An opening tag of _MAYBE_THINKING must be closed."""
    tags = [tag for found in _TAG.finditer(text) if (tag := _tag(found)) is not None]
    last_end = {tag.name: tag.start for tag in tags if tag.kind == "end_think"}
    return [
        tag
        for tag in tags
        if tag.kind != "think" or not _words(tag.name) <= _MAYBE_THINKING or last_end.get(tag.name, -1) > tag.start
    ]


def _tag(found: re.Match[str]) -> _Tag | None:
    left, name, closes = found["left"], found["name"].lower(), bool(found["slash"])
    if _RIGHT[left] != found["right"] or (left == "[" and not (found["name"].isupper() or _UNUSED.match(name))):
        return None
    if name in ("begin", "done") and (left != "[" or found.string[max(found.start() - 1, 0) : found.start()].strip()):
        return None  # `[BEGIN]` and `[DONE]` stand around programs on lines of their own; elsewhere they are lists
    kind = _kind(left, name, closes, found.string[found.end() : found.end() + 100])
    name = "/inst" if name == "inst" and closes else name
    return None if kind is None else _Tag(kind, name, found.start(), found.end(), is_html=left == "<")


def _kind(left: str, name: str, closes: bool, behind: str) -> _Kind | None:
    """Return what a tag means, or None if it has no meaning here. behind: the text after it."""
    words, piped = _words(name), left in ("<|", "<｜", "[|")
    ends = closes or "end" in words
    if piped and name == "channel":
        return "end_think" if behind.lstrip().startswith("final") else "think"
    if words & _THINKING or (words <= _MAYBE_THINKING and left == "<"):
        return "end_think" if ends else "think"
    if words & _ANSWER:
        return "drop" if ends else "answer"
    if words & _CODE and not piped:
        return "end_code" if closes else "code" if left == "<" or behind.startswith("\n") else None
    if piped and name == "message":
        return "drop"
    if left == "[" and _UNUSED.match(name):
        return "think" if name == "unused16" else "end_think" if name == "unused17" else "token"
    if name == "s" and left != "<":
        return None
    known = name in _TOKENS or _NUMBERED.match(name) is not None
    return "token" if piped or known or (name == "bos_token" and left == "<") else None


def _words(name: str) -> set[str]:
    return set(re.split(r"[:_.▁-]", name))


class _CodeRanges:
    """The places of a text that stand in quotes, which open and close on one line, or in code that Python can read."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._quoted: dict[int, list[tuple[int, int]]] = {}
        if is_code(text):
            self._code = [(0, len(self._lines))]
        else:
            parts = [part for part in split_answer(text) if part.language in PYTHON]
            self._code = [(part.first, part.end) for part in parts if is_code(part.text)]

    def holds(self, tag: _Tag, place: int) -> bool:
        """Return whether a tag at a place of the text stands in quotes or in code.

        On a line that begins with "#", all tags except special tokens count as parts of code.
        """
        number = bisect.bisect_right(self._starts, place) - 1
        range_ = bisect.bisect_right(self._code, (number, len(self._lines) + 1)) - 1
        if range_ >= 0 and number < self._code[range_][1]:
            return True
        line, column = self._lines[number], place - self._starts[number]
        if tag.kind != "token" and line.lstrip().startswith("#"):
            return True
        if number not in self._quoted and len(line) <= _MAX_QUOTED_LINE:
            self._quoted[number] = [found.span() for found in _QUOTED.finditer(line)]
        return any(first < column < end for first, end in self._quoted.get(number, []))


class _Reader:
    """Reads a text from tag to tag and keeps what belongs to the answer."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kept: list[str] = []
        self.closed = False  # whether a part of thinking was closed
        self.thinking = False
        self.in_code = False

    def read(self, tags: list[_Tag]) -> str:
        place = 0
        for tag in tags:
            if tag.start < place:
                continue
            self._keep(self.text[place : tag.start])
            place = tag.end
            if tag.kind == "end_think":
                self._end_thinking(place, tag)
            elif self.thinking and tag.name == "/inst":
                self.thinking = False
            elif self.thinking and tag.kind != "answer":
                continue
            elif tag.name == "inst" and not any(part.strip() for part in self.kept):
                self.thinking = True  # the user's turn, which a model's decoded text can hold
                continue
            elif tag.kind == "token" and any(part.strip() for part in self.kept):
                return "".join(self.kept)
            elif tag.kind in ("code", "end_code"):
                self._code(tag)
            self.thinking = tag.kind == "think" or (self.thinking and tag.kind != "answer")
            speaker = _SPEAKER.match(self.text, place) if tag.name in _TURN else None
            place = speaker.end() if speaker else place
            if tag.name == "channel" and (channel := re.compile(r"\s*\w+").match(self.text, place)):
                place = channel.end()
        self._keep(self.text[place:])
        return "".join(self.kept)

    def _keep(self, text: str) -> None:
        if not self.thinking:
            self.kept.append(text)

    def _end_thinking(self, place: int, tag: _Tag) -> None:
        """End a part of thinking. If no tag opened it, drop the text before it, which was thinking.

        A second closing tag at the end of the text drops nothing.
        """
        if not self.thinking and not (self.closed and not self.text[place:].strip()):
            self.kept.clear()
        self.thinking, self.closed = False, True

    def _code(self, tag: _Tag) -> None:
        """Turn a tag around lines of code into a fence, and leave other tags of code in the text."""
        starts = tag.name == "pre" or _REST_OF_TAGS.match(self.text, tag.end) is not None
        if tag.kind == "code" and not self.in_code and starts:
            self.in_code = True
            self.kept.append("\n```python\n")
        elif tag.kind == "end_code" and self.in_code:
            self.in_code = False
            if tag.is_html:
                self.kept[-1] = html.unescape(self.kept[-1])
            self.kept.append("\n```\n")
        elif not (tag.kind == "code" and self.in_code):
            self.kept.append(self.text[tag.start : tag.end])
