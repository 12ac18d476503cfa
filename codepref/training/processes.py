"""Several processes that train one model: how many, which of them this is, and what only one of them does."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def count() -> int:
    """Processes that train together; 1 where no launcher started this one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this process is; 0 where no launcher started it."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this process writes the files."""
    return rank() == 0


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


@contextlib.contextmanager
def own_end() -> Iterator[None]:
    """Leave the group after the body, and end this process once its `atexit` functions have run: for a whole program.

    gloo's threads free the tensors of their last exchange when they come to it. If Python is being shut down by then,
    the process ends with SIGABRT after all was done: one run of 12 on a busy machine, and leaving the group is not
    enough while a model holds on to it. So nothing is left to be shut down. The exit status is 0 when the body went
    well and 1 otherwise.
    """
    status = 1

    def end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(end)  # called after those that are registered later: reporters end their runs there
    yield
    import torch.distributed

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    status = 0
