"""Reads the columns of published data sets, which hold the same things in many forms.

A value may be JSON text, the text of a Python literal, or JSON text that was encoded again. A list of structs may be a
struct of lists, and a text may be a list of lines. Nothing here runs code that a data set holds. Pure.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from codepref.errors import UserError
from codepref.problems.fields import Row

MAX_LEVELS = 4
"""A text that decodes to a text is decoded again, but at most this many times in all."""

MAX_LITERAL = 10_000_000
"""Texts with more characters are not read as Python literals. Python's parser needs about 100 bytes a character."""

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|milli\w*|s|secs?|seconds?|minutes?)?\.?\s*", re.IGNORECASE)


def decoded(value: Any, name: str, where: str) -> Any:
    """Return the value that a text in a column stands for, as JSON or else as a Python literal.

    A text that decodes to a text is decoded again, MAX_LEVELS times in all, so the result is never a text. A blank text
    gives None. A value that is no text is returned unchanged.

    name, where: the column, and the file and the line, for messages. Raises UserError for a text that is neither JSON
    nor a Python literal, for values that are nested too deeply, and for what is a text even after MAX_LEVELS decodings.

    >>> decoded("{'a': (1, None)}", "x", ""), decoded('"[1, true]"', "x", "")
    ({'a': (1, None)}, [1, True])
    """
    for _ in range(MAX_LEVELS):
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        value = _decoded_text(value, name, where)
    if isinstance(value, str):
        raise UserError(f"{where}: {name} holds JSON text within JSON text, more than {MAX_LEVELS} levels deep")
    return value


