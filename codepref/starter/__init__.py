"""The embedded default: small problems and a small model, so that everything runs anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from codepref.records import Problem

SOLUTION_TEMPLATE = "Write the Python function {prompt}"
"""User message that asks for a solution: str.format over {prompt}, the problem's words, and {entry_point}."""

TEST_TEMPLATE = "Write asserts that test {prompt}"
"""User message that asks for tests: str.format over {prompt} and {entry_point}."""


def model_path() -> Path:
    """The folder of the starter model: Transformers weights, tokenizer and chat template."""
    return Path(__file__).parent / "weights"


def load_problems(
    split: Literal["pretrain", "train", "validation", "heldout"], limit: int | None = None
) -> list[Problem]:
    """The problems of one split; see `codepref.starter.problems.load_problems`."""
    from codepref.starter import problems

    return problems.load_problems(split, limit)
