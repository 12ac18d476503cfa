"""Answers requests from the journal. A separate process makes the calls for the answers that the journal lacks."""

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

from codepref.config.address import address_mistake
from codepref.config.endpoint import Endpoint
from codepref.errors import GateError, InfrastructureError, MachineError, UserError
from codepref.servers.journal import JOURNAL, Answers, Span, read_journal
from codepref.servers.keys import key_mistake
from codepref.servers.ledger import Ledger
from codepref.servers.records import Reply, Request, RequestResult

QUEUE_AHEAD = 2
"""The calling process holds requests for about this number of answers for each worker, so that workers seldom wait."""

Log = Callable[[str], None]
FollowUp = Callable[[RequestResult], Iterable[Request]]


def _no_follow_up(result: RequestResult) -> Iterable[Request]:
    return ()


@dataclass
class _Lane:
    """The requests to one endpoint.

    Attributes:
    source: the requests of the caller of `Exchange.results`.
    follow_ups: requests that are made before the next request of `source`.
    pending: the number of answers that the requests in the calling process ask for.
    """

    endpoint: Endpoint
    source: Iterator[Request] = field(default_factory=lambda: iter(()))
    follow_ups: deque[Request] = field(default_factory=deque)
    pending: int = 0

    @property
    def room(self) -> int:
        """No request is sent to the calling process while `pending` is this number or more."""
        return QUEUE_AHEAD * self.endpoint.concurrency * (1 + len(self.endpoint.replicas))

    def next(self) -> Request | None:
        return self.follow_ups.popleft() if self.follow_ups else next(self.source, None)


