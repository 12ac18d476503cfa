"""Recipes: one typed section a stage, read from TOML. Unknown keys are refused and all mistakes are told at once."""

from __future__ import annotations

import dataclasses
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from codepref.config.fields import bounded, nearest, parse_fields, toml_value
from codepref.config.pool import Member, parse_members
from codepref.config.sections import (
    EvaluationSection,
    ExecutionSection,
    GateSection,
    GradingSection,
    HubSection,
    InstructionsSection,
    JudgeSection,
    ModelSection,
    OnlineSection,
    PairingSection,
    ProblemsSection,
    ResponsesSection,
    SamplingSection,
    SftSection,
    TrainingSection,
    ValidationSection,
)
from codepref.errors import UserError

OLD_SECTIONS = {"watch": "validation"}
"""Names that sections had before, and their names today."""


@dataclass(frozen=True)
class Recipe:
    """A whole run. `name` is the file's name without its ending, `seed` the root of every random choice."""

    name: str = "recipe"
    seed: int = bounded(0, low=0, high=2**31 - 1, doc="root of every random choice")
    description: str = bounded("", doc="one line for reports")
    model: ModelSection = field(default_factory=ModelSection)
    problems: ProblemsSection = field(default_factory=ProblemsSection)
    sampling: SamplingSection = field(default_factory=SamplingSection)
    execution: ExecutionSection = field(default_factory=ExecutionSection)
    instructions: InstructionsSection = field(default_factory=InstructionsSection)
    responses: ResponsesSection = field(default_factory=ResponsesSection)
    judge: JudgeSection = field(default_factory=JudgeSection)
    pairing: PairingSection = field(default_factory=PairingSection)
    sft: SftSection = field(default_factory=SftSection)
    training: TrainingSection = field(default_factory=TrainingSection)
    online: OnlineSection = field(default_factory=OnlineSection)
    validation: ValidationSection = field(default_factory=ValidationSection)
    evaluation: EvaluationSection = field(default_factory=EvaluationSection)
    grading: GradingSection = field(default_factory=GradingSection)
    gate: GateSection = field(default_factory=GateSection)
    hub: HubSection = field(default_factory=HubSection)
    pool: tuple[Member, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Every key with its value, defaults included, in plain JSON types."""
        return dataclasses.asdict(self)

    def to_toml(self) -> str:
        """The resolved recipe as TOML; reading it back gives an equal recipe (up to `name`)."""
        lines = [f"seed = {self.seed}", f"description = {toml_value(self.description)}"]
        for section in _sections():
            lines += ["", f"[{section}]"]
            for key, value in dataclasses.asdict(getattr(self, section)).items():
                lines.append(f"{key} = {toml_value(value)}")
        for member in self.pool:
            lines += [
                "",
                "[[pool]]",
                *(f"{key} = {toml_value(value)}" for key, value in dataclasses.asdict(member).items()),
            ]
        return "\n".join(lines) + "\n"


def read_document(path: Path) -> dict[str, Any]:
    """A TOML file as a dictionary. Raises UserError for a missing file and for TOML that does not parse."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such recipe") from None
    except IsADirectoryError:
        inside = path / "recipe.toml"
        hint = f"; the recipe of the run there is {inside}" if inside.is_file() else ""
        raise UserError(f"{path}: is a folder, a recipe is a TOML file{hint}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML ({error})") from None


def recipe_from_document(
    document: Mapping[str, Any], *, name: str = "recipe", overrides: Sequence[str] = (), where: str = "recipe"
) -> Recipe:
    """Build a Recipe from a parsed TOML document. Raises UserError that tells every mistake."""
    mistakes: list[str] = []
    document = _without_old_names(document, where)
    overrides = [_without_old_name(override) for override in overrides]
    tables: dict[str, Any] = {key: dict(v) if isinstance(v, Mapping) else v for key, v in document.items()}
    overridden = {key for override in overrides if (key := _apply_override(tables, override, mistakes))}
    known = {item.name for item in dataclasses.fields(Recipe)} - {"name"}
    values: dict[str, Any] = {}
    for key, value in tables.items():
        place = where if key in document and key not in overridden else "--set"
        if key not in known:
            mistakes.append(f"{place}: unknown {_kind(value)} `{key}`{nearest(key, known)}")
        elif key == "pool":
            try:
                values[key] = tuple(parse_members(value, where))
            except UserError as error:
                mistakes += error.problems
        elif key in _sections():
            values[key] = _parse_section(key, value, mistakes, where, overridden)
        else:
            values[key] = parse_fields(Recipe, {key: value}, mistakes, place, "").get(key)
    if mistakes:
        raise UserError(*mistakes)
    return Recipe(name=name, **values)


def _without_old_names(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The document with today's names of sections. One warning for each old name."""
    current: dict[str, Any] = {}
    for key, value in document.items():
        if key in OLD_SECTIONS and OLD_SECTIONS[key] not in document:
            warnings.warn(f"{where}: [{key}] is now called [{OLD_SECTIONS[key]}]", FutureWarning, stacklevel=4)
            current[OLD_SECTIONS[key]] = value
        else:
            current[key] = value
    return current


def _without_old_name(override: str) -> str:
    section, dot, rest = override.partition(".")
    if not dot or section.strip() not in OLD_SECTIONS:
        return override
    new = OLD_SECTIONS[section.strip()]
    warnings.warn(f"--set {section}.{rest}: [{section}] is now called [{new}]", FutureWarning, stacklevel=4)
    return f"{new}.{rest}"


def _sections() -> list[str]:
    return [
        item.name for item in dataclasses.fields(Recipe) if item.name not in ("name", "seed", "description", "pool")
    ]


def _parse_section(key: str, value: Any, mistakes: list[str], where: str, overridden: set[str]) -> Any:
    """A section; what is wrong with a key that `--set` gave is told of `--set`, not of the file."""
    section_type = get_type_hints(Recipe)[key]
    if not isinstance(value, Mapping):
        mistakes.append(f"{where}: `{key}` must be a section: [{key}]")
        return None
    values: dict[str, Any] = {}
    for place, of_set in ((where, False), ("--set", True)):
        part = {name: item for name, item in value.items() if (f"{key}.{name}" in overridden) == of_set}
        values |= parse_fields(section_type, part, mistakes, place, f"{key}.")
    return section_type(**values)


def _apply_override(tables: dict[str, Any], override: str, mistakes: list[str]) -> str:
    """Put an override into the tables. Returns the key that it gave, "" where it gave none."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        mistakes.append(f"--set {override}: must be section.key=value")
        return ""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *path, last = key.strip().split(".")
    if len(path) > 1 or (not path and last in _sections()):
        mistakes.append(f"--set {override}: must be section.key=value")
        return ""
    table = tables.setdefault(path[0], {}) if path else tables
    if isinstance(table, dict):
        table[last] = value
    return key.strip()


def _kind(value: Any) -> str:
    return "section" if isinstance(value, Mapping) else "key"
