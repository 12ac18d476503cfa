"""A pool of models: the `[[pool]]` tables of a recipe or of a separate TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.config.address import address_mistake
from codepref.config.endpoint import Endpoint
from codepref.config.fields import bounded, read_section, shared_values
from codepref.errors import UserError


@dataclass(frozen=True)
class Member(Endpoint):
    """One model of a pool. It runs on an OpenAI-compatible server, or on this machine when `base_url` is empty."""

    model: str = bounded(
        "", doc="the server's name for the model; without a server, a local folder, a hub name or `starter`"
    )
    base_url: str = bounded("", doc="base address of the server; empty: the model runs on this machine")
    system: bool = bounded(
        True, doc="false: put the system prompt into the user message, for chat templates without system messages"
    )

    @property
    def label(self) -> str:
        """The model's name in files and tables: `name`, or `model` if `name` is empty."""
        return self.name or self.model

    def endpoint(self) -> Endpoint:
        """Return the settings of calls to this model. The endpoint's `name` is the member's label."""
        return Endpoint(**(shared_values(self, Endpoint) | {"name": self.label}))


def load_members(path: Path) -> list[Member]:
    """Return the models in the `[[pool]]` tables of a TOML file. Other tables of the file are ignored.

    Raises UserError for a file that is missing, is a folder or is not TOML, and for mistakes in its tables, as
    `parse_members` does.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (IsADirectoryError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a TOML file ({error})") from None
    return parse_members(document.get("pool", []), str(path))


def parse_members(tables: Any, where: str) -> list[Member]:
    """Return the members that parsed `[[pool]]` tables describe.

    Raises UserError if `tables` is no list of tables, and with one line for each unknown key and wrong value. If there
    are no such mistakes, raises UserError for those that `check_pool` finds.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UserError(f"{where}: write each model of the pool as a table under its own line [[pool]]")
    mistakes: list[str] = []
    members = [read_section(Member, table, mistakes, where, f"pool[{place}].") for place, table in enumerate(tables)]
    if not mistakes:
        mistakes += check_pool(members, where)
    if mistakes:
        raise UserError(*mistakes)
    return members


def check_pool(members: Sequence[Member], where: str) -> list[str]:
    """Return one line for each mistake in the list of members.

    Mistakes are an empty list of members, a member without `model`, equal labels, and a `base_url` that is not the
    address of a server.
    """
    if not members:
        return [f"{where}: the pool is empty. Write at least one [[pool]] table with `model`"]
    mistakes = [f"{where}: pool[{place}] has no `model`" for place, member in enumerate(members) if not member.model]
    labels = [member.label for member in members]
    for label in sorted({label for label in labels if label and labels.count(label) > 1}):
        mistakes.append(
            f"{where}: the pool holds {label!r} more than once. Give each of these models a different `name`"
        )
    for member in members:
        if member.base_url and (mistake := address_mistake(member.base_url)):
            mistakes.append(f"{where}: {member.label}: {mistake}")
    return mistakes
