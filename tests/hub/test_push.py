"""Cards and uploads. The hub library's client sends them to a small server that speaks the hub's protocol."""

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import codepref
from codepref.hub.base_model import hub_name, local_base
from codepref.hub.card_text import data_body
from codepref.hub.cards import license_of, write_cards
from codepref.models import fingerprint, public_name
from codepref.storage.files import read_json, write_json


class Hub(BaseHTTPRequestHandler):
    """A server that creates repositories and accepts commits for the token `good`."""

    repositories: dict[str, dict[str, Any]]
    failing: bool

    def log_message(self, *_: Any) -> None:
        """Leave out the log line of each request."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(iter(self._chunk, b""))
        if self.failing:
            return self._answer(503, {"error": "overloaded"})
        if self.headers.get("Authorization") != "Bearer good":
            return self._answer(401, {"error": "Invalid credentials"})
        kind, _, rest = self.path.removeprefix("/api/").partition("/")
        if self.path == "/api/repos/create":
            spec = json.loads(body)
            name = f"{spec.get('organization') or 'me'}/{spec['name']}"
            self.repositories[name] = {
                "private": spec.get("visibility") == "private" if "visibility" in spec else spec.get("private"),
                "type": spec.get("type", "model"),
                "files": {},
            }
            place = f"datasets/{name}" if spec.get("type") == "dataset" else name
            return self._answer(200, {"url": f"http://{self.headers['Host']}/{place}", "name": name})
        if kind in ("models", "datasets"):
            name = rest.partition("/preupload/" if "/preupload/" in rest else "/commit/")[0]
            if "/preupload/" in rest:
                files = [{"path": one["path"], "uploadMode": "regular"} for one in json.loads(body)["files"]]
                return self._answer(200, {"files": [one | {"shouldIgnore": False} for one in files]})
            for line in body.splitlines():
                one = json.loads(line)
                if one["key"] == "file":
                    content = base64.b64decode(one["value"]["content"])
                    self.repositories[name]["files"][one["value"]["path"]] = content
            commit = {"commitUrl": f"http://{self.headers['Host']}/{name}/commit/1", "commitOid": "1", "success": True}
            return self._answer(200, commit)
        return self._answer(200, {})  # validate-yaml

    def do_GET(self) -> None:
        name = self.path.split("?")[0].removeprefix("/api/models/").removeprefix("/api/datasets/")
        return self._answer(200, {"id": name, "sha": "1", "siblings": []})

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().strip() or b"0", 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def _answer(self, status: int, content: Any) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def hub() -> Iterator[Any]:
    handler = type("OneHub", (Hub,), {"repositories": {}, "failing": False})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    handler.address = f"http://127.0.0.1:{server.server_port}"
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run whose model is promoted, because the gate's margin is wide."""
    out = tmp_path_factory.mktemp("hub") / "run"
    settings = ["problems.train_limit=16", "problems.heldout_limit=8", "sampling.solutions=4", "validation.problems="]
    settings += ["evaluation.samples=2", "evaluation.k=[1]", "training.epochs=1.0", "gate.margin=100"]
    codepref.demo("tests-dpo", out, overrides=[*settings, "hub.license=apache-2.0"])
    return out


