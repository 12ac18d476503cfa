"""Compares the names in a server's list of models with the name of a model. Pure."""

from __future__ import annotations

from collections.abc import Sequence

MAX_LISTED = 8
"""A server that lists at most this number of models is expected to list all models that it serves."""


def listed_models(names: Sequence[str]) -> Sequence[str]:
    """Return the names in a server's list of models, or () if they are more than MAX_LISTED or hold a wildcard.

    Servers with many models often know names that they do not list.
    """
    return names if len(names) <= MAX_LISTED and not any("*" in name for name in names) else ()


def is_name_of(listed: str, model: str) -> bool:
    """Return whether a name in a server's list can mean `model`. Upper and lower case are the same.

    Ollama lists `NAME:latest`, and some servers list the path of the model.
    """
    names = {form.lower() for form in (listed, listed.removesuffix(":latest"), listed.rstrip("/").rpartition("/")[2])}
    return model.lower() in names or model.lower().rstrip("/").rpartition("/")[2] in names
