"""Distinguishes a base model on the hub from a folder on this machine."""

from __future__ import annotations

import json
from pathlib import Path

from codepref.models import fingerprint
from codepref.models.gguf import is_gguf
from codepref.storage.files import read_json

ADAPTER = "adapter_config.json"


def hub_name(model: str, run_dir: Path) -> str:
    """Return `model` if it has the form of a hub name OWNER/NAME and is not a local path, and "" otherwise.

    The hub is not asked. A relative path such as `models/base` has the form of a hub name too. It counts as a local
    path if it exists or is the name of a GGUF file. A path that does not exist now also counts as local if `model` is
    the run's model and existed when the run began. The fingerprint in run.json then differs from the one that
    `codepref.models.fingerprint` returns now.
    """
    owner, slash, name = model.partition("/")
    if (
        is_gguf(model)
        or not owner
        or not slash
        or not name
        or "/" in name
        or owner.startswith((".", "~"))
        or Path(model).exists()
    ):
        return ""
    notes = run_dir / "run.json"
    noted = (read_json(notes).get("inputs") or {}).get("model.path") if notes.exists() else None
    return "" if noted and _is_model_of_run(model, run_dir) and noted != fingerprint(model) else model


def shown_name(model: str, run_dir: Path) -> str:
    """Return the name of a model for a card: its hub name, or the last part of its local path."""
    return hub_name(model, run_dir) or model.rstrip("/").rpartition("/")[2]


def local_base(run_dir: Path) -> str:
    """Return the base model of a run's adapter if `hub_name` does not accept it, for example if it is a local folder.

    Return "" if `hub_name` accepts the base model, or if the checkpoint is not an adapter. If the last part of the base
    model's name is `sft` and the run has a folder `sft`, return the base model even if `hub_name` accepts it. Return
    "unknown" if the adapter does not name its base model.
    """
    config = run_dir / "checkpoint" / ADAPTER
    if not config.exists():
        return ""
    base = str(json.loads(config.read_text(encoding="utf-8")).get("base_model_name_or_path") or "")
    own_folder = Path(base).name == "sft" and (run_dir / "sft").is_dir()
    return "" if hub_name(base, run_dir) and not own_folder else base or "unknown"


def _is_model_of_run(model: str, run_dir: Path) -> bool:
    resolved = read_json(run_dir / "summary.json").get("recipe_resolved") or {}
    return bool((resolved.get("model") or {}).get("path") == model)
