"""A job with solutions of several tasks, for a `StreamEngine`."""

from __future__ import annotations

from typing import Any

from codepref.execution.state import Job, TaskState


class JoinedJob:
    """Some solutions of one or more tasks that are equal apart from their solutions. One worker runs them.

    Attributes:
        touched: the states whose solutions got a result, or were given back, since the engine last looked.
    """

    def __init__(self, parts: list[tuple[TaskState, Job]]) -> None:
        self._jobs = {number: job for number, (_, job) in enumerate(parts)}
        self._states = [state for state, _ in parts]
        self._origin: dict[int, tuple[int, int]] = {}
        self.touched: list[TaskState] = []

    @property
    def first(self) -> TaskState:
        """The state of the first solution."""
        return self._states[0]

    @property
    def pending(self) -> bool:
        """Whether results of this job are missing."""
        return any(job.pending for job in self._jobs.values())

    def pending_states(self) -> list[TaskState]:
        """Return the states of the solutions whose results are missing."""
        return [self._states[number] for number, job in self._jobs.items() if job.pending]

    def sources(self) -> list[tuple[int, str]]:
        """Return a number and the text of each solution, as they are sent to the worker."""
        texts: list[tuple[int, str]] = []
        for number, job in self._jobs.items():
            for index, text in job.sources():
                self._origin[len(texts)] = (number, index)
                texts.append((len(texts), text))
        return texts

    def settle(self, *message: Any) -> int:
        """Take over one result as the worker sent it (see `Job.settle`).

        Return the number of solutions that got their verdict.
        """
        number, index = self._where(message[0] if message else None)
        self.touched.append(self._states[number])
        return self._jobs[number].settle(index, *message[1:])

    def keep_printed(self, place: object, printed: object) -> None:
        """Keep what a program printed (see `Job.keep_printed`)."""
        number, index = self._where(place)
        self._jobs[number].keep_printed(index, printed)

    def _where(self, place: object) -> tuple[int, int]:
        """Return the job of a solution and its number there.

        If the worker sent no valid number, return the first job with missing results and -1, which no solution has.
        """
        if isinstance(place, int) and place in self._origin:
            return self._origin[place]
        return next(number for number, job in self._jobs.items() if job.pending), -1

    def give_back(self, cause: str, *, unprepared: bool) -> int:
        """After the loss of the worker, let the solutions without a result wait again.

        The first of them counts as the cause of the loss. If the worker could not prepare the task, the first solution
        of each `TaskState` counts. Give up solutions that were the cause too often (see `Job.give_back`). Return the
        number of solutions that got their verdict.
        """
        settled, first = 0, True
        for number, job in self._jobs.items():
            if job.pending:
                self.touched.append(self._states[number])
                if first or unprepared:
                    settled += job.give_back(cause, unprepared=unprepared)
                else:
                    job.wait_again()
                first = False
        return settled
