"""Recipes: one typed section a stage, read from TOML. Unknown keys are refused and all mistakes are told at once."""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from codepref.errors import UserError
from codepref.judging.preferences import PREFERENCES
from codepref.sampling.templates import SOLUTION_TEMPLATE, TEST_TEMPLATE, check_template

RATED = ("rated", "tests-then-rating")
"""Rules that need a judge."""
TRUE_TESTS = ("all-tests", *RATED)
"""Rules that need no self-written tests."""


def bounded(
    default: Any, *, low: float | None = None, high: float | None = None, above: float | None = None, doc: str
) -> Any:
    """A recipe field with its bounds (`above` is exclusive) and one line of documentation."""
    return field(default=default, metadata={"low": low, "high": high, "above": above, "doc": doc})


@dataclass(frozen=True)
class ModelSection:
    """The model to align."""

    path: str = bounded("starter", doc="local folder or hub name of a chat model; `starter` is the embedded one")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = bounded("auto", doc="weights' type when loaded")
    device: str = bounded("auto", doc="torch device; `auto` takes the GPU when there is one")


@dataclass(frozen=True)
class ProblemsSection:
    """Where problems come from. `train` and `heldout` must not share a task."""

    train: str = bounded("starter:train", doc="file, hub name or `starter:train`; sampled, paired and trained on")
    train_limit: int = bounded(0, low=0, doc="the first N training problems only; 0 takes all")
    heldout: str = bounded("starter:heldout", doc="problems for the before-and-after measurement, never trained on")
    heldout_limit: int = bounded(0, low=0, doc="the first N held-out problems only; 0 takes all")


@dataclass(frozen=True)
class SamplingSection:
    """How the training problems are sampled."""

    solutions: int = bounded(10, low=2, doc="J: solutions a problem")
    tests: int = bounded(0, low=0, doc="test completions a problem; 0 uses the problems' own tests")
    tests_per_completion: int = bounded(5, low=1, doc="at most so many asserts are kept of one test completion")
    probes: int = bounded(60, low=0, doc="rule `agreement`: calls a problem, varied from its tests, to compare answers")
    temperature: float = bounded(0.8, above=0.0, high=5.0, doc="softmax temperature")
    top_p: float = bounded(0.95, above=0.0, high=1.0, doc="nucleus size")
    max_new_tokens: int = bounded(512, low=1, doc="a longer answer is cut there")
    batch_size: int = bounded(128, low=1, doc="answers generated at once")
    solution_template: str = bounded(SOLUTION_TEMPLATE, doc="user message that asks for a solution")
    test_template: str = bounded(TEST_TEMPLATE, doc="user message that asks for tests")


@dataclass(frozen=True)
class ExecutionSection:
    """Limits of the sandbox."""

    cpu_seconds: float = bounded(3.0, above=0.0, doc="CPU time a test")
    memory_mb: int = bounded(1024, low=64, doc="address space of a judged process")
    jobs: int = bounded(0, low=0, doc="workers; 0 takes one a core")


@dataclass(frozen=True)
class JudgeSection:
    """Who rates the solutions, and by what."""

    model: Literal["", "rubric"] = bounded("", doc="`rubric` is static analysis (docs/judging.md); empty: nobody")
    preferences: tuple[str, ...] = bounded(PREFERENCES, doc="given to the problems in turn")


@dataclass(frozen=True)
class PairingSection:
    """How verdicts and ratings become pairs."""

    rule: Literal[
        "all-tests", "max-pass", "dstc", "dstc-code", "codet", "b4", "agreement", "rated", "tests-then-rating"
    ] = bounded("all-tests", doc="see docs/pairing.md")
    margin: float = bounded(1.0, above=0.0, doc="rating rules: points between chosen and rejected, at least")
    correctness_pairs: bool = bounded(False, doc="rule `tests-then-rating`: passing over failing solutions as well")
    max_pairs_per_problem: int = bounded(4, low=1, doc="pairs of a problem at most, those of several draws too")
    draws: int = bounded(1, low=1, doc="DSTC: pairs a problem, each from its own half of the samples when above 1")
    min_confidence: float = bounded(0.0, low=0.0, high=1.0, doc="pairs below are dropped and counted")
    max_share: float = bounded(1.0, above=0.0, high=1.0, doc="share of problems whose pairs are kept, the surest")
    max_length_ratio: float = bounded(0.0, low=0.0, doc="pairs with a side more than so many times as long; 0: any")
    allow_shared: bool = bounded(False, doc="let tests that shared a process with the solution ground pairs")
    fence: bool = bounded(True, doc="answers stand in a ```python block, as chat models write them")


