"""The dispatcher gives each piece of work one result, even if hosts are lost. The hosts here are objects of the
test."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from codepref.errors import InfrastructureError, MachineError
from codepref.scale.dispatcher import MAX_TRIES, Dispatcher
from codepref.scale.records import Event, Finished, GivenUp, Host, HostLost, Work


class FakeHosts:
    """Hosts that double a number. Each `wait` finishes the oldest batch of one host, or loses this host.

    loses: returns whether a host that holds these items is lost now. A new host of the same name replaces it.
    """

    def __init__(self, capacities: Sequence[int], loses: Callable[[list[int]], bool] = lambda items: False) -> None:
        self.hosts = {at: Host(at, f"host {at}", f"node {at}", size) for at, size in enumerate(capacities)}
        self.held: dict[int, dict[int, list[int]]] = {at: {} for at in self.hosts}
        self.loses, self.next_number = loses, len(self.hosts)
        self.most_held: dict[str, int] = {}
        self.sent: list[tuple[str, list[int]]] = []
        self.turn = 0

    def ready(self) -> Sequence[Host]:
        return list(self.hosts.values())

    def send(self, host: Host, batch: int, items: Sequence[Any]) -> None:
        self.held[host.number][batch] = list(items)
        self.sent.append((host.node, list(items)))
        now = sum(map(len, self.held[host.number].values()))
        self.most_held[host.name] = max(now, self.most_held.get(host.name, 0))

    def wait(self, seconds: float) -> Sequence[Event]:
        busy = [number for number in self.hosts if self.held[number]]
        if not busy:
            return []
        self.turn += 1
        number = busy[self.turn % len(busy)]
        batches = self.held[number]
        if self.loses([item for items in batches.values() for item in items]):
            return [self.lose(number)]
        batch = next(iter(batches))
        return [Finished(batch, [2 * item for item in batches.pop(batch)])]

    def lose(self, number: int) -> HostLost:
        host = self.hosts.pop(number)
        del self.held[number]
        self.hosts[self.next_number] = Host(self.next_number, host.name, host.node, host.capacity)
        self.held[self.next_number] = {}
        self.next_number += 1
        return HostLost(host, f"{host.name} ended")

    def close(self) -> None:
        self.hosts.clear()


def works(count: int, weight: int = 1) -> Iterator[Work]:
    return (Work(f"key {at}", at, weight) for at in range(count))


def results(hosts: FakeHosts, count: int, **options: Any) -> dict[str, Any]:
    found = list(Dispatcher(hosts, **options).run(works(count)))
    assert len(found) == count
    return {work.key: result for work, result in found}


def test_every_piece_of_work_gets_its_own_result():
    assert results(FakeHosts([1, 4, 2]), 500) == {f"key {at}": 2 * at for at in range(500)}


def test_no_work_gives_no_result():
    assert results(FakeHosts([1]), 0) == {}


@pytest.mark.parametrize("seed", range(10))
def test_hosts_that_are_lost_at_random_change_no_result(seed: int):
    chance = random.Random(seed)
    hosts = FakeHosts([1, 2, 2], lambda items: chance.random() < 0.1)
    assert results(hosts, 300) == {f"key {at}": 2 * at for at in range(300)}
    assert hosts.next_number > 3


def test_work_that_ends_its_host_is_given_up_after_three_tries_and_hurts_no_other():
    hosts = FakeHosts([2, 2], lambda items: 7 in items)
    found = results(hosts, 40)
    given_up = found.pop("key 7")
    assert isinstance(given_up, GivenUp)
    assert given_up.tries == MAX_TRIES
    assert all(found[f"key {at}"] == 2 * at for at in range(40) if at != 7)


def test_the_cause_and_the_tries_of_given_up_work_are_known():
    hosts = FakeHosts([1], lambda items: True)
    (result,) = results(hosts, 1).values()
    assert result == GivenUp("host 0 ended", 3)


def test_suspicious_work_runs_alone_and_first_on_another_node():
    hosts = FakeHosts([1, 1, 1], lambda items: 3 in items)
    assert isinstance(results(hosts, 30)["key 3"], GivenUp)
    alone = [node for node, items in hosts.sent if items == [3]]
    assert len(set(alone[-2:])) == 2


def test_a_host_holds_a_bounded_number_of_items():
    hosts = FakeHosts([1, 8])
    results(hosts, 200, clock=iter(range(10**9)).__next__)  # each batch takes long, so that batches stay small
    assert hosts.most_held["host 0"] <= 4
    assert hosts.most_held["host 1"] <= 18


def test_heavy_items_are_not_sent_far_ahead():
    hosts = FakeHosts([2])
    list(Dispatcher(hosts).run(works(50, weight=1000)))
    assert hosts.most_held["host 0"] <= 3


def test_work_is_read_only_as_hosts_need_it():
    read = 0

    def source() -> Iterator[Work]:
        nonlocal read
        for work in works(10**6):
            read += 1
            yield work

    running = Dispatcher(FakeHosts([2])).run(source())
    next(running)
    running.close()
    assert read < 100


def test_quick_items_go_out_in_batches():
    hosts = FakeHosts([1])
    list(Dispatcher(hosts, clock=lambda: 0.0).run(works(2000)))
    assert max(len(items) for _, items in hosts.sent) == 64


def test_thirty_losses_in_a_row_end_the_work():
    # every item ends its host, so no result ever comes
    with pytest.raises(MachineError, match="30 processes that do the work were lost in a row"):
        list(Dispatcher(FakeHosts([1, 1], lambda items: True)).run(works(100)))


def test_a_wrong_number_of_results_is_no_result():
    hosts = FakeHosts([1])
    hosts.wait = lambda seconds: [Finished(1, [])]  # type: ignore[method-assign]
    with pytest.raises(InfrastructureError, match="0 results for 1 pieces"):
        list(Dispatcher(hosts).run(works(1)))


def test_a_second_run_ignores_results_of_a_run_that_was_closed():
    hosts = FakeHosts([2])
    dispatcher = Dispatcher(hosts)
    first = dispatcher.run(works(50))
    next(first)
    first.close()
    assert {work.key: result for work, result in dispatcher.run(works(5))} == {f"key {at}": 2 * at for at in range(5)}
