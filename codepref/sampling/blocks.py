"""Finds the code in raw model text. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPENS = re.compile(r"^(?P<before>[^`]*?)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)$")
_LANGUAGES = {"", "python", "python3", "py", "py3", "python2", "ipython"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
    text: the text without the fences.
    language: the language tag in lower case, or "" without a tag.
    """

    text: str
    language: str


def without_thinking(raw: str) -> str:
    """Return the answer without the parts in <think>...</think> that reasoning models write.

    The opening tag can be a part of the prompt, so text before a lone closing tag is dropped. Text after an unclosed
    <think> is dropped too.
    """
    text = re.sub(r"<think>.*?</think>", "", raw, flags=re.DOTALL)
    return text.rpartition("</think>")[2].partition("<think>")[0]


def code_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a Markdown text. The last block need not be closed.

    If the fence of a block is indented, lines of the block with the same indentation lose it.
    """
    blocks: list[Block] = []
    fence, indent, language = "", "", ""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if not fence:
            opened = _OPENS.match(line)
            if opened and _opens_block(opened):
                fence, lines = opened["fence"], []
                indent = opened["before"] if not opened["before"].strip() else ""
                language = _language(opened["info"])
            continue
        code, closes, info = _close(line, fence)
        lines += [] if code is None else [code.removeprefix(indent)]
        if closes:
            blocks.append(Block("\n".join(lines), language))
            # a fence with a language tag inside a block opens the next block: the model forgot to close the first one
            fence, lines, language = (fence, [], _language(info)) if info else ("", [], "")
    if fence:
        blocks.append(Block("\n".join(lines), language))
    return blocks


def code_texts(raw: str) -> list[str]:
    """Return the parts of a raw answer that can hold code, without <think> parts.

    These are the Python blocks and the blocks without a language tag, or all blocks if there are none of these, or the
    whole text if there are no blocks.
    """
    text = without_thinking(raw)
    blocks = code_blocks(text)
    python = [block.text for block in blocks if block.language in _LANGUAGES]
    return python or [block.text for block in blocks] or [text]


def without_fences(raw: str) -> str:
    """Return the answer without <think> parts and without lines that begin with a fence."""
    lines = without_thinking(raw).replace("\r\n", "\n").split("\n")
    return "\n".join(line for line in lines if not line.lstrip().startswith(("```", "~~~")))


def _opens_block(opened: re.Match[str]) -> bool:
    words = opened["info"].split()
    if opened["fence"][0] == "~" and opened["before"].strip():
        return False
    return not opened["before"].strip() or len(words) <= 1


def _language(info: str) -> str:
    words = info.split()
    return words[0].strip("{}.").lower() if words else ""


def _close(line: str, fence: str) -> tuple[str | None, bool, str]:
    """Return three values for a line in a block.

    They are the code on the line or None, whether the block ends on this line, and the tag of the next block or "".
    """
    stripped = line.strip()
    mark = fence[0] * len(fence)
    if stripped.startswith(mark):
        info = stripped.lstrip(fence[0]).strip()
        if fence[0] not in info and len(info.split()) <= 1:
            return None, True, info
    elif fence[0] == "`" and stripped.endswith(mark) and stripped.count(mark) == 1:
        return line.rstrip()[: -len(mark)], True, ""
    return line, False, ""
