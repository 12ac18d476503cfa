"""Chat templates: the text that a model's template makes of messages, and the errors that templates raise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codepref.errors import UserError
from codepref.records import Message


class TemplateError(UserError):
    """The chat template refuses messages, or cannot render them. The text is the template's own."""


def render(tokenizer: Any, messages: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
    """Return the text that the tokenizer's chat template makes of messages. Raises TemplateError if it raises."""
    import jinja2

    # a template raises by its own words, or by handling a role or a text wrongly
    wrong = (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
    try:
        text: str = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except wrong as error:
        raise TemplateError(" ".join(str(error).split()) or type(error).__name__) from error
    return text


def turn_end(tokenizer: Any) -> int | None:
    """Return the id of the first token after an answer that is a token of its own in the vocabulary, or None."""
    if not tokenizer.chat_template:
        return None
    try:
        text = render(tokenizer, [{"role": "user", "content": "Ask"}, {"role": "assistant", "content": "Answer"}])
    except TemplateError:
        return None
    after = tokenizer(text.rpartition("Answer")[2], add_special_tokens=False)["input_ids"]
    return next((token for token in after if token in tokenizer.added_tokens_decoder), None)
