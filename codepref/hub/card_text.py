"""Makes the texts of the model's card and of the pairs' card from summary.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codepref.config.fields import toml_value
from codepref.models import public_name
from codepref.reports.tables import score_table
from codepref.reports.wording import Row, baseline_lines, count, headline, points

UNKNOWN_LICENSE = "other"
NOT_PROMISED = (
    "The figures hold for the problems and settings named here, and for one training run. They say nothing about other "
    "languages or longer programs, nor whether the model's code is safe to run: run it in a sandbox."
)


def model_head(summary: Mapping[str, Any], license_: str, base_model: str) -> dict[str, Any]:
    """Return the metadata of the model card for the hub, without the figures of `evaluation_rows`.

    base_model: the base model's hub name OWNER/NAME, or "" if it has none. The metadata names only a hub name, since a
    local path means nothing on another machine.
    """
    head: dict[str, Any] = {
        "license": license_ or UNKNOWN_LICENSE,
        "library_name": "peft" if _settings(summary).get("lora_rank") and not _merged(summary) else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["codepref", "code", str((summary.get("training") or {}).get("method", ""))],
    }
    if base_model:
        head["base_model"] = base_model
    return head


def evaluation_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each score of the aligned model whose name begins with pass@.

    A row holds the score's name, its value in percent, and the name of the held-out problems as `heldout`.
    """
    heldout = _problems(summary).get("heldout", "")
    return [
        {"name": str(row["name"]), "value": round(100 * float(row["value"]), 2), "heldout": heldout}
        for row in (summary.get("scores") or {}).get("aligned") or []
        if str(row["name"]).startswith("pass@")
    ]


def model_body(summary: Mapping[str, Any], name: str, base: str) -> str:
    """Return the text of the model card after the metadata.

    If the gate did not promote the model, the reasons stand at the beginning, under the title.
    base: the name of the base model, as `codepref.hub.base_model.shown_name` returns it.
    """
    gate, training = summary.get("gate") or {}, summary.get("training") or {}
    lines = [f"# {name}", ""]
    if gate and not gate.get("promoted"):
        lines += ["**Not promoted.** " + _sentence("; ".join(gate.get("reasons") or [])), ""]
    lines += [headline(summary).title, ""]
    lines += [
        f"Trained from `{base}` by [codepref](https://pypi.org/project/codepref) {summary.get('codepref', '')}, recipe "
    ]
    lines[-1] += f"`{summary.get('recipe', '')}`, seed {summary.get('seed', '')}: {summary.get('description', '')}."
    lines += ["", "## Before and after", "", "```", score_table(summary.get("scores") or {}, summary["comparison"])]
    lines += ["```", "", "Percent, with 95% intervals over held-out problems; differences are paired by problem."]
    if gate:
        decision = "promoted" if gate.get("promoted") else "not promoted"
        lines += [f"The gate's decision: {decision}. {_sentence('; '.join(gate.get('reasons') or []))}"]
    lines += ["", *beaten] if (beaten := baseline_lines(summary)) else []
    lines += ["", "## Training", "", *_training(summary, training)]
    lines += ["", "## Limits", "", NOT_PROMISED, "", "## How to repeat this run", ""]
    lines += ["`codepref run recipe.toml`, with this recipe (some local paths are shortened to their last part):", ""]
    lines += [
        "<details><summary>recipe.toml</summary>",
        "",
        "```toml",
        *_recipe(summary, base),
        "```",
        "",
        "</details>",
        "",
    ]
    lines += [_versions(summary), ""]
    return "\n".join(lines)


def data_body(summary: Mapping[str, Any], name: str, base: str) -> str:
    """Return the text of the pairs' card after the metadata. base: as for `model_body`."""
    pairs, rule = summary.get("pairs") or {}, _section(summary, "pairing").get("rule", "")
    instructions = public_name(str(_section(summary, "instructions").get("source") or ""))
    tasks = "instructions" if instructions else "problems"
    source = public_name(str(_section(summary, "pairing").get("source") or ""))
    sizes = f"{count(pairs.get('count'))} preference pairs of {count(pairs.get('problems'))} "
    lines = [f"# {name}", "", sizes]
    if source:
        lines[-1] += f"prompts, read from `{source}`. No model of this run wrote them."
    else:
        lines[-1] += (
            f"{tasks} from `{instructions or _problems(summary).get('train', '')}`, chosen by the pairing rule "
            f"`{rule}` among the answers "
        )
        lines[-1] += f"of {_source(summary, base)} (seed {summary.get('seed', '')})."
    if _section(summary, "pairing").get("repair", "none") != "none":
        lines[-1] += " The prompt of a pair whose rule ends in `-repair` asks to correct the rejected program."
    lines += ["", _right(pairs), "", "| column | content |", "|---|---|"]
    lines += [f"| `{column}` | {content} |" for column, content in COLUMNS]
    licence = f"The {tasks} keep the licence of their data set. A model wrote each answer."
    lines += ["", f"The pairs keep the licence of `{source}`." if source else licence, ""]
    if dropped := {k: v for k, v in ((summary.get("dropped") or {}).get("pairs") or {}).items() if v}:
        lines += ["Left out: " + "; ".join(f"{n:,} × {reason}" for reason, n in dropped.items()) + ".", ""]
    return "\n".join(lines)


