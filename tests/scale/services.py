"""Small services for the tests of hosts."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from codepref.errors import MachineError, UserError


class Doubling:
    """Doubles numbers and texts. Some texts are commands (see `_one`), such as "die", which ends the process."""

    capacity, threads = 2, 4

    def __init__(self, seconds: float = 0.0, refuse: str = "") -> None:
        if refuse:
            raise MachineError(refuse)
        self.seconds = seconds

    def handle(self, items: Sequence[Any]) -> list[Any]:
        return [self._one(item) for item in items]

    def _one(self, item: Any) -> Any:
        time.sleep(self.seconds)
        match item:
            case "die":
                os._exit(7)
            case "pid":
                return os.getpid()
            case "device":
                return os.environ.get("DEVICE")
            case "wrong":
                raise UserError("this item is wrong")
            case "broken":
                raise MachineError("this machine is broken")
            case "bug":
                return {}["no such key"]
        return 2 * item

    def close(self) -> None:
        pass
