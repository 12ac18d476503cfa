"""Finds the code in raw model text. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPENS = re.compile(r"^(?P<before>[^`]*?)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)$")
_LANGUAGES = {"", "python", "python3", "py", "py3", "python2", "ipython"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its text without the fences, and its language tag in lower case ("" without a tag)."""

    text: str
    language: str


def without_thinking(raw: str) -> str:
    """The answer without the parts in <think>...</think> that reasoning models write.

    The opening tag can be part of the prompt: text before a lone closing tag is dropped. Text after an unclosed <think>
    is dropped too.
    """
    text = re.sub(r"<think>.*?</think>", "", raw, flags=re.DOTALL)
    return text.rpartition("</think>")[2].partition("<think>")[0]


def code_blocks(text: str) -> list[Block]:
    """The fenced blocks of a Markdown text, with an unclosed last block. Blocks lose the indentation of their fence."""
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
            # a fence with a language tag inside a block opens the next block: the model forgot to close this one
            fence, lines, language = (fence, [], _language(info)) if info else ("", [], "")
    if fence:
        blocks.append(Block("\n".join(lines), language))
    return blocks


def code_texts(raw: str) -> list[str]:
    """The parts of a raw answer that can hold code: the Python blocks, or all blocks, or the whole text."""
    text = without_thinking(raw)
    blocks = code_blocks(text)
    python = [block.text for block in blocks if block.language in _LANGUAGES]
    return python or [block.text for block in blocks] or [text]


def without_fences(raw: str) -> str:
    """The answer without its fence lines: prose and code as one text."""
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
    """(the code on a line inside a block or None, whether the block ends there, the tag of a next block or "")."""
    stripped = line.strip()
    mark = fence[0] * len(fence)
    if stripped.startswith(mark):
        info = stripped.lstrip(fence[0]).strip()
        if fence[0] not in info and len(info.split()) <= 1:
            return None, True, info
    elif fence[0] == "`" and stripped.endswith(mark) and stripped.count(mark) == 1:
        return line.rstrip()[: -len(mark)], True, ""
    return line, False, ""
