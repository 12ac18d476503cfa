"""Processes of this machine run a service, are replaced when they end, and end with their parent."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from codepref.errors import InfrastructureError, MachineError, UserError
from codepref.scale.dispatcher import Dispatcher
from codepref.scale.local import LocalHosts
from codepref.scale.records import GivenUp, ServiceSpec, Work

HERE = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def _services_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("PYTHONPATH", HERE + ":" + ":".join(path for path in sys.path if path))


def run(items: Iterable[Any], count: int = 2, log: Any = lambda text: None, **settings: Any) -> list[Any]:
    hosts = LocalHosts(
        ServiceSpec("services:Doubling", settings),
        count,
        environment=lambda place: {"DEVICE": str(place)},
        log=log,
    )
    try:
        found = list(Dispatcher(hosts).run(Work(at, item) for at, item in enumerate(items)))
    finally:
        hosts.close()
    return [result for _, result in sorted(found, key=lambda pair: pair[0].key)]


def test_results_belong_to_their_items():
    assert run(range(200)) == [2 * at for at in range(200)]


def test_large_items_pass_in_both_directions():
    (result,) = run(["x" * 5_000_000], count=1)
    assert len(result) == 10_000_000


def test_processes_differ_and_each_gets_its_environment():
    pids = run(["pid"] * 30, seconds=0.02)
    assert len(set(pids)) == 2
    assert set(run(["device"] * 30, seconds=0.02)) == {"0", "1"}
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_an_item_that_ends_its_process_is_given_up_and_the_others_get_results():
    results = run([1, 2, "die", 4, 5, 6])
    given_up = results.pop(2)
    assert isinstance(given_up, GivenUp)
    assert given_up.tries == 3
    assert "status 7" in given_up.cause
    assert results == [2, 4, 8, 10, 12]


@pytest.mark.parametrize(
    ("item", "kind", "text"),
    [("wrong", UserError, "this item is wrong"), ("bug", InfrastructureError, "KeyError: 'no such key'")],
)
def test_an_error_of_the_service_is_raised(item: str, kind: type[Exception], text: str):
    with pytest.raises(kind, match=text):
        run([item], count=1)


def test_a_process_whose_service_refuses_the_machine_is_left_out_with_one_message():
    messages: list[str] = []
    with pytest.raises(MachineError, match="no process can do the work: no such device"):
        run([1], log=messages.append, refuse="no such device")
    assert sorted(messages) == [f"process {place} is left out: no such device" for place in range(2)]


def test_work_that_no_process_can_do_ends_with_the_cause():
    with pytest.raises(MachineError, match="this machine is broken"):
        run(["broken", 2])


def test_processes_end_when_their_parent_is_killed():
    code = (
        "import sys, services\nfrom test_local_hosts import LocalHosts, ServiceSpec, Dispatcher, Work\n"
        "hosts = LocalHosts(ServiceSpec('services:Doubling', {'seconds': 60}), 2)\n"
        "for _ in Dispatcher(hosts).run(Work(at, at) for at in range(9)): pass\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL)
    children = wait_for_children(parent.pid, 2)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, left = psutil.wait_procs(children, timeout=30)
    assert not left


def wait_for_children(pid: int, count: int) -> Sequence[psutil.Process]:
    parent = psutil.Process(pid)
    while len(children := parent.children(recursive=True)) < count:
        assert parent.is_running()
        assert parent.status() != psutil.STATUS_ZOMBIE
    return children
