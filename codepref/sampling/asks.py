"""Orders the requests of a call of the sampler."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import overload

from codepref.chat import about
from codepref.records import Message, Problem
from codepref.sampling.engines import Ask, Engine
from codepref.sampling.prompts import request_messages


class Asks(Sequence[Ask]):
    """The requests for the answers that are missing. The object of a request is made when it is read, to save memory.

    The longest prompts come first, so that a machine with too little memory usually fails at the start and not at the
    end. The requests for one problem stand together.

    n: the number of answers to each problem. The answer `sample` to the problem at `index` has the place
    `index * n + sample`. missing: the places to ask for.
    """

    def __init__(
        self, problems: Sequence[Problem], engine: Engine, *, kind: str, n: int, template: str, missing: Sequence[int]
    ) -> None:
        self.problems, self.kind, self.n, self.template = problems, kind, n, template
        wanted = sorted({place // n for place in missing})
        length = {}
        for index in wanted:
            with about(f"problem {problems[index].task_id}"):
                length[index] = engine.prompt_length(self._messages(index))
        self.places = array("q", missing)
        if len(length) > 1:
            ordered = sorted(missing, key=lambda at: (-length[at // n], problems[at // n].task_id, at))
            self.places = array("q", ordered)
        self._cached: tuple[int, list[Message]] = (-1, [])

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, at: int) -> Ask: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Ask]: ...
    def __getitem__(self, at: int | slice) -> Ask | Sequence[Ask]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        index, number = divmod(self.places[at], self.n)
        if self._cached[0] != index:
            self._cached = (index, self._messages(index))
        return Ask(self.problems[index].task_id, self.kind, number, self._cached[1])

    def _messages(self, index: int) -> list[Message]:
        return request_messages(self.problems[index], self.template)
