"""Starts nurseries, which are processes that fork zygotes on request, and runs the zygotes of solutions.

A worker forks two nurseries before its first task. It forks the nursery of solutions before it imports the code that
prepares and runs tests, since a process with less memory forks faster and many of the forked processes run solutions.
"""

from __future__ import annotations

import _socket
import gc
import os
from collections.abc import Callable, Mapping

from ..confinement import packages
from ..confinement.folders import MAX_FILE_BYTES, SOLUTIONS, Folders
from ..confinement.hardening import CHANNEL, Hardening
from ..wire.decoder import Decoder
from . import ordinary, solution, zygote

PLAIN, PACKAGED = b"solutions", b"packaged"
"""Roles of zygotes of solutions. PACKAGED: for solutions that import a package. PLAIN: for other solutions."""

Serve = Callable[[_socket.socket], None]
"""A function that runs a zygote. Its argument is the zygote's control socket."""


def spawn(hardening: Hardening, folders: Folders, folder_role: str, roles: Mapping[bytes, Serve]) -> zygote.Zygote:
    """Fork a nursery, which forks zygotes of these roles on request. Return the connection to the nursery.

    folder_role: names the scratch folder in which the processes that the zygotes fork may write.
    """
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        try:
            control = _own_socket(hardening, theirs.fileno(), parent)
            hardening.name("nursery")
            hardening.enclose(folders.parent(folder_role), folders.folder(folder_role))
            serve_roles(hardening, control, roles)
        finally:
            os._exit(70)
    theirs.close()
    return zygote.Zygote(ours, pid)


def serve_roles(hardening: Hardening, control: _socket.socket, roles: Mapping[bytes, Serve]) -> None:
    """Run a nursery in this process: fork zygotes of these roles on request."""

    def serve_role(descriptors: list[int], role: bytes) -> None:
        roles[role](_own_socket(hardening, descriptors[0], os.getppid()))

    zygote.serve(control, serve_role)


def zygote_of(nursery: zygote.Zygote, role: bytes) -> zygote.Zygote:
    """Have a nursery fork a zygote of this role, and return the connection to the zygote.

    Raises ZygoteLost if the nursery is gone or cannot fork.
    """
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        return zygote.Zygote(ours, nursery.fork((theirs.fileno(),), role))
    finally:
        theirs.close()


def spawn_solutions(hardening: Hardening, folders: Folders) -> zygote.Zygote:
    """Fork the nursery of solutions. Its roles are PLAIN and PACKAGED. Return the connection to the nursery."""

    def run(descriptors: list[int], payload: bytes) -> None:
        hardening.name("solution")
        memory, cpu = Decoder(payload).value()
        hardening.apply(descriptors, os.getppid(), memory, cpu, MAX_FILE_BYTES)
        solution.run()

    def serve_plain(control: _socket.socket) -> None:
        hardening.name("solutions")
        ordinary.install()
        zygote.serve(control, run)

    def serve_packaged(control: _socket.socket) -> None:
        hardening.name("packaged")
        ordinary.install()

        def load(kind: bytes, payload: bytes) -> bytes:
            packages.preload(Decoder(payload).value())
            hardening.grown()
            gc.collect()
            gc.freeze()
            return b""

        zygote.serve(control, run, load)

    return spawn(hardening, folders, SOLUTIONS, {PLAIN: serve_plain, PACKAGED: serve_packaged})


def _own_socket(hardening: Hardening, descriptor: int, parent: int) -> _socket.socket:
    """Return the control socket of a new process.

    The process keeps only this socket and the descriptors 0, 1 and 2. It dies with its parent.
    """
    os.dup2(os.dup(descriptor), CHANNEL)
    os.closerange(CHANNEL + 1, 1 << 16)
    hardening.die_with_parent(parent)
    return _socket.socket(fileno=CHANNEL)
