"""An engine that reads its answers from a file.

It is meant for tests, and for using answers that another program sampled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from codepref.errors import UserError
from codepref.records import Message
from codepref.sampling.engines.base import Answer, Ask, Decoding
from codepref.storage.files import content_hash, read_jsonl


class ScriptedEngine:
    """Answers sample i of a task and kind with text number i. After the last text it begins again with the first.

    texts: the texts by (task_id, kind). kind: "solutions" or "tests".
    """

    def __init__(self, texts: Mapping[tuple[str, str], Sequence[str]]) -> None:
        self.texts = {key: list(of_key) for key, of_key in texts.items()}

    @classmethod
    def from_file(cls, path: Path) -> ScriptedEngine:
        """Read JSON lines {"task_id", "kind", "completion"}. A line without `kind` is of kind "solutions".

        A completion that is null is read as "". Raises UserError with file and line for a malformed line.
        """
        answers: dict[tuple[str, str], list[str]] = {}
        for number, row in read_jsonl(path):
            task_id, text = row.get("task_id"), row.get("completion", 0)
            text = "" if text is None else text
            if not isinstance(task_id, str) or not isinstance(text, str):
                raise UserError(f"{path}:{number}: `task_id` must be a text, and `completion` a text or null")
            kind = row.get("kind", "solutions")
            if kind not in ("solutions", "tests"):
                raise UserError(f"{path}:{number}: `kind` must be solutions or tests, not {kind!r}")
            answers.setdefault((task_id, kind), []).append(text)
        return cls(answers)

    @property
    def fingerprint(self) -> str:
        """A hash of all texts with their tasks and kinds."""
        return content_hash(sorted((*key, *texts) for key, texts in self.texts.items()))

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """Return the number of characters of the prompt."""
        return sum(len(message["content"]) for message in messages)

    def answers(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> Iterator[tuple[int, Answer]]:
        """Yield one text for each ask, in order. `decoding` and `seed` have no effect.

        Raises UserError for a task without texts of the kind.
        """
        for place in range(len(asks)):
            ask = asks[place]
            texts = self.texts.get((ask.task_id, ask.kind))
            if not texts:
                raise UserError(f"the script has no answer of kind {ask.kind!r} for task {ask.task_id!r}")
            yield place, Answer(texts[ask.sample % len(texts)])


def open_script(model: str, *, dtype: str = "auto", device: str = "auto") -> ScriptedEngine:
    """Return the engine that answers from the file at the path `model`. `dtype` and `device` have no effect."""
    return ScriptedEngine.from_file(Path(model))
