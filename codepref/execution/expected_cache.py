"""Expected outputs of reference solutions, kept between runs: HumanEval+ takes longer to prepare than to judge a few
samples by. Kept as bytes that only a confined judge ever reads.

What is kept also holds the reference's CPU time, so that the limits that follow from it are the same in every run.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import stat
import tempfile
from importlib.metadata import packages_distributions, version
from pathlib import Path

from codepref.execution.inside.codec import encoded
from codepref.execution.inside.packages import imported

VARIABLE = "CODEPREF_CACHE"
"""Names another folder than the user's cache folder; "off" keeps nothing."""

MOST_BYTES = 1 << 30
_DIGEST = hashlib.sha256().digest_size


class ExpectedCache:
    """A folder of files, each named after what it depends on. Faults of the disk cost time, never a verdict.

    folder: None keeps nothing. most_bytes: the files that were used longest ago make room.
    """

    def __init__(self, folder: Path | None, *, most_bytes: int = MOST_BYTES) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._unweighed = most_bytes  # the folder is looked through at the first write, and then now and then

    @property
    def on(self) -> bool:
        """Whether anything is kept."""
        return self._folder is not None

    def read(self, key: str) -> bytes:
        """What was kept under `key`; empty when nothing was, or when it is damaged."""
        if self._folder is None or not key:
            return b""
        path = self._folder / key
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return b""
        digest, body = data[:_DIGEST], data[_DIGEST:]
        return body if hashlib.sha256(body).digest() == digest else b""

    def write(self, key: str, body: bytes) -> None:
        """Keep `body`, whole or not at all."""
        if self._folder is None or not key or len(body) > self._most_bytes // 4:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                try:
                    file.write(hashlib.sha256(body).digest() + body)
                    file.close()
                    Path(file.name).replace(self._folder / key)
                except BaseException:  # whatever ended it, half a file is not kept
                    Path(file.name).unlink()
                    raise
            self._unweighed += len(body)
            if self._unweighed > self._most_bytes // 16:
                self._make_room(self._folder)
                self._unweighed = 0
        except OSError:
            self._folder = None  # a full or unwritable disk is asked once a run

    def _make_room(self, folder: Path) -> None:
        files = []
        for path in folder.iterdir():
            with contextlib.suppress(OSError):  # another run may have made room meanwhile
                known = path.stat()
                if stat.S_ISREG(known.st_mode):
                    files.append((known.st_mtime, known.st_size, path))
        excess = sum(size for _, size, _ in files) - self._most_bytes
        for _, size, path in sorted(files):
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= size


def user_cache() -> ExpectedCache:
    """The cache in the folder that CODEPREF_CACHE names, by default `codepref/expected` in the user's cache folder."""
    folder = cache_folder()
    if folder is None or os.environ.get(VARIABLE):
        return ExpectedCache(folder)
    return ExpectedCache(folder / "expected")


def cache_folder() -> Path | None:
    """What CODEPREF_CACHE names, or `codepref` in the user's cache folder; None for "off" and without a home."""
    named = os.environ.get(VARIABLE, "")
    if named:
        return None if named == "off" else Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        home = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return None
    return home / "codepref"


def key_of(fields: tuple[object, ...], limits: dict[str, object]) -> str:
    """The name under which expected outputs are kept: of the test's fields, of what its reference was allowed, of the
    interpreter and of the packages that the test or its reference may use, and of the code that made them.
    """
    allowed = [limits[name] for name in ("memory_bytes", "reference_cpu_seconds")]
    used = imported("\n".join(part for part in fields if isinstance(part, str)))
    machine = (platform.python_implementation(), platform.python_version(), _versions(used))
    told = encoded((machine, allowed, _own_code(), fields))
    return hashlib.sha256(told).hexdigest()


@functools.cache
def _versions(packages: frozenset[str]) -> tuple[tuple[str, str], ...]:
    if not packages:
        return ()  # the look through everything installed takes a tenth of a second
    found = {name: distributions[0] for name, distributions in packages_distributions().items() if name in packages}
    return tuple((name, version(found[name])) for name in sorted(found))


@functools.cache
def _own_code() -> bytes:
    """A digest of the sources that run inside workers: another codepref may encode otherwise."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "inside").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()
