"""Writes the model's card into the checkpoint and the pairs' card into the run directory, from summary.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codepref.hub.base_model import hub_name, shown_name
from codepref.hub.card_text import data_body, data_head, evaluation_rows, model_body, model_head
from codepref.starter import model_path
from codepref.storage.files import read_json, write_text

MODEL_CARD = "README.md"
DATA_CARD = "pairs.md"
"""The name of the pairs' card in the run directory. On the hub the card's name is README.md."""
_LICENSE = re.compile(r"\A---\n(?:.*\n)*?license:[ \t]*([\w.\-]+)", re.MULTILINE)


def write_cards(run_dir: Path) -> list[Path]:
    """Write the cards of a run from its summary.json, and return their paths.

    The cards are checkpoint/README.md for a run with a checkpoint, and pairs.md for a run with pairs. Both name the
    licence in the recipe's `hub.license`. If this key is empty, the model's card names the licence that the card of a
    local base model names. Without such a licence, a card says `other`. The metadata of the model's card holds the
    aligned model's pass@k in the hub's form of evaluation results. A card that is up to date is not written again.
    """
    summary = read_json(run_dir / "summary.json")
    resolved = summary.get("recipe_resolved") or {}
    path = str((resolved.get("model") or {}).get("path", ""))
    base_model, base = hub_name(path, run_dir), shown_name(path, run_dir)
    license_ = str((resolved.get("hub") or {}).get("license", ""))
    written = []
    if (run_dir / "checkpoint").is_dir():
        name = f"{summary.get('recipe', 'model')}"
        head = _model_yaml(summary, model_head(summary, license_ or license_of(path), base_model), name)
        written.append(run_dir / "checkpoint" / MODEL_CARD)
        _write(written[-1], head, model_body(summary, name, base))
    if (run_dir / "pairs.parquet").exists():
        written.append(run_dir / DATA_CARD)
        head = _yaml(data_head(summary, license_))
        _write(written[-1], head, data_body(summary, f"{summary.get('recipe', 'run')} pairs", base))
    return written


def _write(path: Path, head: str, body: str) -> None:
    text = f"---\n{head}\n---\n\n{body}"
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # leave equal files of a finished run unchanged
        write_text(path, text)


def license_of(model: str) -> str:
    """Return the licence that a line `license: NAME` in the card of a local model names.

    Return "" if there is no card, if the card has no such line, or if the card does not begin with a line `---`.
    """
    folder = model_path() if model == "starter" else Path(model)
    card = folder / MODEL_CARD
    if not card.is_file():
        return ""
    match = _LICENSE.match(card.read_text(encoding="utf-8", errors="replace"))
    return match.group(1) if match else ""


def _model_yaml(summary: Mapping[str, Any], head: Mapping[str, Any], name: str) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=row["heldout"] or "unknown",
            dataset_name=f"{row['heldout']} (held out)",
            metric_type=row["name"].split()[0],
            metric_name=row["name"],
            metric_value=row["value"],
        )
        for row in evaluation_rows(summary)
    ]
    data = ModelCardData(**head, model_name=name if results else None, eval_results=results or None)
    text: str = data.to_yaml()
    return text.strip()


def _yaml(head: Mapping[str, Any]) -> str:
    from huggingface_hub import DatasetCardData

    text: str = DatasetCardData(**head).to_yaml()
    return text.strip()
