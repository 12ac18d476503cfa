"""matplotlib's list of fonts. It is built once outside the sandbox, since solutions that plot cannot write it."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from codepref.execution.expected_cache import cache_folder

SECONDS = 120.0
"""Seconds in which the list must be built. matplotlib reads all fonts of the machine for it."""


@functools.cache
def plotting_folder() -> Path | None:
    """The folder that holds matplotlib's list of fonts, which solutions can read. Builds the list where it is missing.

    Without it matplotlib cannot be imported in the sandbox, since it finds no folder to write to. None where matplotlib
    is not installed or fails, or where nothing can be kept (see `expected_cache.cache_folder`).
    """
    if importlib.util.find_spec("matplotlib") is None:
        return None
    base = cache_folder()
    if base is None:
        return None
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, OSError, subprocess.SubprocessError):
        folder = base / f"matplotlib-{importlib.metadata.version('matplotlib')}"
        if not any(folder.glob("fontlist*.json")):
            _build(folder)
        return folder
    return None


def _build(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        built = Path(scratch) / "fonts"
        subprocess.run(
            [sys.executable, "-c", "import matplotlib.font_manager"],
            env={**os.environ, "MPLCONFIGDIR": str(built), "MPLBACKEND": "Agg"},
            check=True,
            capture_output=True,
            timeout=SECONDS,
        )
        shutil.rmtree(folder, ignore_errors=True)
        # Another run may have been first. Its folder is as good.
        with contextlib.suppress(OSError):
            built.rename(folder)
