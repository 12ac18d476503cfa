"""Reads the sections of a recipe into dataclasses, checks types and bounds, and collects the mistakes.

Sections share keys through common base classes. A dataclass lists the fields of its last base class first, so
`class SftSection(Optimization, Demonstrations)` has the keys of Demonstrations before those of Optimization.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from codepref.errors import UserError


def bounded(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    or_one: bool = False,
    doc: str,
) -> Any:
    """Return a dataclass field of a section, with its default, bounds and documentation.

    low, high: the least and the greatest allowed value. above: a number that the value must exceed. In a tuple, each
    number must lie within these bounds. or_one: a tuple of one text may be written as the text. doc: one line for
    docs/reference/recipe.md.
    """
    metadata = {"low": low, "high": high, "above": above, "or_one": or_one, "doc": doc}
    return field(default=default, metadata=metadata)


def checked(section: Any, where: str) -> Any:
    """Check the types and bounds of a section that was built in Python, and return the section unchanged.

    where: the name with which each line of the message begins. Raises UserError with one line for each value of the
    wrong type or out of bounds.
    """
    mistakes: list[str] = []
    parse_fields(type(section), dataclasses.asdict(section), mistakes, where, "")
    if mistakes:
        raise UserError(*mistakes)
    return section


def shared_values(section: Any, base: type) -> dict[str, Any]:
    """Return the values in `section` of all fields of the dataclass `base`, by field name."""
    return {item.name: getattr(section, item.name) for item in dataclasses.fields(base)}


def read_section(kind: type, table: Mapping[str, Any], mistakes: list[str], where: str, prefix: str) -> Any:
    """Return an instance of the dataclass `kind` with the values of a parsed table.

    Each unknown key and each wrong value adds a line to `mistakes`. The field of a wrong value keeps its default.
    """
    return kind(**parse_fields(kind, table, mistakes, where, prefix))


def parse_fields(owner: type, table: Mapping[str, Any], mistakes: list[str], where: str, prefix: str) -> dict[str, Any]:
    """Return the values of `table` that are valid for the dataclass `owner`, converted to the types of its fields.

    Each unknown key and each wrong value adds a line to `mistakes`. where: the file or option that messages name.
    prefix: a text before each key in messages, such as "training.".
    """
    fields_by_name = {item.name: item for item in dataclasses.fields(owner)}
    hints = get_type_hints(owner)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in fields_by_name:
            mistakes.append(f"{where}: unknown key `{prefix}{key}`{nearest(key, set(fields_by_name))}")
            continue
        if fields_by_name[key].metadata.get("or_one") and isinstance(value, str):
            value = [value] if value else []
        empty = value in ([], ()) and fields_by_name[key].default == ()
        converted, complaint = ((), "") if empty else _convert(hints[key], value)
        complaint = complaint or _out_of_bounds(converted, fields_by_name[key].metadata)
        if complaint:
            mistakes.append(f"{where}: `{prefix}{key}` = {value!r}: {complaint}")
        else:
            values[key] = converted
    return values


def _convert(hint: Any, value: Any) -> tuple[Any, str]:
    """Return (the value as the field's type, ""), or (the value, the reason why it does not fit the field).

    A field with a union type takes any value.
    """
    origin = get_origin(hint)
    if origin is Literal:
        allowed = get_args(hint)
        return value, "" if value in allowed else f"must be one of {', '.join(map(str, allowed))}"
    if origin in (Union, types.UnionType):
        return value, ""
    if origin is tuple:
        item = get_args(hint)[0]
        if item is float and isinstance(value, (list, tuple)):
            value = [float(v) if type(v) is int else v for v in value]
        if isinstance(value, (list, tuple)) and value and all(type(v) is item for v in value):
            return tuple(value), ""
        plurals = {int: "whole numbers", float: "numbers"}
        return value, f"must be a list of {plurals.get(item, 'texts')}, with at least one element"
    if hint is float and type(value) in (int, float):
        return (float(value), "") if math.isfinite(value) else (value, "must be a finite number")
    if type(value) is hint:
        return value, ""
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return value, f"must be {names.get(hint, hint)}"


def _out_of_bounds(value: Any, bounds: Mapping[str, Any]) -> str:
    for number in value if isinstance(value, tuple) else [value]:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            continue
        if bounds.get("low") is not None and not number >= bounds["low"]:
            return f"must be at least {bounds['low']}"
        if bounds.get("above") is not None and not number > bounds["above"]:
            return f"must be above {bounds['above']:g}"
        if bounds.get("high") is not None and not number <= bounds["high"]:
            return f"must be at most {bounds['high']:g}"
    return ""


def nearest(name: str, known: set[str]) -> str:
    """Return the end of a message about an unknown name: the most similar known name, or all known names."""
    match = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (did you mean `{match[0]}`?)" if match else f" (known: {', '.join(sorted(known))})"


def toml_value(value: Any) -> str:
    """Return a text, number, truth value or list in TOML notation."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return repr(value)
