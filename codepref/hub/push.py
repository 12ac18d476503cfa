"""The function of `codepref push`, which uploads a run's model and pairs to the hub."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codepref.errors import GateError, MachineError, UserError
from codepref.hub.base_model import local_base
from codepref.hub.cards import DATA_CARD, write_cards
from codepref.storage.files import read_json

NOT_UPLOADED = ("*.partial", ".*", "training_args.bin", "optimizer.pt", "checkpoint-*")
"""Patterns of the files in a checkpoint that `push` does not upload."""


@dataclass(frozen=True)
class Pushed:
    """What `push` uploaded.

    addresses: the repositories' addresses under the keys "model" and "pairs". A key is missing if `push` did not upload
    that part.
    """

    addresses: dict[str, str] = field(default_factory=dict)


def push(
    run_dir: Path | str,
    *,
    model: str = "",
    dataset: str = "",
    public: bool = False,
    anyway: bool = False,
    message: str = "",
) -> Pushed:
    """Upload a run's checkpoint to the repository `model` and its pairs to the repository `dataset`, with their cards.

    An empty name means that this part is not uploaded. Repositories that do not exist are created, as private ones
    unless `public` is set. The hub's library finds the token (HF_TOKEN, or a login) and the hub's address
    (HF_ENDPOINT).

    anyway: also upload a model that was not measured, or that was measured and not promoted by the gate. In the second
    case, the card says so. message: the commit message; "" stands for one that names codepref's version and the recipe.

    Raises UserError (no finished run, nothing to push, no checkpoint or no pairs, a name that is not OWNER/NAME, an
    adapter whose base model has no name OWNER/NAME on the hub, no token, no right to write, a request that the hub
    refuses), GateError (the model was not promoted or not measured), and MachineError (the hub failed or cannot be
    reached).
    """
    folder = Path(run_dir)
    if not (folder / "summary.json").exists():
        raise UserError(f"{folder} is not the directory of a finished run, since it holds no summary.json")
    if not model and not dataset:
        raise UserError("nothing to push: give --model OWNER/NAME, --dataset OWNER/NAME, or both")
    for name in filter(None, (model, dataset)):
        if name.count("/") != 1 or not all(name.split("/")):
            raise UserError(f"{name!r} does not have the form OWNER/NAME, which the name of a repository needs here")
    summary = read_json(folder / "summary.json")
    message = message or f"codepref {summary.get('codepref', '')}, recipe {summary.get('recipe', '')}"
    if model:
        _check_model(folder, summary, anyway)
    if dataset and not (folder / "pairs.parquet").exists():
        raise UserError(f"{folder} holds no pairs.parquet: leave out --dataset")
    write_cards(folder)
    addresses = {}
    if model:
        addresses["model"] = _with_hub(lambda api: _push_model(api, folder / "checkpoint", model, public, message))
    if dataset:
        addresses["pairs"] = _with_hub(lambda api: _push_pairs(api, folder, dataset, public, message))
    return Pushed(addresses)


def _check_model(folder: Path, summary: dict[str, Any], anyway: bool) -> None:
    """Check that the run's model can be pushed.

    Raises UserError for a run without a checkpoint, and for an adapter whose base model has no hub name OWNER/NAME.
    Raises GateError for a model that was not promoted or not measured, unless `anyway` is set.
    """
    checkpoint = folder / "checkpoint"
    if not checkpoint.is_dir():
        raise UserError(f"{folder} holds no checkpoint: leave out --model")
    gate = summary.get("gate") or {}
    if not gate and not anyway:
        raise GateError("the model was not measured, so the gate did not promote it. --anyway pushes it nevertheless")
    if not gate.get("promoted") and not anyway:
        reason = (gate.get("reasons") or ["no reason is given"])[0]
        raise GateError(f"the model was not promoted: {reason}. --anyway pushes it with a card that says this")
    if base := local_base(folder):
        what = (
            "does not name its base model" if base == "unknown" else f"has a base model that seems to be local ({base})"
        )
        raise UserError(
            f"{checkpoint}: the adapter {what}, so others may be unable to load it. Train again with "
            "training.merge_adapter = true. If the base model is on the hub, write its OWNER/NAME as "
            "base_model_name_or_path into adapter_config.json instead"
        )


def _push_model(api: Any, checkpoint: Path, name: str, public: bool, message: str) -> str:
    address = str(api.create_repo(name, private=not public, exist_ok=True))
    api.upload_folder(repo_id=name, folder_path=checkpoint, commit_message=message, ignore_patterns=list(NOT_UPLOADED))
    return address


def _push_pairs(api: Any, folder: Path, name: str, public: bool, message: str) -> str:
    from huggingface_hub import CommitOperationAdd

    address = str(api.create_repo(name, private=not public, exist_ok=True, repo_type="dataset"))
    files = {"README.md": folder / DATA_CARD, "pairs.parquet": folder / "pairs.parquet"}
    api.create_commit(
        name,
        [CommitOperationAdd(path_in_repo=place, path_or_fileobj=path) for place, path in files.items()],
        commit_message=message,
        repo_type="dataset",
    )
    return address


def _with_hub(work: Callable[[Any], str]) -> str:
    """Call `work` with the hub's client, and raise the client's usual errors as UserError or MachineError."""
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled

    try:
        return work(HfApi())
    except HFValidationError as error:
        raise UserError(f"the hub does not accept this name ({_first_line(error)})") from None
    except LocalTokenNotFoundError:
        raise UserError("there is no token for the hub: set HF_TOKEN, or run `hf auth login`") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            raise UserError(
                f"the hub does not let this token write to the repository (status {status}): set HF_TOKEN to a token "
                "with that right, or choose another OWNER"
            ) from None
        if 400 <= status < 500:
            raise UserError(f"the hub refused the request ({_first_line(error)})") from None
        raise MachineError(f"the hub failed ({_first_line(error)}); try again later") from None
    except (httpx2.TransportError, OfflineModeIsEnabled, ConnectionError) as error:
        raise MachineError(f"the hub cannot be reached from here ({_first_line(error)})") from None


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
