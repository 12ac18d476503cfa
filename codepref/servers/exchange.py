"""Requests in, outcomes out: what was answered before comes from the journal, the rest from a calling process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codepref.config.endpoint import Endpoint
from codepref.errors import GateError, InfrastructureError, MachineError, UserError
from codepref.servers.journal import JOURNAL, Answers, Span, read_journal
from codepref.servers.ledger import Ledger
from codepref.servers.records import Outcome, Reply, Request

AHEAD = 2
"""Requests that wait in the calling process for each that is under way, so that no place stands empty."""

Say = Callable[[str], None]
Follow = Callable[[Outcome], Iterable[Request]]


def _nothing(outcome: Outcome) -> Iterable[Request]:
    return ()


@dataclass
class _Lane:
    """One endpoint's requests: those still to be drawn, follow-ups first, and how many are out."""

    endpoint: Endpoint
    source: Iterator[Request] = field(default_factory=lambda: iter(()))
    first: deque[Request] = field(default_factory=deque)
    out: int = 0

    def next(self) -> Request | None:
        return self.first.popleft() if self.first else next(self.source, None)


class Exchange:
    """A journal in `folder` and a process that makes calls, for as long as the `with` block lasts.

    endpoints: their names must differ. budget: dollars that all runs over this journal may spend, None for no limit;
    calls that may have been billed without an answer count with their highest cost. say: gets rare lines for the user.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        folder: Path,
        *,
        budget: float | None = None,
        say: Say = lambda text: None,
    ) -> None:
        check_endpoints(endpoints, budget)
        self.folder, self.budget, self._say = folder, budget, say
        self._lanes = {endpoint.name: _Lane(endpoint) for endpoint in endpoints}
        self.ledger = Ledger()
        self._spans: dict[str, Span] = {}
        self._out: dict[str, Request] = {}

    def __enter__(self) -> Exchange:
        """Start the process and read the journal.

        Raises UserError where another run has the journal, MachineError where it cannot be written.
        """
        journal = self.folder / JOURNAL
        self._child = _start()
        self._send(
            {
                "journal": str(journal),
                "asking": os.getpid(),
                "budget": self.budget,
                "endpoints": [asdict(lane.endpoint) for lane in self._lanes.values()],
            }
        )
        try:
            while "locked" not in (line := self._hear()):
                if "waiting" in line:
                    self._say("waiting for the last calls of an interrupted run to end")
            self.ledger, self._spans = read_journal(journal)
            self._answers = Answers(journal)
            self._send({"spent": self.ledger.dollars + self.ledger.at_most})
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # whoever presses Ctrl-C does not wait; the other process keeps what is under way all the same
        self._end(wait=kind is None or issubclass(kind, Exception))
        self._answers.close()

    def outcomes(self, requests: Mapping[str, Iterable[Request]], follow: Follow = _nothing) -> Iterator[Outcome]:
        """Yield one outcome a request, as they come; requests are drawn from their iterables a few at a time.

        requests: by endpoint name. follow: called with each outcome before it is yielded; the requests that it returns
        are made as well. A key must be asked for once only.
        Raises GateError when the budget allows no further call, UserError when a server refuses all calls (wrong key,
        unknown model, nobody there), InfrastructureError when one stops answering. What was answered is kept.
        """
        for name, source in requests.items():
            self._lanes[name].source = iter(source)
        while True:
            yield from self._feed(follow)
            if any(lane.first for lane in self._lanes.values()):
                continue
            if not self._out:
                return
            if (outcome := self._next()) is not None:
                self._follow(outcome, follow)
                yield outcome

    def answer(self, key: str) -> Reply | None:
        """What a key was answered, by this run or an earlier one, or None."""
        return self._answers.read(self._spans[key]) if key in self._spans else None

    def _feed(self, follow: Follow) -> Iterator[Outcome]:
        for lane in self._lanes.values():
            while lane.out < AHEAD * lane.endpoint.concurrency and (request := lane.next()) is not None:
                if request.key in self._spans:
                    outcome = Outcome(request, self._answers.read(self._spans[request.key]), known=True)
                    self._follow(outcome, follow)
                    yield outcome
                elif request.key in self._out:
                    raise ValueError(f"asked twice at once: {request.key}")
                else:
                    lane.out += 1
                    self._out[request.key] = request
                    self._send(request.to_json())

    def _follow(self, outcome: Outcome, follow: Follow) -> None:
        for request in follow(outcome):
            self._lanes[request.endpoint].first.append(request)

    def _next(self) -> Outcome | None:
        """The next line of the calling process, as an outcome when it is one."""
        line = self._hear()
        if "lost" in line:
            request = self._out.pop(line["lost"])
            self._lanes[line["e"]].out -= 1
            return Outcome(request, None, line["reason"])
        self.ledger.add(line)
        if "a" not in line:
            return None
        request = self._out.pop(line["k"])
        self._lanes[line["e"]].out -= 1
        span = self._spans[line["k"]] = tuple(line["span"])
        return Outcome(request, self._answers.read(span))

    def _send(self, document: Mapping[str, Any]) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # its last words say why, and are heard next

    def _hear(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        raw = self._child.stdout.readline()
        if not raw:
            raise InfrastructureError(
                f"the process that makes the calls ended (exit status {self._child.wait()}). What it was told before "
                "is kept; the same command goes on from there"
            )
        line: dict[str, Any] = json.loads(raw)
        if "stop" in line:
            raise _stopped(line["stop"], line["reasons"], self.budget)
        return line

    def _end(self, *, wait: bool = True) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.close()
        if wait:
            # what it still says is in the journal; read on, so that it never waits for us
            for raw in self._child.stdout:
                line = json.loads(raw)
                if "e" in line and "lost" not in line:
                    self.ledger.add(line)
            self._child.wait()
            self.ledger.close()
        self._child.stdout.close()


def check_endpoints(endpoints: Sequence[Endpoint], budget: float | None) -> None:
    """Raise UserError for what can be seen to be wrong before any call; all mistakes at once."""
    wrong = []
    names = [endpoint.name for endpoint in endpoints]
    for name in sorted({name for name in names if names.count(name) > 1}):
        wrong.append(f"{name}: is named twice; each model needs a name of its own")
    for endpoint in endpoints:
        if not endpoint.base_url.startswith(("http://", "https://")):
            wrong.append(f"{endpoint.name}: base_url must begin with http:// or https://, not {endpoint.base_url!r}")
        if endpoint.concurrency < 1 or endpoint.timeout <= 0 or endpoint.retries < 0:
            wrong.append(f"{endpoint.name}: concurrency must be at least 1, timeout above 0, retries at least 0")
    if budget is not None and budget <= 0:
        wrong.append(f"a budget of {budget:g} dollars allows no call: raise it, or leave it out for no limit")
    elif budget is not None and not any(endpoint.priced for endpoint in endpoints):
        wrong.append(f"a budget needs prices: set price_in and price_out (dollars a million tokens) of {names[0]}")
    if wrong:
        raise UserError(*wrong)


def _start() -> subprocess.Popen[bytes]:
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "codepref.servers.caller"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # Ctrl-C and a killed process group must not reach it: it ends by itself
        )
    except OSError as error:
        raise MachineError(f"the process that makes the calls cannot be started ({error})") from None


def _stopped(why: str, reasons: Sequence[str], budget: float | None) -> Exception:
    kept = "What was answered is kept; the same command goes on from there"
    if why == "budget":
        return GateError(f"the budget of {budget:g} dollars allows no further call. {kept} with a larger one")
    if why == "server":
        return InfrastructureError(f"{'; '.join(reasons)}. {kept}")
    if why == "machine":
        return MachineError(f"{'; '.join(reasons)}. {kept}")
    return UserError(*reasons)
