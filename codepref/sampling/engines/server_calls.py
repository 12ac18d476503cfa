"""Divides requests for answers into calls to a server, and finds the answers again that a journal holds. Pure.

The answers to one prompt are a group. A call asks for answers `first` to `first + n - 1` of a group, and its key in the
journal is GROUP/FIRST. The journal's reply to this key holds as many of these answers as the server gave. The others
get calls of their own, so that a server may give fewer answers than a call asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from codepref.sampling.engines.base import Answer, Ask
from codepref.servers.records import Reply, Request, RequestResult

EQUAL_REPLIES = 8
"""If this many calls have asked for several answers, and each of them brought only equal ones, later calls ask for one.

The server may draw all answers of a call with the same seed. Greedy answers do not count.
"""

NewRequest = Callable[[Ask, str, int], Request]
"""A function that returns the request with a key for `n` answers, of which the Ask is the first."""


@dataclass
class CallPlan:
    """The calls for the answers to `asks`.

    Attributes:
    asks: the answers to ask for. Answers of a group stand together.
    group_of: returns the name of an ask's group.
    request: makes a request.
    held: returns the number of answers in the journal's reply to a key, or 0.
    per_call: the largest number of answers that one call asks for.
    waiting: the first ask and the wanted places of each request that has no result yet, by key.
    """

    asks: Sequence[Ask]
    group_of: Callable[[Ask], str]
    request: NewRequest
    held: Callable[[str], int]
    per_call: int
    waiting: dict[str, tuple[Ask, Mapping[int, int]]] = field(default_factory=dict)
    _replies: int = 0
    _varied: bool = False

    def requests(self) -> Iterator[Request]:
        """Yield the requests for all asks. A request whose key the journal holds only fetches its answers."""
        for ask, places in self._groups():
            yield from self._of_group(ask, self.group_of(ask), places)

    def follow_up(self, result: RequestResult) -> Iterator[Request]:
        """Yield requests for the answers that a server did not give although the call asked for them."""
        if result.reply is None:
            return
        ask, places = self.waiting[result.request.key]
        if not result.cached:
            self._learn(result.request, result.reply)
        given = ask.sample + len(result.reply.answers())
        rest = {sample: place for sample, place in places.items() if sample >= given}
        if rest:
            yield from self._of_group(ask, self.group_of(ask), rest)

    def answers(self, result: RequestResult) -> Iterator[tuple[int, Answer]]:
        """Yield (place in `asks`, answer) for each answer of a result that is wanted."""
        ask, places = self.waiting.pop(result.request.key)
        if result.reply is None:
            return
        for sample, (text, finish, reasoning) in enumerate(result.reply.answers(), ask.sample):
            if sample in places:
                yield places[sample], Answer(text, finish == "stop", reasoning)

    def unanswered(self, result: RequestResult) -> list[int]:
        """Return the places in `asks` that a result without a reply leaves open."""
        return list(self.waiting.pop(result.request.key)[1].values())

    def _groups(self) -> Iterator[tuple[Ask, dict[int, int]]]:
        """Yield the first ask of each group, and the places in `asks` by the number of the sample."""
        first, places = None, dict[int, int]()
        for place in range(len(self.asks)):
            ask = self.asks[place]
            if first is not None and (ask.task_id, ask.kind) != (first.task_id, first.kind):
                yield first, places
                first, places = None, {}
            first = first or ask
            places[ask.sample] = place
        if first is not None:
            yield first, places

    def _of_group(self, ask: Ask, group: str, places: Mapping[int, int]) -> Iterator[Request]:
        sample, end = 0, max(places) + 1
        while sample < end:
            if count := self.held(f"{group}/{sample}"):
                after = sample + count
            elif sample in places:
                after = sample + 1
                most = sample + self.per_call
                while after < most and after in places and not self.held(f"{group}/{after}"):
                    after += 1
            else:
                sample += 1
                continue
            wanted = {one: places[one] for one in range(sample, after) if one in places}
            if wanted:
                yield self._request(ask, group, sample, after - sample, wanted)
            sample = after

    def _request(self, ask: Ask, group: str, sample: int, n: int, wanted: Mapping[int, int]) -> Request:
        key, first = f"{group}/{sample}", Ask(ask.task_id, ask.kind, sample, ask.messages)
        self.waiting[key] = (first, wanted)
        return self.request(first, key, n)

    def _learn(self, request: Request, reply: Reply) -> None:
        """Learn from a reply whether one call can bring several different answers. If not, later calls ask for one."""
        if request.n == 1:
            return
        texts = [text for text, _, _ in reply.answers()]
        self._replies += 1
        self._varied = self._varied or len(set(texts)) > 1 or request.temperature == 0
        if len(texts) == 1 or (self._replies >= EQUAL_REPLIES and not self._varied):
            self.per_call = 1
