"""A wrong address, a cluster that does not answer and a missing Ray give one message, before Ray starts to wait."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from codepref.errors import MachineError, UserError
from codepref.scale.cluster import _speaks_http2, connected


@contextlib.contextmanager
def server(answer: bytes) -> Iterator[str]:
    """Yield the address of a server that sends these bytes to its first client."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(100)
                client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        thread.join(timeout=30)


def connect(address: str) -> None:
    pytest.importorskip("ray")
    with connected(address):
        pass


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"x"])
def test_another_program_at_the_address_is_no_cluster(answer: bytes):
    with server(answer) as address, pytest.raises(MachineError, match=f"no Ray cluster answers at {address} "):
        connect(address)


def test_a_port_where_nothing_listens_is_no_cluster():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(MachineError, match=f"no Ray cluster answers at 127.0.0.1:{port} .*ray start --head"):
        connect(f"127.0.0.1:{port}")


def test_a_server_that_begins_with_settings_may_be_a_cluster():
    # RFC 9113, 4.1: three bytes of length, then the type, which is 4 for settings
    with server(bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))) as address:
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as channel:
            assert _speaks_http2(channel)


@pytest.mark.parametrize(
    ("address", "text"), [("here", "must be auto or HOST:PORT"), ("ray://10.0.0.1:10001", "are not supported")]
)
def test_an_address_of_another_form_is_a_mistake_of_the_user(address: str, text: str):
    with pytest.raises(UserError, match=text):
        connect(address)


def test_without_ray_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MachineError, match=r"Ray is not installed .*pip install 'codepref\[ray\]'"), connected("auto"):
        pass
