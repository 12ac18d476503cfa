"""Several processes that train one model: how many, which of them this is, and what only one of them does."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def count() -> int:
    """Processes that train together; 1 where no launcher started this one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process writes the files."""
    return os.environ.get("RANK", "0") == "0"


def spread() -> bool:
    """Whether weights are spread over the processes (FSDP, DeepSpeed): none of them holds the whole model."""
    return any(os.environ.get(f"ACCELERATE_USE_{name}", "false").lower() == "true" for name in ("FSDP", "DEEPSPEED"))


def own_device(device: str) -> str:
    """`cuda` -> this process's own GPU. Weights that will be spread are loaded beside it."""
    if count() == 1 or not device.startswith("cuda"):
        return device
    return "cpu" if spread() else f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def first_alone(work: Callable[[], T], *, cpu: bool) -> T:
    """What `work` gives in the first process, in all of them; the others wait for it."""
    if count() == 1:
        return work()
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    PartialState(cpu=cpu)
    said: list[Any] = [work() if is_first() else None]
    broadcast_object_list(said, from_process=0)
    found: T = said[0]
    return found
