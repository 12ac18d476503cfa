"""Tests of keys, addresses and proxies in the forms in which people write them."""

from pathlib import Path

import pytest

from codepref.config.address import address_mistake, has_version, hidden_login, is_this_machine, split_address
from codepref.servers.connection import ConnectionMistake, http_client, proxy_of
from codepref.servers.keys import hide_key, key_mistake, read_key

KEY = "sk-made-up-123"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.mark.parametrize(
    "written",
    [
        KEY, f"{KEY}\n", f"\ufeff{KEY}\r\n", f" {KEY}\t", f'"{KEY}"', f"'{KEY}'\n", f"\u201c{KEY}\u201d",
        f"\u00ab{KEY}\u00bb", f"\u200b{KEY}", f"Bearer {KEY}", f"Authorization: Bearer {KEY}", f'" {KEY} "', f"`{KEY}`",
    ],
)  # fmt: skip
def test_a_key_is_read_without_what_came_along_when_it_was_copied(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MADE_UP_KEY", written)
    assert (read_key("MADE_UP_KEY"), key_mistake("MADE_UP_KEY")) == (KEY, "")


@pytest.mark.parametrize("odd", ["\n", " ", "\u2011", "\u0430", "\udce4", "\u00e9", "\x7f", "\x00"])
def test_a_key_that_no_header_can_hold_is_a_mistake_that_does_not_show_it(
    odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {"MADE_UP_KEY": f"sk-made{odd}up-123"})
    mistake = key_mistake("MADE_UP_KEY")
    assert "at place 8 of 14" in mistake
    assert "sk-made" not in mistake
    assert "up-123" not in mistake


def test_a_key_in_the_words_of_a_server_is_hidden() -> None:
    assert hide_key(f"Incorrect key: {KEY}!", KEY) == "Incorrect key: (the key)!"
    assert hide_key("none of them", "none") == "none of them"


@pytest.mark.parametrize(
    ("written", "address", "query"),
    [
        ("http://h:8000/v1", "http://h:8000/v1", {}),
        ("http://h:8000/v1/", "http://h:8000/v1", {}),
        (" 'http://h/v1//' ", "http://h/v1", {}),
        ("http://h/v1/chat/completions", "http://h/v1", {}),
        ("http://h/v1/chat/completions/", "http://h/v1", {}),
        ("http://h/v1/completions", "http://h/v1", {}),
        ("https://h/openai/v1/models", "https://h/openai/v1", {}),
        ("HTTP://h/v1", "http://h/v1", {}),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1", {}),
        (
            "https://h/openai/deployments/d/chat/completions?api-version=2",
            "https://h/openai/deployments/d",
            {"api-version": "2"},
        ),
    ],
)
def test_an_address_is_read_in_each_form(written: str, address: str, query: dict[str, str]) -> None:
    assert address_mistake(written) == ""
    assert split_address(written) == (address, query)


@pytest.mark.parametrize(
    "written",
    [
        "localhost:8000/v1", "", "unix:///run/server.sock", "htp://h/v1", "http://", "http:///v1", "http://h:port/v1",
        "http://::1:8000/v1", "http://h:99999/v1", "http://[::1/v1", "http://h:{port}/v1", "http://h /v1",
        "http:// h/v1", "https://http://h/v1", "http://h\\v1",
    ],
)  # fmt: skip
def test_an_address_to_which_no_call_can_be_made_is_a_mistake(written: str) -> None:
    assert "base_url" in address_mistake(written)


def test_logins_and_queries_of_addresses_are_not_shown() -> None:
    assert hidden_login("https://me:secret@h/v1?key=secret") == "https://h/v1"
    assert "secret" not in address_mistake("https://me:secret@h:port/v1")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("http://user:p@ss@host/v1", "http://host/v1"),
        ("http://user:p@s/s@host:8000/v1", "http://host:8000/v1"),
        ("http://user:p/ss@host/v1", "http://host/v1"),
        ("http://user:p?s#s@host/v1?key=secret", "http://host/v1"),
        ("http://user:p ss@host/v1", "http://host/v1"),
        ("http://key@host/v1", "http://host/v1"),
        ("user:p@ss@host/v1", "host/v1"),
        ("http://user:12/ss@host/v1", "http://host/v1"),
        ("http://user:8000/p/4ss@host:8000/v1?key=secret", "http://host:8000/v1"),
        ("https://host:8443/accounts/@team/v1", "https://host:8443/accounts/@team/v1"),
        ("https://host/accounts/@team/v1", "https://host/accounts/@team/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("http://me:secret@[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_a_password_without_escapes_is_hidden_whole(written: str, shown: str) -> None:
    assert hidden_login(written) == shown


def test_versions_and_this_machine_are_recognised() -> None:
    assert has_version("http://h/api/v1/")
    assert has_version("http://h/v1beta")
    assert not has_version("http://h/v1/openai")
    assert all(
        map(is_this_machine, ("http://localhost:1", "http://127.0.0.2", "http://[::1]:1/v1", "http://0.0.0.0:1"))
    )
    assert not is_this_machine("http://127.0.0.1.example.com")


def set_proxies(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_calls_to_this_machine_go_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    set_proxies(monkeypatch, ALL_PROXY="socks5h://10.0.0.1:1", http_proxy="not a proxy")
    assert proxy_of("http://127.0.0.1:8000/v1") == ""
    http_client("http://127.0.0.1:8000/v1", 1.0)


def test_only_the_proxy_for_the_address_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    set_proxies(monkeypatch, http_proxy="bad://x", https_proxy="10.0.0.1:3128", NO_PROXY="inner.example")
    assert proxy_of("https://h/v1") == "http://10.0.0.1:3128"
    assert proxy_of("https://inner.example/v1") == ""
    http_client("https://h/v1", 1.0)


@pytest.mark.parametrize("proxy", ["bad://x:1", "socks9://me:secret@10.0.0.1:1", "http://h:port"])
def test_a_proxy_that_cannot_be_used_is_one_message_without_its_login(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_proxies(monkeypatch, ALL_PROXY=proxy)
    with pytest.raises(ConnectionMistake, match=r"proxy .* cannot be used") as error:
        http_client("https://h/v1", 1.0)
    assert "secret" not in str(error.value)


def test_a_certificate_that_cannot_be_used_is_not_called_a_mistake_of_the_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    for proxies in ({}, {"ALL_PROXY": "http://10.0.0.1:3128"}):
        set_proxies(monkeypatch, **proxies)
        with pytest.raises(ConnectionMistake, match="SSL_CERT_FILE or SSL_CERT_DIR cannot be used"):
            http_client("https://h/v1", 1.0)
