"""Facts about the processes that train one model together, and helpers for work that only one of them does."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def count() -> int:
    """Return the number of processes that train together, or 1 when no launcher started this process."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return the number of this process, counted from 0 among the processes that train together."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Return whether this is the first of the processes that train together."""
    return rank() == 0


def sharded() -> bool:
    """Return whether accelerate uses FSDP or DeepSpeed, which can split the model between the processes."""
    return any(os.environ.get(f"ACCELERATE_USE_{name}", "false").lower() == "true" for name in ("FSDP", "DEEPSPEED"))


def own_device(device: str) -> str:
    """Return the device on which this process loads the model.

    device: the device of the training. When several processes train on GPUs without FSDP and DeepSpeed, each
    process loads the model on a GPU of its own. With FSDP or DeepSpeed they load it on the CPU. In all other cases the
    result is `device`.
    """
    if count() == 1 or not device.startswith("cuda"):
        return device
    return "cpu" if sharded() else f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def first_alone(work: Callable[[], T], *, cpu: bool) -> T:
    """Call `work` in the first process only, and return its result in all processes.

    All processes must call this function. The other processes wait for the result. cpu: whether the training runs on
    CPUs.
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
    """Run the body as a whole program, and end the process before Python's shutdown is complete.

    The threads of gloo, torch's backend for CPUs, free the tensors of their last exchange some time later. If Python
    shuts down before that, the process ends with SIGABRT although all its work is done. Leaving the process group does
    not prevent this while a model still refers to the group. Therefore this function registers a function with `atexit`
    that calls `os._exit`, and leaves the group when the body succeeds. The exit status is 0 when the body succeeds and
    1 when it raises.
    """
    status = 1

    def end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(end)  # functions that are registered later run earlier, such as those of reporters
    yield
    import torch.distributed

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    status = 0
