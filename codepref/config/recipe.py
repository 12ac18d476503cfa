"""Reads and writes recipes: TOML files with one typed section per part of a run. One error lists several mistakes."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from codepref.config.engine import EngineSection
from codepref.config.fields import bounded, nearest, parse_fields, toml_value
from codepref.config.old_names import rename_override, rename_sections
from codepref.config.pool import Member, parse_members
from codepref.config.scale import ScaleSection
from codepref.config.sections import (
    BaselineSection,
    ChoiceSection,
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
    SpeedSection,
    TrainingSection,
    ValidationSection,
)
from codepref.errors import UserError


@dataclass(frozen=True)
class Recipe:
    """The settings of a whole run.

    Attributes: `name` is usually the file's name without its ending. `seed` is the seed of all random choices except
    the draw of instructions, which has the seed `instructions.draw_seed`. `description` is one line for reports. `pool`
    holds the `[[pool]]` tables. Every other field is a section.
    """

    name: str = "recipe"
    seed: int = bounded(0, low=0, high=2**31 - 1, doc="seed of all random choices except the draw of instructions")
    description: str = bounded("", doc="one line that describes the run in its report")
    model: ModelSection = field(default_factory=ModelSection)
    engine: EngineSection = field(default_factory=EngineSection)
    problems: ProblemsSection = field(default_factory=ProblemsSection)
    sampling: SamplingSection = field(default_factory=SamplingSection)
    execution: ExecutionSection = field(default_factory=ExecutionSection)
    scale: ScaleSection = field(default_factory=ScaleSection)
    choice: ChoiceSection = field(default_factory=ChoiceSection)
    instructions: InstructionsSection = field(default_factory=InstructionsSection)
    responses: ResponsesSection = field(default_factory=ResponsesSection)
    judge: JudgeSection = field(default_factory=JudgeSection)
    speed: SpeedSection = field(default_factory=SpeedSection)
    pairing: PairingSection = field(default_factory=PairingSection)
    sft: SftSection = field(default_factory=SftSection)
    training: TrainingSection = field(default_factory=TrainingSection)
    baseline: BaselineSection = field(default_factory=BaselineSection)
    online: OnlineSection = field(default_factory=OnlineSection)
    validation: ValidationSection = field(default_factory=ValidationSection)
    evaluation: EvaluationSection = field(default_factory=EvaluationSection)
    grading: GradingSection = field(default_factory=GradingSection)
    gate: GateSection = field(default_factory=GateSection)
    hub: HubSection = field(default_factory=HubSection)
    pool: tuple[Member, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return all keys with their values, defaults included, as nested dicts that can be written as JSON."""
        return dataclasses.asdict(self)

    def to_toml(self) -> str:
        """Return the recipe as TOML text, without the recipe's `name`.

        Parsing the text of a valid recipe restores all other keys.
        """
        lines = [f"seed = {self.seed}", f"description = {toml_value(self.description)}"]
        tables = [(f"[{section}]", getattr(self, section)) for section in section_names()]
        tables += [("[[pool]]", member) for member in self.pool]
        for header, table in tables:
            lines += ["", header]
            lines += [f"{key} = {toml_value(value)}" for key, value in dataclasses.asdict(table).items()]
        return "\n".join(lines) + "\n"


def section_names() -> list[str]:
    """Return the names of all sections, in the order in which `Recipe.to_toml` writes them."""
    return [
        item.name for item in dataclasses.fields(Recipe) if item.name not in ("name", "seed", "description", "pool")
    ]


def read_document(path: Path) -> dict[str, Any]:
    """Return the parsed TOML file `path`. Raises UserError for a missing file, a folder, and invalid TOML or UTF-8."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such recipe") from None
    except IsADirectoryError:
        inside = path / "recipe.toml"
        hint = f"; the recipe of the run in this folder is {inside}" if inside.is_file() else ""
        raise UserError(f"{path} is a folder, but a recipe is a TOML file{hint}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: the file is not valid TOML ({error})") from None


def recipe_from_document(
    document: Mapping[str, Any], *, name: str = "recipe", overrides: Sequence[str] = (), where: str = "recipe"
) -> Recipe:
    """Build a Recipe from a parsed TOML document.

    overrides: texts `section.key=value` (or `seed=value`, `description=value`), which replace the document's values.
    where: the file that messages name. Raises UserError with one line for each unknown section or key, each value of
    the wrong type or out of bounds, each section under both its old and its current name, each malformed override, and
    each mistake in the pool that `parse_members` finds.
    """
    mistakes: list[str] = []
    document = rename_sections(document, where, mistakes)
    tables: dict[str, Any] = {key: dict(v) if isinstance(v, Mapping) else v for key, v in document.items()}
    overridden = {key for one in overrides if (key := _apply_override(tables, rename_override(one), mistakes))}
    known = {item.name for item in dataclasses.fields(Recipe)} - {"name"}
    values: dict[str, Any] = {}
    for key, value in tables.items():
        origin = where if key in document and key not in overridden else "--set"
        if key not in known:
            mistakes.append(f"{origin}: unknown {_kind(value)} `{key}`{nearest(key, known)}")
        elif key == "pool":
            try:
                values[key] = tuple(parse_members(value, where))
            except UserError as error:
                mistakes += error.problems
        elif key in section_names():
            values[key] = _parse_section(key, value, mistakes, where, overridden)
        else:
            values[key] = parse_fields(Recipe, {key: value}, mistakes, origin, "").get(key)
    if mistakes:
        raise UserError(*mistakes)
    return Recipe(name=name, **values)


def _parse_section(key: str, value: Any, mistakes: list[str], where: str, overridden: set[str]) -> Any:
    """Return the section `key`. Messages about keys in `overridden` name `--set` instead of the file.

    If `value` is no table, add a line to `mistakes` and return None.
    """
    section_type = get_type_hints(Recipe)[key]
    if not isinstance(value, Mapping):
        mistakes.append(f"{where}: `{key}` must be a section, written as [{key}]")
        return None
    values: dict[str, Any] = {}
    for origin, from_option in ((where, False), ("--set", True)):
        part = {name: item for name, item in value.items() if (f"{key}.{name}" in overridden) == from_option}
        values |= parse_fields(section_type, part, mistakes, origin, f"{key}.")
    return section_type(**values)


def _apply_override(tables: dict[str, Any], override: str, mistakes: list[str]) -> str:
    """Put the value of an override into `tables`, and return the override's key.

    For a malformed override, add a line to `mistakes` and return "".
    """
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        mistakes.append(f"--set {override}: must be section.key=value")
        return ""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *path, last = key.strip().split(".")
    if (path and (len(path) > 1 or path[0] in ("name", "seed", "description", "pool"))) or (
        not path and last in section_names()
    ):
        mistakes.append(f"--set {override}: must be section.key=value")
        return ""
    table = tables.setdefault(path[0], {}) if path else tables
    if isinstance(table, dict):
        table[last] = value
    return key.strip()


def _kind(value: Any) -> str:
    return "section" if isinstance(value, Mapping) else "key"
