from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of published files, outside the repository."""
    folder = Path(os.environ.get("CODEPREF_DATA", HERE.parents[2].parent / "shared" / "data"))
    if not (folder / "humaneval").is_dir():
        pytest.skip(f"no published files at {folder} (set CODEPREF_DATA)")
    return folder


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows (or raw lines) as JSON lines and returns the file."""

    def write(rows: Iterable[Mapping[str, Any] | str], name: str = "problems.jsonl") -> Path:
        path = tmp_path / name
        text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write
