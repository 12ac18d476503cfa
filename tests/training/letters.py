"""A chat template whose tokens are characters, for tests that count the tokens of rows by hand."""

from collections.abc import Callable, Sequence
from typing import Any

from codepref.chat import Chat
from codepref.records import Message

START, END = "\x01", "\x00"


def render(messages: Sequence[Message], add_generation_prompt: bool) -> str:
    """Return the text of messages. START begins a turn, and END ends a turn of the assistant."""
    ends = {"assistant": END}
    text = "".join(START + message["content"] + ends.get(message["role"], "") for message in messages)
    return text + START if add_generation_prompt else text


class LetterTokenizer:
    """A tokenizer whose tokens are the codes of characters. rendered: the function in place of a chat template."""

    def __init__(self, rendered: Callable[[Sequence[Message], bool], str] = render) -> None:
        self.rendered = rendered

    def apply_chat_template(
        self, messages: Sequence[Message], *, tokenize: bool = True, add_generation_prompt: bool = False
    ) -> Any:
        text = self.rendered(messages, add_generation_prompt)
        return {"input_ids": list(map(ord, text))} if tokenize else text

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        return list(map(chr, ids))


def letters(rendered: Callable[[Sequence[Message], bool], str] = render) -> Chat:
    """Return a chat template in which END ends an answer."""
    return Chat(LetterTokenizer(rendered), [ord(END)])
