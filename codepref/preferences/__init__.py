"""The five coding preferences of CodeUltraFeedback (arXiv 2403.09032, section 2.1).

The keys and their order are those of the published data set. The texts are codepref's own. The folder `prompts/` holds
one file for each preference. Published ratings were made with other texts, so they cannot be compared exactly with
ratings that were made with these texts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from codepref.errors import UserError
from codepref.records import Instruction, InstructionResponses
from codepref.storage.resources import packaged_text

PREFERENCES = ("instruction-following", "readability", "complexity", "style", "explanation")
"""The keys in the published order.

When the published data set was made, instruction number i got preference number i mod 5. Then the instructions were
shuffled.
"""

_SECTION = re.compile(r"^\[(\w+)\]\n(.*?)(?=^\[\w+\]$|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Preference:
    """A quality of answers by which a judge rates them.

    Attributes:
    key: one of PREFERENCES.
    title: the name of the quality in a judge's prompt.
    question: the question that a judge answers.
    aspects: what a judge looks at.
    levels: the meaning of each point of the scale from 1 to 5, beginning with 1.
    principles: ten sentences for system prompts. Each asks a model for this quality.
    """

    key: str
    title: str
    question: str
    aspects: tuple[str, ...]
    levels: tuple[str, ...]
    principles: tuple[str, ...]


@functools.cache
def load_preference(key: str) -> Preference:
    """Return the preference with this key and its texts. Raises UserError for an unknown key."""
    if key not in PREFERENCES:
        raise UserError(f"unknown preference {key!r}; known: {', '.join(PREFERENCES)}")
    text = packaged_text("codepref.preferences", f"prompts/{key}.txt")
    sections = {name: tuple(lines.strip().split("\n")) for name, lines in _SECTION.findall(text)}
    (title,), (question,) = sections["title"], sections["question"]
    return Preference(key, title, question, sections["aspects"], sections["levels"], sections["principles"])


def check_preferences(tasks: Iterable[Instruction | InstructionResponses]) -> None:
    """Raise UserError if a task has no known preference."""
    unknown = [task.task_id for task in tasks if task.preference not in PREFERENCES]
    if unknown:
        raise UserError(
            f"tasks without a known preference: {len(unknown)} ({', '.join(unknown[:3])}"
            f"{', ...' if len(unknown) > 3 else ''}). Give each of them one of {', '.join(PREFERENCES)} in the column "
            "`preference`"
        )