@pytest.fixture
def run_dir(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def push(folder: Path, *more: str, address: str, token: str = "good") -> tuple[int, str, str]:
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_TOKEN": token, "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HOME": str(folder.parent / "home")}
    if not token:
        del environment["HF_TOKEN"]
    command = [sys.executable, "-m", "codepref", "push", str(folder), *more]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stdout, ended.stderr


def not_promoted(run_dir: Path) -> None:
    summary = read_json(run_dir / "summary.json")
    summary["gate"] = {"promoted": False, "reasons": ["pass@1: the aligned model is worse"]}
    write_json(run_dir / "summary.json", summary)


def test_model_and_pairs_are_uploaded_with_their_cards(run_dir: Path, hub: Any) -> None:
    status, out, err = push(run_dir, "--model", "me/aligned", "--dataset", "me/pairs", address=hub.address)
    assert status == 0, err
    model, data = hub.repositories["me/aligned"], hub.repositories["me/pairs"]
    assert model["private"] is data["private"] is True
    assert data["type"] == "dataset"
    assert {"README.md", "model.safetensors", "config.json", "tokenizer.json", "training.json"} <= set(model["files"])
    assert model["files"]["model.safetensors"] == (run_dir / "checkpoint" / "model.safetensors").read_bytes()
    assert set(data["files"]) == {"README.md", "pairs.parquet"}
    assert len(out.splitlines()) == 2
    texts = b"".join(content for name, content in model["files"].items() if name.endswith((".json", ".md")))
    assert str(run_dir.parent).encode() not in texts


def test_the_hub_library_reads_the_metadata_of_the_cards(run_dir: Path) -> None:
    from huggingface_hub import DatasetCard, ModelCard

    model_card, data_card = write_cards(run_dir)
    data = ModelCard.load(model_card).data
    assert data.license == "apache-2.0"
    summary = read_json(run_dir / "summary.json")
    figures = {row["name"]: row["value"] for row in summary["scores"]["aligned"]}
    assert {one.metric_name for one in data.eval_results} == set(figures)
    for one in data.eval_results:
        assert one.metric_value == pytest.approx(100 * figures[one.metric_name], abs=0.01)
    configs = DatasetCard.load(data_card).data.configs
    assert configs[0]["data_files"][0]["path"] == "pairs.parquet"


def test_the_pairs_card_of_a_pool_names_the_source_of_the_instructions() -> None:
    recipe = {
        "problems": {"train": "starter:train"},
        "instructions": {"source": "me/requests"},
        "pairing": {"rule": "rated"},
        "pool": [{"name": "a"}],
    }
    text = data_body({"recipe_resolved": recipe, "pairs": {"count": 3, "problems": 2}}, "run pairs", "base")
    assert "3 preference pairs of 2 instructions from `me/requests`, chosen by the pairing rule `rated`" in text
    assert "the answers of a pool of models" in text
    assert "starter:train" not in text


def test_a_model_that_was_not_promoted_is_uploaded_only_with_anyway(run_dir: Path, hub: Any) -> None:
    not_promoted(run_dir)
    status, _, err = push(run_dir, "--model", "me/bad", address=hub.address)
    assert status == 1
    assert "was not promoted: pass@1: the aligned model is worse" in err
    assert hub.repositories == {}
    assert push(run_dir, "--model", "me/bad", "--anyway", "--public", address=hub.address)[0] == 0
    card = hub.repositories["me/bad"]["files"]["README.md"].decode()
    assert "**Not promoted.** pass@1: the aligned model is worse." in card.split("---")[2][:200]
    assert hub.repositories["me/bad"]["private"] is False


@pytest.mark.parametrize(
    ("options", "token", "status", "message"),
    [
        ([], "good", 2, "nothing to push"),
        (["--model", "aligned"], "good", 2, "OWNER/NAME"),
        (["--model", "me/aligned"], "bad", 2, "does not let this token write to the repository (status 401)"),
        (["--model", "me/aligned"], "", 2, "HF_TOKEN"),
        (["--dataset", "me/.."], "good", 2, "does not accept this name"),
    ],
)
def test_each_mistake_gives_one_message(
    options: list[str], token: str, status: int, message: str, run_dir: Path, hub: Any
) -> None:
    ended, _, err = push(run_dir, *options, address=hub.address, token=token)
    assert (ended, err.count("\n")) == (status, 1)
    assert message in err


def test_a_hub_that_cannot_be_reached_gives_status_3(run_dir: Path) -> None:
    status, _, err = push(run_dir, "--model", "me/aligned", address="http://127.0.0.1:9")
    assert status == 3
    assert "cannot be reached" in err


def test_a_folder_without_a_run_is_refused(tmp_path: Path, hub: Any) -> None:
    status, _, err = push(tmp_path, "--model", "me/aligned", address=hub.address)
    assert status == 2
    assert "not the directory of a finished run" in err


def set_model(run_dir: Path, model: str) -> None:
    """Change summary.json and run.json as if the run had begun with the model `model`."""
    summary, notes = read_json(run_dir / "summary.json"), read_json(run_dir / "run.json")
    summary["recipe_resolved"]["model"]["path"] = model
    notes["inputs"]["model.path"] = fingerprint(model)
    write_json(run_dir / "summary.json", summary)
    write_json(run_dir / "run.json", notes)


def local_model(folder: Path) -> None:
    """Make a folder that looks like a model."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")


def test_a_hub_name_is_published_as_the_base_model(run_dir: Path) -> None:
    from huggingface_hub import ModelCard

    set_model(run_dir, "owner/base")
    card = write_cards(run_dir)[0]
    assert ModelCard.load(card).data.base_model == "owner/base"


@pytest.mark.parametrize("absolute", [False, True])
def test_a_local_base_is_named_in_the_text_and_not_in_the_metadata(
    absolute: bool, run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import ModelCard

    monkeypatch.chdir(tmp_path)
    local_model(tmp_path / "models" / "base")
    set_model(run_dir, str(tmp_path / "models" / "base") if absolute else "models/base")
    # the relative path does not exist in this folder, but the run's notes show that it is no hub name
    monkeypatch.chdir(run_dir)
    card = write_cards(run_dir)[0]
    assert "base_model" not in ModelCard.load(card).data.to_dict()
    text = card.read_text()
    assert "Trained from `base` by" in text
    assert 'path = "base"' in text
    assert "models/base" not in text


def test_an_adapter_on_a_local_base_is_refused(run_dir: Path, hub: Any) -> None:
    write_json(run_dir / "checkpoint" / "adapter_config.json", {"base_model_name_or_path": "/home/me/base"})
    status, _, err = push(run_dir, "--model", "me/aligned", address=hub.address)
    assert (status, err.count("\n")) == (2, 1)
    assert "the adapter has a base model that seems to be local (/home/me/base)" in err
    assert "training.merge_adapter = true" in err
    assert hub.repositories == {}


def test_a_relative_path_of_an_adapters_base_is_no_hub_name(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    local_model(tmp_path / "models" / "base")
    set_model(run_dir, "models/base")
    adapter = run_dir / "checkpoint" / "adapter_config.json"
    assert local_base(run_dir) == ""  # the checkpoint is no adapter
    write_json(adapter, {"base_model_name_or_path": "models/base"})
    assert local_base(run_dir) == "models/base"
    monkeypatch.chdir(run_dir)
    assert local_base(run_dir) == "models/base"
    write_json(adapter, {"base_model_name_or_path": "owner/base"})
    assert local_base(run_dir) == ""
    (run_dir / "sft").mkdir()
    write_json(adapter, {"base_model_name_or_path": "run/sft"})
    assert local_base(run_dir) == "run/sft"


@pytest.mark.parametrize("name", ["starter", "/a/b", "./a/b", "~/b", "a/b/c", "a/", "/b", ""])
def test_a_path_is_no_hub_name(name: str, tmp_path: Path) -> None:
    assert hub_name(name, tmp_path) == ""


def test_the_licence_comes_from_the_local_base_models_own_card(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlibrary_name: x\nlicense: mit\n---\n# A model\nlicense: other\n")
    assert license_of(str(tmp_path)) == "mit"
    assert license_of("owner/name") == ""


def test_public_names_hold_no_folders_of_this_machine() -> None:
    assert public_name("Qwen/Qwen2.5") == "Qwen/Qwen2.5"
    assert public_name("/home/me/models/mine/") == "mine"
    assert public_name("runs/a/checkpoint") == "checkpoint"
    assert public_name("starter") == "starter"