def _decoded_text(text: str, name: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (RecursionError, MemoryError):
        raise UserError(f"{where}: {name} is nested too deeply") from None
    except ValueError as error:
        reason = str(error)
    if len(text) > MAX_LITERAL:
        raise UserError(f"{where}: {name} is not JSON ({reason})")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(text.strip())
    except (RecursionError, MemoryError):
        raise UserError(f"{where}: {name} is nested too deeply") from None
    except (ValueError, SyntaxError, TypeError, ArithmeticError):
        raise UserError(f"{where}: {name} is neither JSON ({reason}) nor a Python literal") from None


def structs(value: Any, name: str, where: str) -> list[dict[str, Any]]:
    """Return a list of structs.

    A struct of lists becomes a list of structs, and its parts that are no lists are left out. Text is not decoded.
    None, and a struct without a list, give []. Raises UserError for another form, and for lists of different lengths.

    >>> structs({"input": ["1", "2"], "output": ["3", "4"]}, "tests", "")
    [{'input': '1', 'output': '3'}, {'input': '2', 'output': '4'}]
    """
    if value is None:
        return []
    if isinstance(value, Mapping):
        lists = {str(key): item for key, item in value.items() if is_list(item)}
        if len(set(map(len, lists.values()))) > 1:
            sizes = ", ".join(f"{len(item):,} {key}" for key, item in lists.items())
            raise UserError(f"{where}: {name} holds lists of different lengths ({sizes})")
        return [dict(zip(lists, items, strict=True)) for items in zip(*lists.values(), strict=True)]
    if is_list(value) and all(isinstance(item, Mapping) for item in value):
        return [{str(key): part for key, part in item.items()} for item in value]
    raise UserError(f"{where}: {name} must be a list of structs, or a struct of lists")


def is_list(value: Any) -> bool:
    """Return whether a value is a list, a tuple or an array of numpy, which a table can hold."""
    return isinstance(value, list | tuple) or type(value).__name__ == "ndarray"


def listed(value: Any, name: str, where: str) -> list[Any]:
    """Return a list that may be given as JSON text or a Python literal. None and blank text give [].

    Raises UserError for any other value.
    """
    value = decoded(value, name, where)
    if value is None:
        return []
    if not is_list(value):
        raise UserError(f"{where}: {name} must be a list, not {type(value).__name__}")
    return list(value)


def struct_of(value: Any, name: str, where: str) -> dict[str, Any]:
    """Return a struct that may be given as JSON text or a Python literal. None and blank text give {}.

    Raises UserError for any other value.
    """
    value = decoded(value, name, where)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UserError(f"{where}: {name} must be a struct, not {type(value).__name__}")
    return {str(key): item for key, item in value.items()}


def text_of_lines(value: Any, name: str, where: str) -> str:
    """Return one text for a text, a list of lines, or a number. The text of a list ends with a newline.

    Raises UserError for another value, and for text that UTF-8 cannot encode.

    >>> text_of_lines(["1 2", "3"], "input", ""), text_of_lines(7, "output", "")
    ('1 2\\n3\\n', '7')
    """
    if isinstance(value, int | float):
        value = str(value)
    elif is_list(value):
        value = "\n".join(_line(item, name, where).removesuffix("\n") for item in value)
        value += "" if value.endswith("\n") else "\n"
    if not isinstance(value, str):
        raise UserError(f"{where}: {name} must be text or a list of lines, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UserError(f"{where}: {name} holds half a character (a lone surrogate)") from None
    return value


def _line(value: Any, name: str, where: str) -> str:
    if not isinstance(value, str | int | float):
        raise UserError(f"{where}: {name} must be text or a list of lines, and a line is a {type(value).__name__}")
    return str(value)


def first_text(row: Row, *names: str) -> str:
    """Return the text of the first of these columns that holds text that is not blank, or "" if none does."""
    return next((row[name] for name in names if isinstance(row.get(name), str) and row[name].strip()), "")


def row_id(row: Row, prefix: str, names: Iterable[str], content: Sequence[Any] = ()) -> str:
    """Return the task id of a row.

    It is the value of the first of the columns `names` that holds a whole number, or text that is not blank. A whole
    number, also as text, gets the prefix, as in "APPS/7". If no column holds such a value, the id is the prefix and a
    hash of the `repr` of `content`, such as "TACO/0f3a5c7e9b1d". So the id of a row does not depend on other rows.
    """
    for name in names:
        value = row.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{prefix}/{value}"
        if isinstance(value, str) and value.strip():
            text = value.encode("utf-8", "replace").decode()
            return f"{prefix}/{text}" if text.isdigit() else text
    digest = hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{prefix}/{digest[:12]}"


def programs(value: Any) -> Iterator[str]:
    """Yield the programs of a column of solutions: a text, a list of texts, or JSON text of a list.

    A text that is no list in JSON is one program. Of a text with fences, only the code in the first one is taken. Blank
    texts and values that are no text are passed over.
    """
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        with contextlib.suppress(ValueError, RecursionError):  # the program itself may begin with a list
            value = json.loads(value)
    for item in value if is_list(value) else [value]:
        if isinstance(item, str) and item.strip():
            yield unfenced(item)


def unfenced(text: str) -> str:
    """Return the code in the first fence of a text, or the text if it has no fence.

    Carriage returns at the ends of lines are removed.

    >>> unfenced("```python\\nprint(1)\\n```")
    'print(1)\\n'
    """
    lines = text.replace("\r\n", "\n").split("\n")
    fences = [at for at, line in enumerate(lines) if line.lstrip().startswith("```")]
    if not fences:
        return "\n".join(lines)
    inside = lines[fences[0] + 1 : fences[1] if len(fences) > 1 else None]
    return "".join(f"{line}\n" for line in inside)


def seconds_of(value: Any, *, unit: float = 1.0) -> float | None:
    """Return a time limit in seconds, or None if the value has no known form or is not between 0 and 1e9 seconds.

    value: a number, a text such as "1500", "2.0 seconds" or "1500 ms", or {"seconds": 1, "nanos": 500000000}. unit: the
    length in seconds of the unit in which a number without a unit counts.

    >>> seconds_of("2.0 seconds"), seconds_of({"seconds": 1, "nanos": 500000000}), seconds_of(1500, unit=0.001)
    (2.0, 1.5, 1.5)
    """
    if isinstance(value, Mapping):
        whole, rest = value.get("seconds") or 0, value.get("nanos") or 0
        if isinstance(whole, int | float) and isinstance(rest, int | float):
            return _positive(whole + rest / 1e9)
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _DURATION.fullmatch(str(value))
    if not match:
        return None
    named = (match.group(2) or "").lower()
    factor = 0.001 if named.startswith("m") and not named.startswith("minute") else 60.0 if named[:1] == "m" else 1.0
    return _positive(float(match.group(1)) * (factor if named else unit))


def _positive(seconds: float) -> float | None:
    return round(float(seconds), 9) if 0 < seconds < 1e9 else None
