"""Cuts the benchmark off the network: peers and plain processes confine nothing, and some samples send requests."""

from __future__ import annotations

import ctypes
import os
import socket

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def cut_off() -> None:
    """Put this process and all that it starts into a network namespace of its own, which has no interface that is up.

    A user who is not root gets a user namespace around it, with the same ids. Proxies are taken out of the environment.
    Raises SystemExit where the kernel allows neither.
    """
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) == 0:
        return
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        raise SystemExit(
            "model-written samples are run unconfined here, and this machine lets nobody cut them off the network "
            f"({os.strerror(ctypes.get_errno())}): run as root, or where user namespaces are allowed"
        )
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as stream:
            stream.write(text)


def reachable(address: str = "192.0.2.1") -> bool:
    """Whether there is a route to an address (of the range kept for documentation); nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError:
            return False
        return True
