"""Reads data sets and files on the Hugging Face hub.

In this folder, only this module imports `datasets` or `huggingface_hub`.
"""

from __future__ import annotations

import errno
import gzip
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

from codepref.errors import MachineError, UserError

_NAME = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]*){0,2}(@[\w./-]+)?")
_FILE = re.compile(
    r"(?P<repository>[\w.-]+/[\w.-]+)/(?P<path>[^@:]+\.(?:jsonl|ndjson|json|parquet|arrow)(?:\.gz|\.zst)?|[^@:]*\*[^@:]*)"
    r"(?:@(?P<revision>[\w./-]+))?"
)
_ADDRESS = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+)(@[^/]+)?/(.+)")

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:_\w+)?$")


def is_hub_name(source: str) -> bool:
    """Return whether `source` has the form "owner/name", "owner/name:config" or "owner/name:config:split".

    The config and the split may be empty, as in "owner/name::test". "@" and a revision may follow, as in
    "owner/name@refs/pr/5".
    """
    return _NAME.fullmatch(source) is not None


def is_hub_file(source: str) -> bool:
    """Return whether `source` has the form of files on the hub, such as "owner/name/path/file.jsonl@revision".

    The revision may be missing, and the path may be a pattern, such as "test*.jsonl". The other form is
    "hf://datasets/owner/name@revision/path". Return False for the first form if a local file or folder has the name of
    the owner, since the source then names a local file, which may be missing.
    """
    if _ADDRESS.fullmatch(source):
        return True
    owner = source.partition("/")[0]
    return _FILE.fullmatch(source) is not None and owner not in (".", "..") and not Path(owner).exists()


def download(source: str) -> list[tuple[Path, str]]:
    """Fetch files of a data set on the hub, and return their local paths with their names in messages.

    This works for data sets with a loading script too, which `datasets` does not run. The hub's client keeps the files
    in its cache. Raises UserError for an unknown data set, revision or file, and for a path with "..". Raises
    MachineError if the hub cannot be reached, or a file cannot be written.
    """
    if address := _ADDRESS.fullmatch(source):
        repository, revision, pattern = address.group(1), (address.group(2) or "@").removeprefix("@"), address.group(3)
    else:
        match = _FILE.fullmatch(source)
        if match is None:
            raise UserError(f"{source}: a file on the hub is named owner/name/path/file.jsonl@revision")
        repository, pattern, revision = match["repository"], match["path"], match["revision"] or ""
    if ".." in pattern.split("/"):
        raise UserError(f"{source}: the path of a file on the hub must not contain ..")
    import huggingface_hub
    from huggingface_hub import errors

    try:
        names = [pattern]
        if re.search(r"[*?\[]", pattern):
            listing = huggingface_hub.list_repo_files(repository, repo_type="dataset", revision=revision or None)
            names = sorted((name for name in listing if fnmatchcase(name, pattern)), key=natural_key)
            if not names:
                raise UserError(
                    f"{source}: no file of the data set matches {pattern}. Its files include {', '.join(listing[:20])}"
                )
        return [
            (
                Path(huggingface_hub.hf_hub_download(repository, name, repo_type="dataset", revision=revision or None)),
                f"{repository}/{name}",
            )
            for name in names
        ]
    except (OSError, errors.HFValidationError, getattr(errors, "HTTPError", OSError)) as error:
        _refuse_download(source, error)


def natural_key(name: str) -> list[Any]:
    """Return a key that sorts names of files by their numbers: test, test2, test10.

    >>> sorted(["test10.jsonl", "test2.jsonl", "test.jsonl"], key=natural_key)
    ['test.jsonl', 'test2.jsonl', 'test10.jsonl']
    """
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", re.sub(r"(\.\w+)+$", "", name))]


def _refuse_download(source: str, error: Exception) -> NoReturn:
    """Raise the UserError or MachineError that corresponds to an error of the hub's client."""
    from huggingface_hub import errors

    unknown = (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError)
    if isinstance(error, (*unknown, errors.HFValidationError)):
        raise UserError(
            f"{source}: there is no such file here, and no such public data set, revision or file on the hub "
            f"({_first_line(error)})"
        ) from None
    _refuse_os_error(f"{source} is no file here", error)


def _refuse_os_error(source: str, error: Exception) -> NoReturn:
    if getattr(error, "errno", None) in _DISK_ERRORS:
        raise MachineError(
            f"{source}: the data set cannot be kept on disk ({_first_line(error)}). Free some space, or set "
            "HF_HOME to a folder on another disk"
        ) from None
    raise MachineError(
        f"{source}: the data set cannot be fetched from the hub ({_first_line(error)}). Give a file instead, or "
        "fetch the data set once on a machine with a network and copy the folder HF_HOME"
    ) from None


def read_hub(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row) of a hub data set: "owner/name", "owner/name:config" or "owner/name:config:split".

    Without a split, this reads "test" if it exists, since benchmarks usually keep their problems there. If all splits
    are versions, as those of BigCodeBench are (v0.1.0_hf, v0.1.1, ...), it reads the newest. Otherwise it reads the
    only split. "@revision" at the end chooses a revision, such as "@refs/pr/5". Raises UserError for an unknown name,
    config or split, for most data sets that cannot be loaded, such as scripts, and if a split must be chosen. Raises
    MachineError if the hub cannot be reached, if the system cannot read or write a file, for example because the disk
    is full, and if the package `datasets` is missing. Other exceptions of `datasets` pass through.
    """
    whole, _, revision = source.partition("@")
    name, config, split = (*whole.split(":"), "", "")[:3]
    splits = _load(name, config, revision)
    if not splits:
        raise UserError(f"{source}: the data set has no split")
    if split and split not in splits:
        raise UserError(f"{source}: the data set has no split {split!r}. Its splits are {', '.join(splits)}")
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


def _load(name: str, config: str, revision: str = "") -> dict[str, Any]:
    try:
        import datasets
    except ImportError:
        raise MachineError(f"{name}: reading from the hub needs the package datasets (pip install datasets)") from None
    try:
        return dict(datasets.load_dataset(name, config or None, **({"revision": revision} if revision else {})))
    except datasets.exceptions.DatasetNotFoundError as error:
        raise UserError(f"{name}: the data set is not on the hub, or it is not public ({_first_line(error)})") from None
    except (datasets.exceptions.DatasetsError, ValueError) as error:
        if cause := _os_error_behind(error):
            _refuse_os_error(name, cause)
        raise UserError(f"{name}: the data set cannot be loaded ({_first_line(error)})") from None
    except RuntimeError as error:
        if "script" not in str(error):
            raise
        raise UserError(
            f"{name}: the data set needs a loading script, which is not run. Name its files instead, such as "
            f"{name}/test.jsonl or {name}/*.jsonl"
        ) from None
    except OSError as error:
        _refuse_os_error(name, error)


def _os_error_behind(error: BaseException) -> OSError | None:
    """Return the first OSError among the causes of an error, such as a full disk or a broken connection, or None.

    An OSError about the content of a file does not count: BadGzipFile, and an OSError of no subclass without `errno`,
    which pyarrow raises for a damaged Parquet file.
    """
    seen = {id(error)}
    cause = error.__cause__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        about_content = isinstance(cause, gzip.BadGzipFile) or (type(cause) is OSError and cause.errno is None)
        if isinstance(cause, OSError) and not about_content:
            return cause
        cause = cause.__cause__
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
