"""Writes the messages that a judge model reads.

The folder `prompts/` holds the templates. The text of a response is data. It stands between tags whose names contain a
word that no text of the question contains. A response can therefore not close its own tag or imitate another response.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from string import Template
from typing import Any

from codepref.preferences import Preference, load_preference
from codepref.records import Message
from codepref.storage.resources import packaged_text


@cache
def prompt_template(name: str) -> Template:
    """Return the template in `prompts/NAME.txt`. It can have placeholders such as $request."""
    return Template(packaged_text("codepref.judging", f"prompts/{name}.txt"))


def rating_messages(instruction: str, preference: str, responses: Sequence[str], seed: object = 0) -> list[Message]:
    """Return messages that ask for a rating from 1 to 5 and a rationale for each response.

    The responses get the labels 1, 2, ... in their order. seed: changes the names of the tags.
    Raises UserError for an unknown preference.
    """
    quality = load_preference(preference)
    word = tag_word([instruction, *responses], seed)
    user = prompt_template("rating").substitute(
        request=_tagged(f"request-{word}", instruction),
        quality=_quality(quality),
        levels="\n".join(f"{point}: {meaning}" for point, meaning in enumerate(quality.levels, start=1)),
        count=len(responses),
        responses="\n\n".join(
            _tagged(f"response-{word}", text, label) for label, text in enumerate(responses, start=1)
        ),
    )
    return [_system("rating_system"), {"role": "user", "content": user}]


def grading_messages(
    instruction: str, preference: str, reference: str, response: str, seed: object = 0
) -> list[Message]:
    """Return messages that ask for a grade from 1 to 10 for one response beside a reference answer.

    These messages and those of `rating_messages` ask for the same form of answer, so that one parser reads both.
    seed: changes the names of the tags. Raises UserError for an unknown preference.
    """
    quality = load_preference(preference)
    word = tag_word([instruction, reference, response], seed)
    user = prompt_template("grading").substitute(
        request=_tagged(f"request-{word}", instruction),
        reference=_tagged(f"reference-{word}", reference),
        quality=_quality(quality),
        response=_tagged(f"response-{word}", response, 1),
    )
    return [_system("grading_system"), {"role": "user", "content": user}]


def again_messages(messages: Sequence[Message], answer: str, complaint: str, low: int, high: int) -> list[Message]:
    """Return messages that repeat a question. answer: the first answer. complaint: what is wrong with this answer."""
    text = prompt_template("ask_again").substitute(complaint=complaint, low=low, high=high)
    if not answer.strip():  # many servers refuse empty messages, and two messages of one role in a row
        *before, last = messages
        return [*before, {**last, "content": f"{last['content']}\n\n{text}"}]
    return [*messages, {"role": "assistant", "content": answer}, {"role": "user", "content": text}]


def ratings_schema(count: int, low: int, high: int) -> Mapping[str, Any]:
    """Return the JSON schema of an answer that rates `count` responses with whole numbers from `low` to `high`.

    It uses only keywords that OpenAI's strict JSON schemas allow. Such schemas cannot demand that each response is
    rated exactly once.
    """
    entry = {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "enum": list(range(1, count + 1))},
            "rationale": {"type": "string"},
            "rating": {"type": "integer", "enum": list(range(low, high + 1))},
        },
        "required": ["id", "rationale", "rating"],
        "additionalProperties": False,
    }
    ratings = {"type": "array", "items": entry}
    return {
        "type": "object",
        "properties": {"ratings": ratings},
        "required": ["ratings"],
        "additionalProperties": False,
    }


def tag_word(texts: Sequence[str], seed: object = 0) -> str:
    """Return a word that none of the texts contains. It depends only on the texts and the seed."""
    number = 0
    while True:
        word = hashlib.sha256("\0".join([repr(seed), str(number), *texts]).encode("utf-8", "replace")).hexdigest()[:12]
        if not any(word in text for text in texts):
            return word
        number += 1


def _system(name: str) -> Message:
    return {"role": "system", "content": prompt_template(name).substitute()}


def _quality(preference: Preference) -> str:
    aspects = "\n".join(f"- {aspect}" for aspect in preference.aspects)
    return prompt_template("quality").substitute(title=preference.title, question=preference.question, aspects=aspects)


def _tagged(name: str, text: str, label: int | None = None) -> str:
    opening = name if label is None else f'{name} id="{label}"'
    return f"<{opening}>\n{text}\n</{name}>"
