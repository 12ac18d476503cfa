"""Finds the code in raw model text. Pure."""

from __future__ import annotations

from codepref.problems.source import parse
from codepref.sampling.fences import PYTHON, Part, split_answer
from codepref.sampling.tags import answer_text

_PROMPTS = (">>>", "...")
"""What Python's interpreter writes before each line that it reads."""


def code_blocks(text: str) -> list[Part]:
    """Return the blocks of a Markdown text: what stands in fences, and code that begins the text and ends at a fence.

    The text should be an answer without thinking, as `codepref.sampling.tags.answer_text` returns it. In blocks that
    show a session of Python's interpreter, only the code is kept. Their language is "pycon".
    """
    return [_plain_code(part) for part in split_answer(text) if part.language is not None]


def code_texts(raw: str) -> list[str]:
    """Return the parts of a raw answer that can hold code, without thinking.

    These are the Python blocks and the blocks without a language tag, or all blocks if there are none of these, or the
    whole text if there are no blocks.
    """
    text = answer_text(raw)
    blocks = code_blocks(text)
    python = [block.text for block in blocks if block.language in PYTHON]
    return python or [block.text for block in blocks] or [text]


def without_fences(text: str) -> str:
    """Return the text without the lines that begin with a fence."""
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(("```", "~~~")))


def _plain_code(part: Part) -> Part:
    """Return the part without the interpreter's prompts and output, if it is a session of the interpreter.

    It is one if its first line that is not blank begins with a prompt and Python cannot read it. A program that is cut
    off can hold examples with prompts in its docstrings.
    """
    lines = part.text.split("\n")
    if not part.text.lstrip().startswith(">>> ") or parse(part.text) is not None:
        return part
    stripped = [line.lstrip() for line in lines]
    code = [line[4:] for line in stripped if line[:4].rstrip() in _PROMPTS]
    return Part("\n".join(code) + "\n", "pycon", part.first, part.end, part.closed)
