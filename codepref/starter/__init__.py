"""The starter: small problems and a small model that ship with codepref, for trials of a whole run without a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from codepref.storage.resources import packaged_text

if TYPE_CHECKING:
    from codepref.records import Problem

SOLUTION_TEMPLATE = packaged_text("codepref.starter", "prompts/solution.txt")
"""User message that asks the starter model for a solution. `str.format` fills in {prompt}."""

TEST_TEMPLATE = packaged_text("codepref.starter", "prompts/tests.txt")
"""User message that asks the starter model for tests. `str.format` fills in {prompt}."""


def model_path() -> Path:
    """Return the folder of the starter model, with its weights, tokenizer and chat template."""
    return Path(__file__).parent / "weights"


def load_problems(
    split: Literal["pretrain", "train", "validation", "heldout"], limit: int | None = None
) -> list[Problem]:
    """Return the problems of one split, or the first `limit` of them. See `codepref.starter.problems.load_problems`."""
    from codepref.starter import problems

    return problems.load_problems(split, limit)
