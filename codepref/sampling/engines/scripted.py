"""A model that answers from a list: for users' tests and ours, and for answers that another program sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from codepref.errors import UserError
from codepref.records import Message
from codepref.sampling.engines import Answer, Ask, Decoding
from codepref.storage.files import content_hash, read_jsonl


class ScriptedEngine:
    """Answers the i-th ask of a task and kind with the i-th scripted text, beginning again when they run out.

    answers: (task_id, kind) -> texts, kind "solutions" or "tests". Raises UserError when a task has none.
    """

    def __init__(self, answers: Mapping[tuple[str, str], Sequence[str]]) -> None:
        self.answers = {key: list(texts) for key, texts in answers.items()}

    @classmethod
    def from_file(cls, path: Path) -> ScriptedEngine:
        """Read lines {"task_id", "kind", "completion"}; `kind` may be left out and is then "solutions"."""
        answers: dict[tuple[str, str], list[str]] = {}
        for number, row in read_jsonl(path):
            task_id, text = row.get("task_id"), row.get("completion")
            if not isinstance(task_id, str) or not isinstance(text, str):
                raise UserError(f"{path}:{number}: `task_id` and `completion` must be texts")
            kind = row.get("kind", "solutions")
            if kind not in ("solutions", "tests"):
                raise UserError(f"{path}:{number}: `kind` must be solutions or tests, not {kind!r}")
            answers.setdefault((task_id, kind), []).append(text)
        return cls(answers)

    @property
    def fingerprint(self) -> str:
        """Hash of the whole script."""
        return content_hash(sorted((*key, *texts) for key, texts in self.answers.items()))

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """Characters of the prompt."""
        return sum(len(message["content"]) for message in messages)

    def answer(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> list[Answer]:
        """Scripted texts by place; `decoding` and `seed` play no part."""
        answers = []
        for ask in asks:
            texts = self.answers.get((ask.task_id, ask.kind))
            if not texts:
                raise UserError(f"the script has no answer of kind {ask.kind!r} for task {ask.task_id!r}")
            answers.append(Answer(texts[ask.sample % len(texts)]))
        return answers
