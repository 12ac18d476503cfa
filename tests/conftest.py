"""Settings of all tests, and shared fixtures.

By default, OpenMP uses one thread. codepref's cache is off, and Hypothesis has no deadline.
"""

import gzip
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# with two threads each, two test workers would compete for two cores; small models gain nothing from two threads
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["CODEPREF_CACHE"] = "off"  # no test may use what another run has cached

settings.register_profile("any machine", deadline=None)  # on a busy machine a test may be slow without being wrong
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of published files outside the repository. Skip the test if it has no folder `humaneval`."""
    folder = Path(os.environ.get("CODEPREF_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not (folder / "humaneval").is_dir():
        pytest.skip(f"no published files at {folder} (set CODEPREF_DATA)")
    return folder


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes rows (or raw lines) as a file of JSON lines and returns the file's path.

    The file is compressed with gzip if its name ends in .gz.
    """

    def write(rows: Iterable[Mapping[str, Any] | str], name: str = "problems.jsonl") -> Path:
        path = tmp_path / name
        text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write