@dataclass(frozen=True)
class TrainingSection:
    """DPO, KTO or supervised fine-tuning through TRL."""

    method: Literal["dpo", "kto", "sft", "rft"] = bounded("dpo", doc="rft: SFT on samples that pass all tests")
    beta: float = bounded(0.1, above=0.0, doc="beta of DPO (arXiv 2305.18290, eq. 7) and KTO (arXiv 2402.01306, eq. 7)")
    chosen_weight: float = bounded(1.0, low=0.0, doc="weight of the chosen answer's negative log-likelihood")
    desirable_weight: float = bounded(0.0, low=0.0, doc="KTO: weight of wanted answers; 0 balances the labels")
    undesirable_weight: float = bounded(0.0, low=0.0, doc="KTO: weight of unwanted answers; 0 balances the labels")
    learning_rate: float = bounded(0.0, low=0.0, doc="0: 5e-7, LoRA 5e-6; supervised 1e-5, LoRA 2e-4")
    epochs: float = bounded(1.0, above=0.0, doc="passes over the pairs")
    batch_size: int = bounded(16, low=1, doc="pairs a step, over gradient accumulation")
    micro_batch_size: int = bounded(0, low=0, doc="pairs held at once; 0 takes batch_size; must divide it")
    max_length: int = bounded(1024, low=8, doc="tokens of prompt and answer; longer pairs are dropped and counted")
    warmup_ratio: float = bounded(0.1, low=0.0, high=1.0, doc="share of steps with a rising learning rate")
    scheduler: Literal["cosine", "linear", "constant_with_warmup"] = bounded("cosine", doc="learning-rate schedule")
    weight_decay: float = bounded(0.0, low=0.0, doc="AdamW's decay")
    max_grad_norm: float = bounded(1.0, above=0.0, doc="gradient clipping")
    lora_rank: int = bounded(0, low=0, doc="0 trains all weights")
    lora_alpha: int = bounded(0, low=0, doc="0 takes twice the rank")
    lora_dropout: float = bounded(0.0, low=0.0, high=0.9, doc="dropout inside the adapter")
    quantization: Literal["none", "nf4"] = bounded("none", doc="nf4: 4-bit base weights (QLoRA); needs a GPU")
    gradient_checkpointing: bool = bounded(False, doc="less memory, a third more time")


@dataclass(frozen=True)
class EvaluationSection:
    """The before-and-after measurement on held-out problems."""

    samples: int = bounded(10, low=1, doc="sampled answers a problem, beside one greedy answer")
    temperature: float = bounded(0.8, above=0.0, high=5.0, doc="softmax temperature")
    top_p: float = bounded(0.95, above=0.0, high=1.0, doc="nucleus size")
    max_new_tokens: int = bounded(512, low=1, doc="a longer answer is cut there")
    k: tuple[int, ...] = bounded((1, 10), low=1, doc="the k of pass@k; each at most `samples`")


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
    judge: JudgeSection = field(default_factory=JudgeSection)
    pairing: PairingSection = field(default_factory=PairingSection)
    training: TrainingSection = field(default_factory=TrainingSection)
    evaluation: EvaluationSection = field(default_factory=EvaluationSection)

    def as_dict(self) -> dict[str, Any]:
        """Every key with its value, defaults included, in plain JSON types."""
        return dataclasses.asdict(self)

    def to_toml(self) -> str:
        """The resolved recipe as TOML; reading it back gives an equal recipe (up to `name`)."""
        lines = [f"seed = {self.seed}", f"description = {_toml_value(self.description)}"]
        for section in _sections():
            lines += ["", f"[{section}]"]
            for key, value in dataclasses.asdict(getattr(self, section)).items():
                lines.append(f"{key} = {_toml_value(value)}")
        return "\n".join(lines) + "\n"


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a TOML recipe and apply `section.key=value` overrides.

    Raises UserError with one line for each mistake: a missing file, TOML that does not parse, unknown sections or
    keys (the nearest known name is offered), values of the wrong type or out of bounds.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: no such recipe") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML ({error})") from None
    return parse_recipe(document, name=path.stem, overrides=overrides, where=str(path))


def parse_recipe(
    document: Mapping[str, Any], *, name: str = "recipe", overrides: Sequence[str] = (), where: str = "recipe"
) -> Recipe:
    """Build a Recipe from a parsed TOML document. Raises UserError that tells every mistake."""
    mistakes: list[str] = []
    tables: dict[str, Any] = {key: dict(v) if isinstance(v, Mapping) else v for key, v in document.items()}
    for override in overrides:
        _apply_override(tables, override, mistakes)
    known = {item.name for item in dataclasses.fields(Recipe)} - {"name"}
    values: dict[str, Any] = {}
    for key, value in tables.items():
        if key not in known:
            mistakes.append(f"{where}: unknown {_kind(value)} `{key}`{_nearest(key, known)}")
        elif key in _sections():
            values[key] = _parse_section(key, value, mistakes, where)
        else:
            values[key] = _parse_fields(Recipe, {key: value}, mistakes, where, "").get(key)
    if not mistakes:
        recipe = Recipe(name=name, **values)
        mistakes += [f"{where}: {mistake}" for mistake in _inconsistencies(recipe)]
    if mistakes:
        raise UserError(*mistakes)
    return recipe


