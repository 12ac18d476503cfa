"""The settings of the service, and its errors `Full` and `Unavailable`."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass, field
from typing import get_args

from codepref.errors import CodeprefError, UserError
from codepref.execution.limits import Limits
from codepref.records import VacuousTests

TOKEN_VARIABLE = "CODEPREF_TOKEN"
"""The environment variable with the token of the server and of its clients, if they are given no other token."""


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The settings of `codepref serve`.

    host, port: the address; port 0 takes a free port. token: what a client must send as `Authorization: Bearer TOKEN`,
    or "" if none is needed. jobs: the number of workers; None means one for each core. queue: the largest number of
    solutions and programs that wait or run at one time. limits, vacuous_tests: the values of requests that name none.
    max_cpu_seconds: the highest limit of CPU time that a request may ask for. A limit of wall-clock time may be ten
    times as high, and that of a reference solution also as high as the one in `limits`. max_memory_mb: the highest
    limit of memory that a request may ask for, in MiB. request_seconds: the time in which a request must be answered.
    body_mb: the largest body of a request, in MiB. unconfined: run untrusted programs without Landlock.

    Raises UserError for a wrong value, except for `jobs`, which the engine checks.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: str = field(default="", repr=False)
    jobs: int | None = None
    queue: int = 4096
    limits: Limits = field(default_factory=Limits)
    vacuous_tests: VacuousTests = "leave-out"
    max_cpu_seconds: float = 300.0
    max_memory_mb: int = 8192
    request_seconds: float = 600.0
    body_mb: float = 16.0
    unconfined: bool = False

    def __post_init__(self) -> None:
        wrong = [
            f"{name.replace('_', ' ')} must be a finite number above 0, not {value}"
            for name in ("queue", "max_cpu_seconds", "max_memory_mb", "request_seconds", "body_mb")
            if not 0 < (value := getattr(self, name)) < math.inf
        ]
        if not 0 <= self.port <= 65535:
            wrong.append(f"port must lie between 0 and 65535, not {self.port}")
        if self.vacuous_tests not in get_args(VacuousTests):
            wrong.append(f"vacuous_tests must be {' or '.join(get_args(VacuousTests))}, not {self.vacuous_tests!r}")
        if not self.host:
            wrong.append("host is empty; it must be a name or an address, such as 127.0.0.1")
        if self.token and not (self.token.isascii() and self.token.isprintable() and " " not in self.token):
            wrong.append("the token must consist of printable ASCII characters without blanks")
        for name, most in (("cpu_seconds", self.max_cpu_seconds), ("memory_mb", self.max_memory_mb)):
            if getattr(self.limits, name) > most:
                wrong.append(f"limits: {name} is {getattr(self.limits, name)}, and a request may have at most {most}")
        if wrong:
            raise UserError(*wrong)

    @property
    def body_bytes(self) -> int:
        """The largest body of a request, in bytes."""
        return int(self.body_mb * (1 << 20))


def is_local(host: str) -> bool:
    """Return whether `host` is "localhost" or a loopback address, which only programs on this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Full(CodeprefError):
    """The queue has no room for a request. retry_after: the seconds after which there may be room."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full; try again in {retry_after} s")
        self.retry_after = retry_after


class Unavailable(CodeprefError):
    """The sandbox cannot run programs now, because the service ends or the engine has failed."""
