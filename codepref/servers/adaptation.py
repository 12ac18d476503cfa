"""Remembers which fields of requests a server refuses. It learns this from the errors of calls. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from codepref.config.endpoint import Endpoint
from codepref.servers.fields import Change, Changes, next_changes
from codepref.servers.refusals import ServerError

PASSING = (408, 409, 425, 429, 499)
"""Errors with these statuses lead to no change of a field."""


class Adaptation:
    """The changes of fields that one server needs.

    A change is first on trial for one request. When a call with the change has gone well, the change holds for all
    later calls. A request that fails whatever it sends thus changes no field of other requests.

    Attributes:
    changes: the changes that hold for all calls.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.changes: Changes = {} if endpoint.schema != "no" else {"response_format": None}
        self._model = endpoint.model
        kept = [("response_format", endpoint.schema == "yes"), ("max_tokens", endpoint.priced)]
        self._keep = frozenset(name for name, keeps in kept if keeps)
        self._hopeless: set[str] = set()

    def with_trial(self, trial: Changes | None) -> Changes:
        """Return the changes of a call. trial: the changes that are on trial for its request."""
        return {**self.changes, **(trial or {})}

    def next_trial(
        self, error: ServerError, arguments: Mapping[str, Any], trial: Changes | None, made: Changes
    ) -> tuple[str, Changes] | None:
        """Return the field that may be the cause of an error and the changes to try next, or None.

        arguments: the arguments of the call before the changes. trial: the changes that were on trial. made: all
        changes of the call. If an error of the same form remained after all trials, return None.
        """
        shape = f"{error.status} {re.sub(r'[0-9]+', '#', error.words)}"
        found = None
        if error.status not in PASSING and shape not in self._hopeless:
            found = next_changes(error, arguments, made, model=self._model, keep=self._keep)
        if found is None and trial:
            self._hopeless.add(shape)
        return found

    def adopt(self, trial: Changes | None) -> str:
        """Make the changes on trial hold for all calls. Return a message for the user, or "" if nothing is new."""
        new = {name: change for name, change in (trial or {}).items() if self.changes.get(name, ()) != change}
        if not new:
            return ""
        self.changes = {**self.changes, **new}
        return f"the server refuses {', '.join(new)}. Calls {', '.join(_effect(*one) for one in new.items())}"


def _effect(name: str, change: Change) -> str:
    """Return what calls do with a field that the server refuses, in words."""
    if change is None:
        return f"leave out {name}"
    return f"send {name} {change[1]}" if change[0] == name else f"send {name} as {change[0]}"