class Exchange:
    """A context manager that holds a journal in `folder` and a process that makes calls.

    endpoints: the models that can be called. Their names must differ. log: called with messages for the user.
    budget: the dollars that all runs with this journal may spend together, or None for no limit. A call that the server
    may have billed although no answer arrived counts with its highest cost.
    only_listed: refuse an endpoint if its server lists only a few models, and not the endpoint's model. Some servers
    answer requests for any name of a model. forget: do not keep the positions of new answers in the journal. This saves
    memory, but `answer` then returns only answers that were in the journal at the start.
    Raises UserError as `check_endpoints` does.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        folder: Path,
        *,
        budget: float | None = None,
        log: Log = lambda text: None,
        only_listed: bool = False,
        forget: bool = False,
    ) -> None:
        check_endpoints(endpoints, budget)
        self.folder, self.budget, self._log = folder, budget, log
        self._only_listed, self._forget = only_listed, forget
        self._lanes = {endpoint.name: _Lane(endpoint) for endpoint in endpoints}
        self.ledger = Ledger()
        self._spans: dict[str, Span] = {}
        self._pending: dict[str, Request] = {}

    def __enter__(self) -> Exchange:
        """Start the calling process and read the journal.

        Raises UserError if another run uses the journal or if the file is not a journal. Raises MachineError if the
        calling process cannot be started, and InfrastructureError if it ends, for example because it cannot open the
        journal.
        """
        journal = self.folder / JOURNAL
        self._child = _start()
        self._send(
            {
                "journal": str(journal),
                "parent": os.getpid(),
                "budget": self.budget,
                "only_listed": self._only_listed,
                "endpoints": [asdict(lane.endpoint) for lane in self._lanes.values()],
            }
        )
        try:
            while "locked" not in (message := self._receive()):
                if "waiting" in message:
                    self._log("waiting for the last calls of an interrupted run")
            self.ledger, self._spans = read_journal(journal)
            self._answers = Answers(journal)
            self._send({"spent": self.ledger.dollars + self.ledger.at_most})
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # after Ctrl-C, do not wait for the running calls: the calling process writes their answers to the journal
        self._end(wait=kind is None or issubclass(kind, Exception))
        self._answers.close()

    def results(
        self, requests: Mapping[str, Iterable[Request]], follow_up: FollowUp = _no_follow_up
    ) -> Iterator[RequestResult]:
        """Yield one result for each request, in the order in which the results arrive.

        requests: the requests by endpoint name. A few requests at a time are taken from each iterable. follow_up: is
        called with each result before the result is yielded. The requests that it returns are made too.
        Raises GateError if the budget allows no further call, UserError if a server cannot be used (for example because
        of a wrong key, an unknown model or a wrong address), InfrastructureError if a server stops answering or the
        calling process dies, MachineError if the journal cannot be written, and ValueError if two running requests have
        the same key. The journal keeps all answers that arrive.
        """
        for name, source in requests.items():
            self._lanes[name].source = iter(source)
        while True:
            yield from self._submit(follow_up)
            if any(lane.follow_ups and lane.pending < lane.room for lane in self._lanes.values()):
                continue
            if not self._pending:
                return
            if (result := self._next_result()) is not None:
                self._queue_follow_ups(result, follow_up)
                yield result

    def interrupt(self) -> None:
        """Make a running `results` raise InfrastructureError, for example because the server has ended.

        Another thread may call this. The journal keeps the answers that have arrived.
        """
        self._child.terminate()

    def holds(self, key: str) -> bool:
        """Return whether `answer` returns an answer for this key."""
        return key in self._spans

    def answer(self, key: str) -> Reply | None:
        """Return the journal's answer to the request with this key, or None. The answer can be from an earlier run."""
        return self._answers.read(self._spans[key]) if key in self._spans else None

    def _submit(self, follow_up: FollowUp) -> Iterator[RequestResult]:
        """Send requests to the calling process until its queues are full. Yield the results that the journal holds."""
        for lane in self._lanes.values():
            while lane.pending < lane.room and (request := lane.next()) is not None:
                if request.key in self._spans:
                    result = RequestResult(request, self._answers.read(self._spans[request.key]), cached=True)
                    self._queue_follow_ups(result, follow_up)
                    yield result
                elif request.key in self._pending:
                    raise ValueError(f"two requests have the key {request.key}")
                else:
                    lane.pending += request.n
                    self._pending[request.key] = request
                    self._send(request.to_json())

    def _queue_follow_ups(self, result: RequestResult, follow_up: FollowUp) -> None:
        for request in follow_up(result):
            self._lanes[request.endpoint].follow_ups.append(request)

    def _next_result(self) -> RequestResult | None:
        """Read one message of the calling process. Return a result if the message ends a request, and else None."""
        message = self._receive()
        if "given_up" in message:
            request = self._pending.pop(message["given_up"])
            self._lanes[message["e"]].pending -= request.n
            return RequestResult(request, None, message["reason"], rejected=message["rejected"])
        self.ledger.add(message)
        if "a" not in message:
            return None
        request = self._pending.pop(message["k"])
        self._lanes[message["e"]].pending -= request.n
        span = tuple(message["span"])
        if not self._forget:
            self._spans[message["k"]] = span
        return RequestResult(request, self._answers.read(span))

    def _send(self, document: Mapping[str, Any]) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # the calling process has ended, and `_receive` reads the reason from its last message

    def _receive(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        while raw := self._child.stdout.readline():
            message: dict[str, Any] = json.loads(raw)
            if "stop" in message:
                raise _stop_error(message["stop"], message["reasons"], self.budget)
            if "note" not in message:
                return message
            self._log(message["note"])
        raise InfrastructureError(f"the process that makes the calls died (exit status {self._child.wait()}). {KEPT}")

    def _end(self, *, wait: bool = True) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.close()
        if wait:
            # read the remaining messages, so that a full pipe does not block the calling process
            for raw in self._child.stdout:
                message = json.loads(raw)
                if "e" in message and "given_up" not in message:
                    self.ledger.add(message)
            self._child.wait()
            self.ledger.close()
        self._child.stdout.close()


def check_endpoints(endpoints: Sequence[Endpoint], budget: float | None) -> None:
    """Raise UserError with the mistakes in the endpoints and the budget that can be found without a call."""
    mistakes = []
    names = [endpoint.name for endpoint in endpoints]
    for name in sorted({name for name in names if names.count(name) > 1}):
        mistakes.append(f"{name}: several models have this name. Each model needs a different name")
    for endpoint in endpoints:
        for address in (endpoint.base_url, *endpoint.replicas):
            if mistake := address_mistake(address):
                mistakes.append(f"{endpoint.name}: {mistake}")
        if mistake := key_mistake(endpoint.api_key_env):
            mistakes.append(f"{endpoint.name}: {mistake}")
        try:
            endpoint.extra_fields()
        except ValueError as error:
            mistakes.append(f"{endpoint.name}: extra_body must be a JSON object, not {endpoint.extra_body!r} ({error})")
        if endpoint.concurrency < 1 or endpoint.timeout <= 0 or endpoint.retries < 0:
            mistakes.append(f"{endpoint.name}: concurrency must be at least 1, timeout above 0 and retries at least 0")
    if budget is not None and budget <= 0:
        mistakes.append(f"a budget of {budget:g} dollars allows no call. Raise it, or leave it out for no limit")
    elif budget is not None and not any(endpoint.priced for endpoint in endpoints):
        mistakes.append(
            f"a budget needs prices. Set price_in and price_out (dollars per million tokens) for {names[0]}"
        )
    if mistakes:
        raise UserError(*mistakes)


def _start() -> subprocess.Popen[bytes]:
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "codepref.servers.calling_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # Ctrl-C must not end it before its running calls are answered
        )
    except OSError as error:
        raise MachineError(f"cannot start the process that makes the calls ({error})") from None


KEPT = "With an output file, the journal keeps all answers, and the same command continues from them"


def _stop_error(cause: str, reasons: Sequence[str], budget: float | None) -> Exception:
    """Return the exception for a "stop" message of the calling process."""
    if cause == "budget":
        return GateError(f"the budget of {budget:g} dollars allows no further call. {KEPT} with a larger budget")
    if cause == "server":
        return InfrastructureError(f"{'; '.join(reasons)}. {KEPT}")
    if cause == "machine":
        return MachineError(f"{'; '.join(reasons)}. {KEPT}")
    return UserError(*reasons)
