"""matplotlib's list of fonts. It is built once outside the sandbox, so that not every program builds it."""

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

from codepref.storage.cache import cache_folder

SECONDS = 120.0
"""The seconds in which the list must be built. matplotlib reads all fonts of the machine for it."""


@functools.cache
def plotting_folder() -> Path | None:
    """Return the folder that holds matplotlib's list of fonts. Build the list if it is missing.

    Solutions can read the folder. Without it, matplotlib builds the list in each process that imports its fonts, which
    can take seconds. Return None if matplotlib is not installed, if building the list fails, or if there is no cache
    folder (see `cache_folder`).
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
        # If another run was faster, its folder is used.
        with contextlib.suppress(OSError):
            built.rename(folder)
