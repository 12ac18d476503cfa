"""Applies the chat template of a model, and finds messages that the template refuses, leaves out or changes."""

from __future__ import annotations

import contextlib
import datetime
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from codepref.errors import UserError
from codepref.records import Message

KEPT = " (kept)"
"""The ending of a fault for which a row is counted but kept."""
FOLDED = f"the chat template takes no system turn, so the system text stands at the head of the first user turn{KEPT}"
TRIMMED = f"the chat template changes blank lines or white space at the ends of lines{KEPT}"
NO_SYSTEM = "the chat template leaves out the system turn"
END_IN_TEXT = "an answer holds the text of a token that ends answers"
DATE = datetime.date(2024, 7, 26)
"""The date that a chat template gets if it asks for today's date.

A fixed date gives a prompt the same tokens every day.
"""
_CODES = ("%-d", "%d", "%e", "%B", "%b", "%m", "%Y", "%y", "%A", "%a", "%H", "%I", "%M", "%S", "%p", "%j")
SWALLOWED = "the tokenizer drops the indentation with which an answer begins"
_RULE, _ASK, _ANSWER = "Rule7", "Ask7", "Answer7"
"""Texts of trial conversations, which show what a template does. They should occur in no template."""


class TemplateError(UserError):
    """Raised if a chat template fails on messages, leaves out or changes their texts, or gives an unknown token.

    A token is unknown if the model's embedding lacks it.
    """


class Chat:
    """The chat template of a tokenizer.

    ends: the ids of the tokens that end an answer, as `codepref.models.stop_tokens` returns them. rows: the number of
    rows of the model's embedding, or None if it is unknown.
    """

    def __init__(self, tokenizer: Any, ends: Iterable[int] = (), rows: int | None = None) -> None:
        self.ends, self._rows = frozenset(ends), rows
        self._tokenizer = tokenizer
        self._end_texts = tokenizer.convert_ids_to_tokens(sorted(self.ends))

    @functools.cached_property
    def system_turns(self) -> str:
        """What the template does to a system turn: "kept", "refused" or "left out"."""
        user = _turn("user", _ASK)
        try:
            text = self._render([_turn("system", _RULE), user], add_generation_prompt=True)
        except TemplateError:
            try:
                self._render([user], add_generation_prompt=True)
            except TemplateError:
                return "kept"  # it refuses the user turn too, and its error about the real messages will say why
            return "refused"
        return "kept" if _RULE in text else "left out"

    def prompt(self, messages: Sequence[Message]) -> list[Message]:
        """Return messages as the template takes them.

        If the template refuses system turns, the text of the system turns at the beginning goes to the head of the user
        turn that follows them. Otherwise, and if no user turn follows, the messages are unchanged.
        """
        turns = list(messages)
        count = next((at for at, turn in enumerate(turns) if turn["role"] != "system"), len(turns))
        if not count or count == len(turns) or turns[count]["role"] != "user" or self.system_turns != "refused":
            return turns
        texts = [turn["content"] for turn in turns[: count + 1] if turn["content"].strip()]
        return [{**turns[count], "content": "\n\n".join(texts)}, *turns[count + 1 :]]

    def encode(self, messages: Sequence[Message], add_generation_prompt: bool) -> list[int]:
        """Return the token ids of messages.

        Raises TemplateError with the text of the error if the template fails. Raises it also for a token that the
        embedding lacks.
        """
        with _own_words(messages):
            encoded = self._tokenizer.apply_chat_template(list(messages), add_generation_prompt=add_generation_prompt)
        ids: list[int] = encoded["input_ids"]
        if self._rows is not None and ids and (far := max(ids)) >= self._rows:
            raise TemplateError(
                f"the token {self._tokenizer.convert_ids_to_tokens([far])[0]!r} has the id {far}, and the model's "
                f"embedding has rows for {self._rows} tokens only. Use the tokenizer that belongs to the model, or "
                "add rows to its embedding (resize_token_embeddings)"
            )
        return ids

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """Return the token ids of a prompt, to which the model adds its answer.

        Raises TemplateError as `encode` does. Raises it also if the template leaves out the system turn or changes the
        text of a system, user or assistant turn. Changes of blank lines, and of white space at the ends of lines or at
        both ends of a text, are accepted.
        """
        turns = self.prompt(messages)
        fault = self.fault(turns, prompt=True)
        if fault and not fault.endswith(KEPT):
            hint = "Put its text into the user's turn" if fault == NO_SYSTEM else "Change the text"
            raise TemplateError(f"{fault}, so the model would read another prompt. {hint}, or change the template")
        return self.encode(turns, True)

    def fault(self, messages: Sequence[Message], *, prompt: bool = False) -> str:
        """Return how the template changes or leaves out the texts of messages, or "" if it does neither.

        Only the texts of system, user and assistant turns are compared. The returned text ends with KEPT if only blank
        lines or white space at the ends of lines change. prompt: whether the messages are a prompt. In a prompt, a
        change of a text's first indentation also gives a text with KEPT. In a row for training it does not, since the
        answer can continue the code of the prompt. Raises TemplateError if the template fails.
        """
        if self.system_turns == "left out" and any(
            turn["role"] == "system" and turn["content"].strip() for turn in messages
        ):
            return NO_SYSTEM
        text = self._render(messages, add_generation_prompt=prompt)
        turns = [(turn["role"], turn["content"]) for turn in messages]
        if not _lacking(text, turns):
            return ""
        solid = [(role, _solid(content).strip() if prompt else _solid(content)) for role, content in turns]
        if role := _lacking(_solid(text), solid):
            return f"the chat template changes the text of the {role}'s turn"
        return TRIMMED

    def swallowed(self, prompt: Sequence[Message], answer: Sequence[Message], ids: Sequence[int]) -> bool:
        """Return whether the tokens leave out the indentation with which an answer begins.

        Some tokenizers drop white space after a token such as <|assistant|>. ids: the tokens of prompt and answer.
        """
        text = answer[0]["content"] if answer else ""
        first = next((line for line in text.splitlines() if line.strip()), "")
        if first == first.lstrip():
            return False
        bare: list[Message] = [{**answer[0], "content": text.lstrip()}, *answer[1:]]
        return self.encode([*prompt, *bare], False) == list(ids)

    def holds_end(self, answer: Sequence[Message]) -> bool:
        """Return whether an answer holds the text of an end token, at which the model would stop."""
        return any(end in turn["content"] for turn in answer for end in self._end_texts)

    def _render(self, messages: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
        with _own_words(messages):
            text: str = self._tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=add_generation_prompt
            )
        return text


