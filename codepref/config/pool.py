"""Models by the lines that describe them: `[[pool]]` tables of a recipe or of a file of their own."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from codepref.config.endpoint import Endpoint
from codepref.config.fields import bounded, read_section
from codepref.errors import UserError


@dataclass(frozen=True)
class Member:
    """One model of a pool: behind an OpenAI-compatible server, or local when `base_url` is empty."""

    name: str = bounded("", doc="what it is called in files and tables; empty: the model's name")
    model: str = bounded("", doc="the server's name for it; without a server, a folder, hub name or `starter`")
    base_url: str = bounded("", doc="the server, up to /v1; empty: run the model here with Transformers")
    api_key_env: str = bounded("OPENAI_API_KEY", doc="environment variable that holds the key")
    concurrency: int = bounded(8, low=1, doc="calls at once")
    timeout: float = bounded(120.0, above=0.0, doc="seconds a call may take")
    retries: int = bounded(8, low=0, doc="attempts after the first")
    price_in: float = bounded(0.0, low=0.0, doc="dollars a million tokens read")
    price_out: float = bounded(0.0, low=0.0, doc="dollars a million tokens written")
    system: bool = bounded(True, doc="false puts system prompts before the user's words: some templates take none")
    schema: Literal["auto", "yes", "no"] = bounded("auto", doc="whether the server takes a JSON schema for its answer")

    @property
    def label(self) -> str:
        """Its name in files and tables."""
        return self.name or self.model

    def endpoint(self) -> Endpoint:
        """What the calls need to know of a member with a server."""
        known = {item.name for item in fields(Endpoint)}
        return Endpoint(**{key: value for key, value in asdict(self).items() if key in known} | {"name": self.label})


def load_members(path: Path) -> list[Member]:
    """The `[[pool]]` tables of a TOML file; other tables in it (a whole recipe's) are passed over.

    Raises UserError with one line for each mistake.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (IsADirectoryError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: not valid TOML ({error})") from None
    return parse_members(document.get("pool", []), str(path))


def parse_members(tables: Any, where: str) -> list[Member]:
    """Members from parsed `[[pool]]` tables. Raises UserError with one line for each mistake."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UserError(f"{where}: a pool is written as tables, each under its own line [[pool]]")
    mistakes: list[str] = []
    members = [read_section(Member, table, mistakes, where, f"pool[{place}].") for place, table in enumerate(tables)]
    if not mistakes:
        mistakes += check_pool(members, where)
    if mistakes:
        raise UserError(*mistakes)
    return members


def check_pool(members: Sequence[Member], where: str) -> list[str]:
    """What is wrong with a pool as a whole, a line each."""
    if not members:
        return [f"{where}: the pool is empty: write at least one [[pool]] table with `model`"]
    mistakes = [f"{where}: pool[{place}] names no `model`" for place, one in enumerate(members) if not one.model]
    labels = [member.label for member in members]
    for label in sorted({label for label in labels if label and labels.count(label) > 1}):
        mistakes.append(f"{where}: {label!r} stands in the pool twice; give each a `name` of its own")
    for member in members:
        if member.base_url and not member.base_url.startswith(("http://", "https://")):
            mistakes.append(f"{where}: {member.label}: base_url must begin with http:// or https://")
    return mistakes
