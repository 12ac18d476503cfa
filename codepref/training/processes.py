"""Several processes that train one model: how many there are, which one this is, and work that only one does."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def count() -> int:
    """The number of processes that train together; 1 when no launcher started this process."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this process among them, from 0; 0 when no launcher started it."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this is the process that writes the files."""
    return rank() == 0


def sharded() -> bool:
    """Whether FSDP or DeepSpeed shards the weights, so that no process holds the whole model."""
    return any(os.environ.get(f"ACCELERATE_USE_{name}", "false").lower() == "true" for name in ("FSDP", "DEEPSPEED"))


def own_device(device: str) -> str:
    """The device on which this process loads the model.

    `cuda` becomes this process's own GPU. Weights that will be sharded are loaded on the CPU.
    """
    if count() == 1 or not device.startswith("cuda"):
        return device
    return "cpu" if sharded() else f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def first_alone(work: Callable[[], T], *, cpu: bool) -> T:
    """Call `work` in the first process alone and return its result in all processes. The others wait.

    cpu: whether the training runs on CPUs.
    """
    if count() == 1:
        return work()
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    PartialState(cpu=cpu)
    slot: list[Any] = [work() if is_first() else None]
    broadcast_object_list(slot, from_process=0)
    result: T = slot[0]
    return result


@contextlib.contextmanager
def own_end() -> Iterator[None]:
    """Run the body of a whole program, leave the process group, and end the process without Python's shutdown.

    gloo's threads free the tensors of their last exchange at some later time. If Python shuts down before that, the
    process ends with SIGABRT although all its work is done: one run in twelve on a busy machine. Leaving the group does
    not prevent it while a model still refers to the group. Therefore the process ends with `os._exit` after its
    `atexit` functions have run. The exit status is 0 when the body succeeds and 1 when it raises.
    """
    status = 1

    def end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(end)  # functions that are registered later run before it: reporters end their runs there
    yield
    import torch.distributed

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    status = 0