def fix_date(tokenizer: Any) -> None:
    """Make the chat templates of a tokenizer use DATE in place of today's date.

    Templates that do not ask for the date are unchanged.
    """
    _change_templates(tokenizer, lambda text: _clock() + text if "strftime_now" in text else text)


def free_date(tokenizer: Any) -> None:
    """Undo `fix_date`, so that the original templates are saved with a model."""
    _change_templates(tokenizer, lambda text: text.removeprefix(_clock()))


def _change_templates(tokenizer: Any, change: Callable[[str], str]) -> None:
    templates = tokenizer.chat_template  # a text, or texts by name
    several = isinstance(templates, dict)
    tokenizer.chat_template = {name: change(text) for name, text in templates.items()} if several else change(templates)


@functools.cache
def _clock() -> str:
    """Return a macro that replaces transformers' function `strftime_now`.

    transformers lets Jinja remove the line break after a block tag, so the macro adds no text to a prompt.
    """
    replaced = "".join(f" | replace('{code}', '{DATE.strftime(code)}')" for code in _CODES)
    return f"{{%- macro strftime_now(format) -%}}{{{{ format{replaced} }}}}{{%- endmacro %}}\n"


def check_syntax(tokenizer: Any) -> None:
    """Raise jinja's TemplateSyntaxError if the chat template is not valid Jinja. Ignore the template's other errors."""
    import jinja2

    try:
        Chat(tokenizer).encode([_turn("user", _ASK)], True)
    except TemplateError as error:
        if isinstance(error.__cause__, jinja2.TemplateSyntaxError):
            raise error.__cause__ from None


def turn_end(tokenizer: Any) -> int | None:
    """Return the id of the first added token that the chat template puts after an answer, or None.

    An added token is one that the tokenizer never splits, such as <|im_end|>.
    """
    if not tokenizer.chat_template:
        return None
    try:
        text = Chat(tokenizer)._render([_turn("user", _ASK), _turn("assistant", _ANSWER)])
    except TemplateError:
        return None
    _, answer, rest = text.rpartition(_ANSWER)
    after = tokenizer(rest, add_special_tokens=False)["input_ids"] if answer else []
    return next((token for token in after if token in tokenizer.added_tokens_decoder), None)


@contextlib.contextmanager
def about(place: str) -> Iterator[None]:
    """Put `place`, such as "problem t/1", before the message of a TemplateError."""
    try:
        yield
    except TemplateError as error:
        raise TemplateError(f"{place}: {error}") from error


@contextlib.contextmanager
def _own_words(messages: Sequence[Message]) -> Iterator[None]:
    """Turn an error that a template raises on purpose, or by a mistake in its code, into a TemplateError."""
    import jinja2

    wrong = (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
    try:
        yield
    except wrong as error:
        words = " ".join(str(error).split()) or type(error).__name__
        roles = ", ".join(turn["role"] for turn in messages)
        raise TemplateError(f"the chat template refuses the turns {roles}: {words}") from error


def _turn(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _lacking(rendered: str, turns: Sequence[tuple[str, str]]) -> str:
    """Return the role of a turn whose text is missing from `rendered`, or "" if no text is missing.

    If several texts are missing, the first user or assistant turn among them is named.
    turns: pairs (role, text). The texts must stand in the order of the turns. A system text may stand anywhere, since
    some templates put it into the last user turn. Texts of other roles than system, user and assistant are not looked
    for, since templates write them in their own way.
    """
    known = [turn for turn in turns if turn[0] in ("system", "user", "assistant")]
    if not _first_lacking(rendered, known):
        return ""
    if role := _first_lacking(rendered, [turn for turn in known if turn[0] != "system"]):
        return role
    return "" if all(text in rendered for _, text in known) else "system"


def _first_lacking(rendered: str, turns: Sequence[tuple[str, str]]) -> str:
    at = 0
    for role, text in turns:
        found = rendered.find(text, at)
        if found < 0:
            return role
        at = found + len(text)
    return ""


def _solid(text: str) -> str:
    """Return the text without blank lines and without white space at the ends of lines."""
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())