def _source(summary: Mapping[str, Any], base: str) -> str:
    """Return words that name the source of the answers.

    They name a pool, the base model, or, after several rounds, the model of the round before the last.
    """
    if (summary.get("recipe_resolved") or {}).get("pool"):
        return "a pool of models"
    rounds = _section(summary, "training").get("rounds") or 1
    return f"`{base}`" if rounds == 1 else f"the model of round {rounds - 1}, trained from `{base}`"


COLUMNS = (
    ("task_id", "the problem or the instruction"),
    ("prompt, chosen, rejected", "lists of messages, in the form that TRL's trainers take"),
    ("rule, confidence", "the rule, and its confidence in [0, 1] that chosen is better than rejected"),
    ("chosen_id, rejected_id", "the numbers of the two answers among the answers to the same task, from 0"),
    ("evidence", "what the rule saw, as JSON text"),
)


def data_head(summary: Mapping[str, Any], license_: str) -> dict[str, Any]:
    """Return the metadata of the pairs' card for the hub."""
    pairs = int((summary.get("pairs") or {}).get("count") or 0)
    sizes = ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return {
        "license": license_ or UNKNOWN_LICENSE,
        "task_categories": ["text-generation"],
        "tags": ["codepref", "code", "preference", "dpo"],
        "size_categories": [next((name for limit, name in sizes if pairs < limit), "1M<n<10M")],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "pairs.parquet"}]}],
    }


def _training(summary: Mapping[str, Any], training: Row) -> list[str]:
    settings = training.get("settings") or {}
    pairs = summary.get("pairs") or {}
    shown = ("learning_rate", "epochs", "batch_size", "beta", "chosen_weight", "lora_rank", "max_length")
    lines = [f"- method `{training.get('method', '')}`, {count(training.get('steps'))} steps"]
    lines += [f"- {', '.join(f'`{key}` {settings[key]}' for key in shown if key in settings)}"]
    lines += [f"- {count(pairs['count'])} pairs; {_right(pairs)}"] if pairs.get("count") else []
    kept = _section(summary, "problems").get("contamination") == "keep"
    lines += [f"- held-out problems: `{_problems(summary).get('heldout', '')}`"]
    lines += [f"- training problems or texts that hold a held-out problem: {'kept' if kept else 'left out'}"]
    if dropped := (summary.get("dropped") or {}).get("problems"):
        lines[-1] += f"; problems left out for this or other reasons: {sum(dropped.values()):,}"
    lines += [f"- warning: {warning}" for warning in training.get("warnings") or []]
    return lines


def _recipe(summary: Mapping[str, Any], base: str) -> list[str]:
    """Return the seed and the tables of the resolved recipe as lines of TOML, with `base` as the model's path.

    Other values that are text and begin with "/", "~", "./" or "../" are cut to their last part.
    """
    resolved = dict(summary.get("recipe_resolved") or {})
    if "model" in resolved:
        resolved["model"] = dict(resolved["model"]) | {"path": base}
    lines = [f"seed = {resolved.get('seed', 0)}"]
    for section, values in resolved.items():
        if isinstance(values, Mapping):
            lines += ["", f"[{section}]", *(f"{key} = {toml_value(_public(value))}" for key, value in values.items())]
    for member in resolved.get("pool") or ():
        lines += ["", "[[pool]]", *(f"{key} = {toml_value(_public(value))}" for key, value in member.items())]
    return lines


def _public(value: Any) -> Any:
    return public_name(value) if isinstance(value, str) and value.startswith(("/", "~", "./", "../")) else value


def _right(pairs: Row) -> str:
    share = pairs.get("share_right")
    if not share:
        return "The share of right pairs is unknown: no true tests have judged them."
    ends = f"95% interval {points(share.get('low'))} to {points(share.get('high'))}"
    return f"{points(share.get('value'))}% of the pairs judged by true tests are right ({ends})."


def _sentence(text: str) -> str:
    return text.rstrip(".") + "."


def _versions(summary: Mapping[str, Any]) -> str:
    versions = summary.get("versions") or {}
    return "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + "."


def _settings(summary: Mapping[str, Any]) -> Mapping[str, Any]:
    settings: Mapping[str, Any] = (summary.get("training") or {}).get("settings") or {}
    return settings


def _merged(summary: Mapping[str, Any]) -> bool:
    return bool(_settings(summary).get("merge_adapter"))


def _section(summary: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section: Mapping[str, Any] = (summary.get("recipe_resolved") or {}).get(name) or {}
    return section


def _problems(summary: Mapping[str, Any]) -> dict[str, str]:
    section = _section(summary, "problems")
    return {name: public_name(str(section.get(name, ""))) for name in ("train", "heldout")}
