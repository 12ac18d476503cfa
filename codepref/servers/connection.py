"""Makes the HTTP client of an address, with the proxy that the environment names for it."""

from __future__ import annotations

import os
import ssl
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from codepref.config.address import hidden_login, is_this_machine


class ConnectionMistake(Exception):
    """The environment does not allow connections to an address. The text is for the user."""


def proxy_of(address: str) -> str:
    """Return the proxy for calls to an address, or "".

    Calls to this machine (see `is_this_machine`) and to hosts in NO_PROXY use no proxy.
    """
    parts = urlsplit(address)
    if is_this_machine(address) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def http_client(address: str, timeout: float) -> Any:
    """Return an HTTP client of the openai library for calls to an address.

    The client opens only the proxy for this address, since the library may not know the kinds of the other proxies in
    the environment. Raises ConnectionMistake if the proxy, or a certificate that the environment names, cannot be used.
    """
    import openai

    proxy, certificates = proxy_of(address), _certificates(address)
    if not proxy:
        return openai.DefaultAsyncHttpxClient(timeout=timeout, trust_env=False, verify=certificates)
    try:
        return openai.DefaultAsyncHttpxClient(timeout=timeout, proxy=proxy, verify=certificates)
    except Exception as error:  # noqa: BLE001 - mistakes in a proxy have no common base class
        socks = "socks" in urlsplit(proxy).scheme.lower()
        install = "Install the package socksio for SOCKS proxies, or set" if socks else "Set"
        raise ConnectionMistake(
            f"the proxy {hidden_login(proxy)} in the environment (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY) cannot be used "
            f"({' '.join(str(error).split())[:120]}). {install} another proxy, or list the server in NO_PROXY"
        ) from None


def _certificates(address: str) -> Any:
    """Return the certificates in SSL_CERT_FILE and SSL_CERT_DIR, or True for the certificates of the library.

    Return True also for an address without https. Raises ConnectionMistake if the certificates cannot be used.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not address.startswith("https") or not (file or folder):
        return True
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except (OSError, ssl.SSLError) as error:
        raise ConnectionMistake(f"SSL_CERT_FILE or SSL_CERT_DIR cannot be used ({error})") from None
