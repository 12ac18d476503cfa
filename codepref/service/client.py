"""A client of `codepref serve`. It sends requests with the standard library only."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from codepref.errors import MachineError, UserError
from codepref.execution.limits import Limits
from codepref.records import VERDICT_CODES, Problem, VacuousTests
from codepref.service.exact import exact_row
from codepref.service.settings import TOKEN_VARIABLE, is_local

MAX_SOLUTIONS, MAX_CHARACTERS = 512, 1 << 22
"""The largest number of programs in one request, and of characters in its programs and tests together.

A request for a single piece of work may have more.
"""

MAX_WAIT_SECONDS = 30.0
"""The longest wait before a request is sent again."""

AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""The statuses after which a request is sent again."""


@dataclass(frozen=True, slots=True)
class JudgeWork:
    """Programs to run against the tests of one problem, with the limits, and what to do with vacuous tests."""

    problem: Problem
    programs: Sequence[str]
    limits: Limits
    vacuous_tests: VacuousTests = "leave-out"

    def body(self) -> dict[str, Any]:
        """Return the item for this work in the body of a request to `/judge`."""
        return {
            "problem": exact_row(self.problem),
            "solutions": list(self.programs),
            "limits": asdict(self.limits),
            "vacuous_tests": self.vacuous_tests,
            "exact": True,
        }


class Client:
    """Sends programs to a `codepref serve`.

    url: the address, such as "http://127.0.0.1:8080". token: the token, by default that in CODEPREF_TOKEN.
    request_seconds: how many seconds the client waits for the server to send something. retry_seconds: how long a
    request is sent again and again, in seconds, when the server is full, fails or does not answer.

    Raises UserError for an address that is not http or https, or has no host.
    """

    def __init__(
        self, url: str, token: str | None = None, *, request_seconds: float = 900.0, retry_seconds: float = 600.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"the address of the server must look like http://127.0.0.1:8080, not {url!r}")
        self.url = url.rstrip("/").removesuffix("/judge")
        self._token = os.environ.get(TOKEN_VARIABLE, "") if token is None else token
        self._request_seconds, self._retry_seconds = request_seconds, retry_seconds
        handlers = [urllib.request.ProxyHandler({})] if is_local(parts.hostname) else []
        self._opener = urllib.request.build_opener(*handlers)

    def check(self) -> None:
        """Ask the server whether it can run programs.

        Raises MachineError if it does not answer or cannot run programs, and UserError if it refuses the request.
        """
        self._send("/healthz", None, retry_seconds=10.0)

    def judge(self, works: Sequence[JudgeWork]) -> list[list[str]]:
        """Return the verdict codes of the programs of each piece of work.

        Raises UserError if the server refuses the work. Raises MachineError if a request still fails after it was sent
        again for `retry_seconds`, or if the answer does not hold valid verdicts of all programs.
        """
        answers: list[list[str]] = []
        for part in _parts(works):
            bodies = json.dumps([work.body() for work in part]).encode()
            found = self._send("/judge", bodies, retry_seconds=self._retry_seconds)
            if not isinstance(found, list) or len(found) != len(part):
                raise MachineError(
                    f"{self.url} does not answer as `codepref serve` does: it must give {len(part)} answers"
                )
            answers += [_codes(work, answer) for work, answer in zip(part, found, strict=True)]
        return answers

    def _send(self, path: str, body: bytes | None, *, retry_seconds: float) -> Any:
        end, wait = time.monotonic() + retry_seconds, 0.5
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        while True:
            request = urllib.request.Request(self.url + path, data=body, headers=headers)
            retry_after = 0.0
            try:
                with self._opener.open(request, timeout=self._request_seconds) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                reason = _reason(error)
                if error.code not in AGAIN:
                    raise UserError(f"the server at {self.url} refuses the request: {reason}") from None
                retry_after = _seconds(error.headers.get("Retry-After"))
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = str(getattr(error, "reason", error)) or type(error).__name__
            if time.monotonic() >= end:
                raise MachineError(
                    f"the server at {self.url} did not do its work for {retry_seconds:.0f} s: {reason}. Check that "
                    "`codepref serve` runs there"
                )
            time.sleep(min(max(wait, retry_after), MAX_WAIT_SECONDS))
            wait = min(2 * wait, MAX_WAIT_SECONDS)


def _parts(works: Sequence[JudgeWork]) -> Iterator[list[JudgeWork]]:
    """Yield the work in parts, one for each request (see MAX_SOLUTIONS).

    The programs of one piece of work stay together, since the time limit of one can depend on the others.
    """
    part: list[JudgeWork] = []
    solutions = characters = 0
    for work in works:
        size = sum(map(len, work.programs)) + sum(len(test.source) for test in work.problem.tests)
        if part and (solutions + len(work.programs) > MAX_SOLUTIONS or characters + size > MAX_CHARACTERS):
            yield part
            part, solutions, characters = [], 0, 0
        part.append(work)
        solutions, characters = solutions + len(work.programs), characters + size
    if part:
        yield part


def _codes(work: JudgeWork, answer: Any) -> list[str]:
    """Return the codes in an answer. Raises MachineError if it is not an answer to this work."""
    try:
        codes = [verdict["codes"] for verdict in answer["verdicts"]]
        known = all(isinstance(one, str) and set(one) <= set(VERDICT_CODES) for one in codes)
        if answer["task_id"] == work.problem.task_id and len(codes) == len(work.programs) and known:
            return codes
    except (KeyError, TypeError):
        pass  # the message below says so
    raise MachineError(
        f"the server sent no valid verdicts of task {work.problem.task_id}. It may be another program than "
        "`codepref serve`, or another version"
    )


def _reason(error: urllib.error.HTTPError) -> str:
    """Return the status with the detail in the body of the server's answer, or else with HTTP's reason phrase."""
    try:
        detail = str(json.loads(error.read(1 << 16))["detail"])[:1000]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        detail = str(error.reason)
    return f"{error.code}, {detail}"


def _seconds(value: str | None) -> float:
    return float(value) if value is not None and value.isdigit() else 0.0
