"""Reads addresses of OpenAI-compatible servers as people write them. Pure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import parse_qsl, urlsplit, urlunsplit

_ENDPOINTS = ("/chat/completions", "/completions", "/models", "/responses", "/embeddings", "/messages", "/chat")
"""Paths of the functions of an API. People copy addresses with such a path from examples. The base address ends before
the path."""
_VERSION = re.compile(r"/v\d+[a-z0-9]*$")
_LOGIN = re.compile(
    r"(?:(?<=//)|^(?!.*//))(?:[^/?#:@]*:(?!\d+(?:/(?:[^@?#]|(?<=/)@)*)?(?:[?#]|$)).*@|[^/?#]*@)", re.DOTALL
)
_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb<>"


def address_mistake(base_url: str) -> str:
    """Return what is wrong with the form of a base address, or ""."""
    text = _bare(base_url)
    if not text.lower().startswith(("http://", "https://")):
        return f"base_url must begin with http:// or https://, not {hidden_login(base_url)!r}"
    shown = hidden_login(text)
    if re.search(r"[\s{}\\]", text) or any(ord(letter) < 32 for letter in text):
        return f"base_url {shown!r} holds a character that an address cannot hold"
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
        host.encode("idna" if not host.isascii() else "ascii")
    except (ValueError, UnicodeError):
        return f"base_url {shown!r} is not an address. An address has the form http://HOST:PORT/v1, or http://[IPV6]:PORT/v1"
    if not host or port == 0 or "//" in parts.path[:2]:
        return f"base_url {shown!r} names no server. An address has the form http://HOST:PORT/v1"
    return ""


def split_address(base_url: str) -> tuple[str, dict[str, str]]:
    """Return the base address and its query.

    Quotes and angle brackets around the address, final slashes, a fragment, and the path of a function of the API, such
    as /chat/completions, are removed.

    >>> split_address("https://host/openai/v1/chat/completions?api-version=2")
    ('https://host/openai/v1', {'api-version': '2'})
    """
    parts = urlsplit(_bare(base_url))
    path = parts.path.rstrip("/")
    while ending := next((one for one in _ENDPOINTS if path.lower().endswith(one)), ""):
        path = path[: -len(ending)].rstrip("/")
    return urlunsplit((parts.scheme.lower(), parts.netloc, path, "", "")), dict(parse_qsl(parts.query))


def has_version(address: str) -> bool:
    """Return whether an address ends in a version of the API, such as /v1."""
    return _VERSION.search(urlsplit(address).path.rstrip("/")) is not None


def hidden_login(address: str) -> str:
    """Return an address without the login and without the query, which can hold keys.

    The login ends at the last `@` before the path, since people write passwords without escapes. If the text after the
    first colon behind `//` is not a port, or an `@` stands within a part of the path after it, the login ends at the
    last `@` of the whole address, since the password can hold a slash.

    >>> hidden_login("http://me:p@ss/word@host:8000/v1")
    'http://host:8000/v1'
    """
    return _LOGIN.sub("", address, count=1).partition("?")[0]


def is_this_machine(address: str) -> bool:
    """Return whether the host of an address is this machine.

    That is localhost or a name below it, a loopback address, or an unspecified address (0.0.0.0 or ::).
    """
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _bare(base_url: str) -> str:
    return base_url.strip().strip(_QUOTES).strip().strip("\ufeff\u200b")
