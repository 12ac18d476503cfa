"""Cuts a benchmark off from the network.

The other systems that a benchmark measures do not keep a sample from the network, and some samples send requests.
"""

from __future__ import annotations

import ctypes
import os
import socket

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def cut_off() -> None:
    """Move this process, and every process that it starts later, into a network namespace without a working interface.

    If this user may not create a network namespace, the process also moves into a new user namespace, where it keeps
    its user and group id. Proxy variables are removed from the environment. Raises SystemExit if the kernel does not
    allow the user namespace either.
    """
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) == 0:
        return
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        raise SystemExit(
            "this benchmark runs model-written samples unconfined, and this machine does not allow it to cut them off "
            f"from the network ({os.strerror(ctypes.get_errno())}). Run it as root, or allow user namespaces."
        )
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as stream:
            stream.write(text)


def reachable(address: str = "192.0.2.1") -> bool:
    """Return whether this process has a route to `address`. The function sends nothing.

    The default address is one that is reserved for documentation.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError:
            return False
        return True