def checked(section: Any, where: str) -> Any:
    """A section that was built in Python, held to its bounds like one that was read. Raises UserError."""
    mistakes: list[str] = []
    _parse_fields(type(section), dataclasses.asdict(section), mistakes, where, "")
    if mistakes:
        raise UserError(*mistakes)
    return section


def read_section(kind: type, table: Mapping[str, Any], mistakes: list[str], where: str, prefix: str) -> Any:
    """A dataclass of `bounded` fields from a parsed table; what is wrong with it is appended to `mistakes`."""
    return kind(**_parse_fields(kind, table, mistakes, where, prefix))


def _inconsistencies(recipe: Recipe) -> list[str]:
    found = []
    training, evaluation, pairing = recipe.training, recipe.evaluation, recipe.pairing
    if training.micro_batch_size and training.batch_size % training.micro_batch_size:
        found.append(
            f"training.micro_batch_size = {training.micro_batch_size} does not divide "
            f"training.batch_size = {training.batch_size}"
        )
    if training.quantization != "none" and not training.lora_rank:
        found.append("training.quantization trains an adapter beside 4-bit weights: set training.lora_rank above 0")
    if training.method == "kto" and (training.micro_batch_size or training.batch_size) < 2:
        found.append("training.method = 'kto' estimates its KL term within a batch: it must hold at least 2 answers")
    if too_large := [k for k in evaluation.k if k > evaluation.samples]:
        found.append(f"evaluation.k holds {too_large}, but only evaluation.samples = {evaluation.samples} are drawn")
    if pairing.rule in TRUE_TESTS and recipe.sampling.tests > 0:
        found.append(
            f"pairing.rule = {pairing.rule!r} takes tests to be true, and sampling.tests above 0 would give it "
            "self-written ones: set sampling.tests = 0, or choose a dstc rule"
        )
    if pairing.rule in RATED and not recipe.judge.model:
        found.append(f"pairing.rule = {pairing.rule!r} needs ratings: set judge.model")
    if unknown := sorted(set(recipe.judge.preferences) - set(PREFERENCES)):
        found.append(f"judge.preferences holds {', '.join(unknown)}; known: {', '.join(PREFERENCES)}")
    if pairing.rule not in TRUE_TESTS and recipe.sampling.tests == 0:
        found.append(f"pairing.rule = {pairing.rule!r} needs self-written tests: set sampling.tests above 0")
    for key, template in (
        ("solution_template", recipe.sampling.solution_template),
        ("test_template", recipe.sampling.test_template),
    ):
        try:
            check_template(template, f"sampling.{key}")
        except UserError as error:
            found += error.problems
    return found


def _sections() -> list[str]:
    return [item.name for item in dataclasses.fields(Recipe) if item.name not in ("name", "seed", "description")]


def _parse_section(key: str, value: Any, mistakes: list[str], where: str) -> Any:
    section_type = get_type_hints(Recipe)[key]
    if not isinstance(value, Mapping):
        mistakes.append(f"{where}: `{key}` must be a section: [{key}]")
        return None
    return read_section(section_type, value, mistakes, where, f"{key}.")


def _parse_fields(
    owner: type, table: Mapping[str, Any], mistakes: list[str], where: str, prefix: str
) -> dict[str, Any]:
    fields_by_name = {item.name: item for item in dataclasses.fields(owner)}
    hints = get_type_hints(owner)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in fields_by_name:
            mistakes.append(f"{where}: unknown key `{prefix}{key}`{_nearest(key, set(fields_by_name))}")
            continue
        converted, complaint = _convert(hints[key], value)
        complaint = complaint or _out_of_bounds(converted, fields_by_name[key].metadata)
        if complaint:
            mistakes.append(f"{where}: `{prefix}{key}` = {value!r}: {complaint}")
        else:
            values[key] = converted
    return values


def _convert(hint: Any, value: Any) -> tuple[Any, str]:
    origin = get_origin(hint)
    if origin is Literal:
        allowed = get_args(hint)
        return value, "" if value in allowed else f"must be one of {', '.join(map(str, allowed))}"
    if origin in (Union, types.UnionType):
        return value, ""
    if origin is tuple:
        item = get_args(hint)[0]
        if isinstance(value, (list, tuple)) and value and all(type(v) is item for v in value):
            return tuple(value), ""
        return value, f"must be a list of {'whole numbers' if item is int else 'texts'}"
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


def _apply_override(tables: dict[str, Any], override: str, mistakes: list[str]) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        mistakes.append(f"--set {override}: must be section.key=value")
        return
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *path, last = key.strip().split(".")
    if len(path) > 1:
        mistakes.append(f"--set {override}: must be section.key=value")
        return
    table = tables.setdefault(path[0], {}) if path else tables
    if isinstance(table, dict):
        table[last] = value


def _kind(value: Any) -> str:
    return "section" if isinstance(value, Mapping) else "key"


def _nearest(name: str, known: set[str]) -> str:
    match = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (did you mean `{match[0]}`?)" if match else f" (known: {', '.join(sorted(known))})"


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    return repr(value)
