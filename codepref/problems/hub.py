"""Reads the rows of a data set on the Hugging Face hub. No other file of this folder imports `datasets`."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator
from typing import Any

from codepref.errors import MachineError, UserError

_NAME = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]*){0,2}")

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:_\w+)?$")


def is_hub_name(source: str) -> bool:
    """Return whether `source` has the form "owner/name", "owner/name:config" or "owner/name:config:split".

    The config and the split may be empty, as in "owner/name::test".
    """
    return _NAME.fullmatch(source) is not None


def read_hub(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row) of a hub data set: "owner/name", "owner/name:config" or "owner/name:config:split".

    Without a split, this reads "test" if it exists, since benchmarks usually keep their problems there. If all splits
    are versions, as those of BigCodeBench are (v0.1.0_hf, v0.1.1, ...), it reads the newest. Otherwise it reads the
    only split. Raises UserError for an unknown name, config or split, for most data sets that cannot be loaded, and if
    a split must be chosen. Raises MachineError if the hub cannot be reached, a file cannot be read or written, or
    the package `datasets` is missing. Other exceptions of `datasets` pass through, such as the RuntimeError for a data
    set that is a script.
    """
    name, config, split = (*source.split(":"), "", "")[:3]
    splits = _load(name, config)
    if split and split not in splits:
        raise UserError(f"{source}: has no split {split!r}; its splits are {', '.join(splits)}")
    if not split:
        split = "test" if "test" in splits else _newest(splits) or next(iter(splits))
        if split != "test" and len(splits) > 1 and not _newest(splits):
            raise UserError(f"{source}: choose one of its splits ({', '.join(splits)}) as {name}:{config}:SPLIT")
    for place, row in enumerate(splits[split]):
        yield f"{name} {split}[{place}]", row


def _newest(splits: Iterable[str]) -> str:
    """Return the newest of splits that are named like v1.2.3 or v1.2.3_text, or "" if some have other names."""
    matches = {split: _VERSION.match(split) for split in splits}
    numbers = {split: tuple(map(int, match.groups())) for split, match in matches.items() if match}
    return max(numbers, key=lambda split: (numbers[split], split)) if len(numbers) == len(matches) else ""


def _load(name: str, config: str) -> dict[str, Any]:
    try:
        import datasets
    except ImportError:
        raise MachineError(f"{name}: reading from the hub needs the package datasets (pip install datasets)") from None
    try:
        return dict(datasets.load_dataset(name, config or None))
    except datasets.exceptions.DatasetNotFoundError as error:
        raise UserError(f"{name}: the data set is not on the hub, or it is not public ({_first_line(error)})") from None
    except (datasets.exceptions.DatasetsError, ValueError) as error:
        raise UserError(f"{name}: the data set cannot be loaded ({_first_line(error)})") from None
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise MachineError(
                f"{name}: the data set cannot be kept on disk ({_first_line(error)}). Free some space, or set "
                "HF_HOME to a folder on another disk"
            ) from None
        raise MachineError(
            f"{name}: the data set cannot be fetched from the hub ({_first_line(error)}). Give a file instead, or "
            "fetch the data set once on a machine with a network and copy the folder HF_HOME"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
