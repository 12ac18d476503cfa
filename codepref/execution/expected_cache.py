"""A cache of expected outputs and of the results of programs that do nothing, which is kept between runs.

Computing the expected outputs of HumanEval+ takes longer than running a few samples against them. Only confined
processes decode the expected outputs. The cache also holds the reference's CPU time, so that limits which follow from
it are the same in every run that reads the file.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import stat
import tempfile
from collections.abc import Iterable
from importlib.metadata import packages_distributions, version
from pathlib import Path

from codepref.execution.sandbox.confinement.packages import imported
from codepref.execution.sandbox.wire.encoder import encoded
from codepref.storage.cache import VARIABLE, cache_folder

MAX_BYTES = 1 << 30
"""The size to which the cache is reduced, in bytes. Between two reductions it can be about a sixteenth larger, and
more if several processes write to it.
"""

MAX_FILES = 1 << 17
"""About the largest number of files. A file counts as at least `max_bytes` / MAX_FILES bytes (8 KiB by default), since
a small file takes a block of the disk and an inode."""

SANDBOX = Path(__file__).parent / "sandbox"
_DIGEST = hashlib.sha256().digest_size


class ExpectedCache:
    """A folder of files. `key_of` and `screening_key` make the names of the files.

    An error of the disk does not stop a run.

    folder: the folder of the files. None means that nothing is kept.
    max_bytes: if the files together are larger after a write, the cache may delete those that were not used for the
        longest time.
    """

    def __init__(self, folder: Path | None, *, max_bytes: int = MAX_BYTES) -> None:
        self._folder, self._max_bytes, self._least = folder, max_bytes, max_bytes // MAX_FILES
        # Bytes written since the folder was measured. The number starts high, so the first write measures the folder.
        self._unweighed = max_bytes

    @property
    def on(self) -> bool:
        """Whether the cache keeps anything."""
        return self._folder is not None

    def read(self, key: str) -> bytes:
        """Return the bytes that are kept under `key`.

        Return b"" if there are none, if they are damaged, or if the file cannot be read. Mark the file as used if this
        is possible.
        """
        if self._folder is None or not key:
            return b""
        path = self._folder / key
        try:
            data = path.read_bytes()
        except OSError:
            return b""
        with contextlib.suppress(OSError):  # several users may share a cache that most of them can only read
            os.utime(path)
        digest, body = data[:_DIGEST], data[_DIGEST:]
        return body if hashlib.sha256(body).digest() == digest else b""

    def write(self, key: str, body: bytes) -> None:
        """Keep `body` under `key`. The file is written completely or not at all.

        A body larger than a quarter of `max_bytes` is not kept. After an OSError during a write, this object
        keeps and reads nothing more.
        """
        if self._folder is None or not key or len(body) > self._max_bytes // 4:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                try:
                    file.write(hashlib.sha256(body).digest() + body)
                    file.close()
                    Path(file.name).replace(self._folder / key)
                except BaseException:  # a file that was not written completely is not kept
                    Path(file.name).unlink()
                    raise
            self._unweighed += max(len(body), self._least)
            if self._unweighed > self._max_bytes // 16:
                self._make_room(self._folder)
                self._unweighed = 0
        except OSError:
            self._folder = None  # after an error of the disk the cache stays off

    def _make_room(self, folder: Path) -> None:
        files = []
        for path in folder.iterdir():
            with contextlib.suppress(OSError):  # another run may have deleted the file
                known = path.stat()
                if stat.S_ISREG(known.st_mode):
                    files.append((known.st_mtime, max(known.st_size, self._least), path))
        excess = sum(size for _, size, _ in files) - self._max_bytes
        for _, size, path in sorted(files):
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= size


def user_cache() -> ExpectedCache:
    """Return the cache in the folder that CODEPREF_CACHE names.

    Without CODEPREF_CACHE, return the cache in the folder `codepref/expected` of the user's cache folder. If
    `cache_folder` returns None, the cache keeps nothing.
    """
    folder = cache_folder()
    if folder is None or os.environ.get(VARIABLE):
        return ExpectedCache(folder)
    return ExpectedCache(folder / "expected")


def key_of(fields: tuple[object, ...], limits: dict[str, object]) -> str:
    """Return the name under which expected outputs are kept.

    It is the hash of the fields of the test, the limits of its reference, Python's implementation and version, the
    versions of the packages that `imported` finds in the fields, and the sandbox's own code.
    """
    allowed = [limits[name] for name in ("memory_bytes", "reference_cpu_seconds")]
    used = imported("\n".join(part for part in fields if isinstance(part, str)))
    machine = (platform.python_implementation(), platform.python_version(), _versions(used))
    return hashlib.sha256(encoded((machine, allowed, _own_code(), fields))).hexdigest()


def screening_key(digest: bytes, limits: dict[str, object], sources: Iterable[str]) -> str:
    """Return the name under which the results of programs that do nothing are kept.

    It is the hash of `digest`, the limits, Python's implementation and version, the versions of the packages that
    `imported` finds in the tests, the sandbox's own code, and the code of `codepref.execution.vacuous` and of the
    modules directly in `codepref.problems`, which say what a program that does nothing is.
    digest: the digest of the task (see `task_digest`). sources: the texts of the task's tests.
    """
    used = imported("\n".join(sources))
    machine = (platform.python_implementation(), platform.python_version(), _versions(used))
    return hashlib.sha256(encoded((machine, dict(limits), _own_code(), _screening_code(), digest))).hexdigest()


@functools.cache
def _screening_code() -> bytes:
    package = SANDBOX.parents[1]
    files = [SANDBOX.with_name("vacuous.py"), *sorted((package / "problems").glob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()


@functools.cache
def _versions(packages: frozenset[str]) -> tuple[tuple[str, str], ...]:
    if not packages:
        return ()  # a search of all installed packages takes a tenth of a second
    installed = {name: distributions[0] for name, distributions in packages_distributions().items() if name in packages}
    return tuple((name, version(installed[name])) for name in sorted(installed))


@functools.cache
def _own_code() -> bytes:
    """Return a digest of all source files of the sandbox. Another version of codepref may encode differently."""
    digest = hashlib.sha256()
    for path in own_files():
        digest.update(path.read_bytes())
    return digest.digest()


def own_files(folder: Path = SANDBOX) -> list[Path]:
    """Return the Python files of `folder` and of its subfolders, in a fixed order."""
    return sorted(folder.rglob("*.py"))
